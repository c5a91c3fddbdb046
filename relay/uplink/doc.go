// Package uplink carries a relay's reports to its regions, over one connection
// each.
//
//	relay ── Changed ──► Group ─┬─► link to home  ── birth, report, bye ──► region
//	                            │      ◄── ack, rebirth, picture, forget ──
//	                            └─► link to the other region
//	journal ── Batch ──► courier (one batch in flight over all links) ── Free ◄── ack
//
// A link is a new MQTT client for each attempt, with its own epoch and a
// Last-Will that names it. A report that is not acknowledged in time ends its
// connection. The picture says what is true now and may be lost: the next whole
// one repairs everything. The journal only tells the past, and is freed by a
// region's ack alone.
package uplink
