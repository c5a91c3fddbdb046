// Package guard is the armour around the MQTT library (mochi) that both
// tiers' doors use, and the HTTP side of a beat. Nothing of mochi shows
// outside it.
//
//	accept loop ──► connection ──► frame check ──► mochi ──► Handler
//	(caps, deadline,               (whole, valid    (CONNACK,  Connect, Established,
//	 survives EMFILE)               frames only)     SUBACK…)  Publish, Subscribe, Ended
//	                                     ▲
//	                  Door.Send ─────────┘ (the only way to a client)
//
// What the armour promises, whatever a stranger sends: the process lives;
// memory is bounded by what was received, never by what was announced; a
// CONNECT is whole within a fixed time of the accept; no client ever receives
// another's message; each admitted client has exactly one end, and a late end
// of an old connection is told apart from the new one by Client.ID.
package guard
