// Package journal keeps on disk what a relay must not lose when its power
// goes: its incarnation, the blocks of epochs and numbers that it reserved,
// each host's state, and the transitions that no region has taken yet.
//
//	roster ── Entry ──► Append (fsync) ──► Batch ──► uplink ──► region
//	                          ▲                         │
//	                          └──────── Free ◄── ack ───┘
//
// The store is Badger, tuned small. A commit is on disk before the call that
// asked for it returns, and callers that come together share one. A steady
// relay writes nothing. The journal is bounded: beyond its bounds, and below
// its floor of free disk, the oldest entries are shed, and the range that was
// shed is an entry itself. A folder that is torn or corrupt is moved aside and
// a new one begun, with a new incarnation: see Recovered.
package journal
