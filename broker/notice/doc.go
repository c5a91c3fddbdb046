// Package notice turns a decided notice into words and brings it to its
// channels.
//
//	incident ──► Publish ──► Sender ──┬─► Render ─► Channel: SNS (cloud/sns)
//	                ▲     queue per   ├─► Render ─► Channel: Webhook
//	                │     channel     └─► Render ─► Channel: Log
//	                └── result (told, to be tried again, unknown, given up)
//
// It decides nothing: whether, when and how often a notice is sent is
// incident's, whose truth is in the table. Sender tries each order once, and
// says what came of it.
//
// # Severity
//
// A notice is as severe as its worst item:
//
//	critical  a store is down: nothing of it can be seen
//	error     a host is missing, or a relay is dead while its store lives
//	warning   a host lives and says that it is unwell; flapping; conflict
//	info      every recovery
//
// # Attributes
//
// Attributes are for the filters of a subscriber: kind, severity, store, host,
// region (who tells it), incident, and tag.<name> for up to three tags of the
// stores. One that has many values has them all, in the items' order and each
// once, so that a filter on one store matches a digest too. A list that does
// not fit ends with the value "*": a filter that must miss nothing names "*"
// as well.
package notice
