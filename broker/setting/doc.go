// Package setting is what operators say of their fleet: which stores and hosts
// there are, when a store is open, which silences, pauses, maintenance windows
// and acknowledgements hold, and which region tells a store. It is pure: it
// parses, joins and answers; it neither stores nor tells.
//
//	hbctl stores apply, silence, ack, pause, pin ─▶ table: set#… ─▶ Join ─▶ Fleet
//	                                                                         │
//	                                    presence, incident ◀─ an immutable snapshot
package setting
