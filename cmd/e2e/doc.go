// Package e2e holds no code, only the tests of the whole mesh as operators run
// it: hb-broker, hb-relay and hbctl as processes with configuration files made
// from deploy/examples, on the emulators of the test ring, with registers that
// are not ours.
//
//	mosquitto_pub, curl ──► hb-relay ── cable ──► hb-broker us-east-1 ──► ministack ── SNS → SQS ──► the test
//	  (with wills)             │                        ▲ ask, forward        ▲ replicator
//	                           └─────── cable ──► hb-broker us-west-2 ──► ministack ── SNS → SQS ──► the test
//
// They die here by SIGKILL, their cables become black holes, their disks fill,
// their clocks jump, strangers send them nonsense, and DynamoDB and SNS fail
// behind a proxy. What must then hold is read where people and programs read it:
// in the queues, the API, the table, and the journal's folder.
//
// The tests need Linux: they read /proc, and mount small file systems where
// they may. HB_E2E_ROUNDS says how often the relay is killed under load, and
// how often its power is cut there: `make chaos` does both 1,000 times.
package e2e
