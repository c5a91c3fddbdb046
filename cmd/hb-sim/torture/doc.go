// Package torture runs a whole mesh in virtual time and breaks it: two regions
// of two nodes each, relays, tills, one table as two replicas, channels and
// operators. One seed decides everything.
//
//	schedule ── faults ──► world ── what really happened ──► truth ── judges ──► violations
//	                         │
//	   tills ─► roster ─► wan ═══ links ═══ node ─► table, channels, the other region
//
// The decisions are those of the shipped packages: roster and wan of the
// relay, node (lease, link, presence, incident) and record of the broker, and
// the codecs between them. Only sockets, disks, the table and the channels are
// twins. There is one virtual clock, one queue of events in the order of (time,
// number), one source of chance, and one goroutine for each seed.
package torture
