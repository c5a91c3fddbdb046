// Package fleet is many stores at once: light relays, each with hosts that it
// makes up, that speak the real envelopes to the doors of all regions. They
// have no LAN, no disk and no journal; all else a region cannot tell from a relay:
// CONNECT with its will, births, reports, witnesses, acks, rebirths, goodbyes.
//
//	store ─┬─ session to us-east-1 ──► Dial: a socket, or a pipe into the same door
//	       └─ session to us-west-2 ──► …
//
// A store is killed as by a power cut with a kernel that still resets its
// connections, and comes back with a new boot and a higher epoch.
package fleet
