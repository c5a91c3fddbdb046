// Package ring is the test ring: DynamoDB and SNS of two regions on this
// machine. It runs one ministack process per region, makes the table and the
// topic in each, and joins the two tables as a Global Table would.
//
//	us-east-1                             us-west-2
//	proxy (tests: faults) ◄── clients ──► proxy
//	  │                                     │
//	ministack ── stream ──► replicator ──► ministack
//	          ◄── replicator ◄── stream ──
//
// The replicator is not ministack's own: that one is synchronous and so hides
// every fault. Ours carries record by record, late by what Options.Passage says,
// holds while it is cut, and lets the last writer of a key win. What it writes
// has two attributes that nobody else writes: when the item was written, and
// where. So its own echo in the other stream is told from a new write.
package ring
