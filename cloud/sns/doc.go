// Package sns brings notices to people and programs by Amazon SNS: one topic a
// region, to which both subscribe.
//
// One publish carries three forms (MessageStructure=json), so that each gets
// what it can use:
//
//	email    the text, for a person
//	sms      one line
//	default  the CloudEvent, for sqs, lambda, http(s) and firehose
//
// The event is there once: a digest of 216 KB for each protocol would not fit
// into SNS's 256 KiB.
//
// SNS's own rules (subject, size, attributes) are checked here, since a message
// that breaks them is refused by SNS for good, and no emulator knows them.
// The SDK's retries are off: the outbox retries, and counts what it does.
package sns
