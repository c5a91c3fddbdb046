// Package relay is the appliance in a store: it gathers the beats of the
// store's hosts, decides which of them live, and tells the regions.
//
//	                  ┌──────────────────────── core (one mutex) ───────────────────────┐
//	registers ──MQTT──► ingress ──► roster.Step ──► Changed ──► journal (fsync) ──► batch ├─► uplink us-east-1
//	          ──HTTP──►                   └────────► Picture ───────────────────────────►├─► uplink us-west-2
//	                  └───────────────▲──────────────────────────────────────────────────┘
//	                                  └── rebirth, picture, forget ◄── commands of regions
//
// The picture (what is true now) flows to the uplinks from memory and waits
// for no disk; the journal (what happened) is on disk before a beat that
// changed something is answered. A steady beat touches neither.
package relay
