// Package beat is the vocabulary that every part of hb-mesh shares: who a
// store, host, relay and region are, what a beat says, and what a relay and a
// regional broker tell each other.
//
//	register ── Beat ──► relay ── Report (Picture, Journal) ──► broker
//	                           ◄── Ack, Command ───────────────
//
// The package is pure: it has no clock, no lock and no I/O, and it imports
// nothing else of hb-mesh. Everything that enters through one of its Parse or
// Decode functions is valid from there on; code that holds a StoreID or a
// Report never checks it again.
package beat
