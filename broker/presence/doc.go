// Package presence decides which stores, and which of their hosts, a region
// sees: from the sessions of relays, from the beats that reach the region
// directly, and from what the other region answers.
//
//	     gate ──► Report, Ended, Direct ─┐             ┌─► Decided ──► incident
//	the other ──► Asked, Answered, … ────┤► Step(now) ─┤─► Ask, Reply ──► peer
//	    table ──► Loaded ────────────────┘             ├─► Save ──► table
//	                                                   └─► Rebirth, Acked, Close ──► gate
//
// The package is pure: Step is a function of state, event and now. It has no
// clock, no lock, no I/O and no randomness, so that years of a fleet's faults
// can be simulated in seconds. One Step over many deadlines equals many Steps.
package presence
