// Package broker is a regional node: it watches relays and direct hosts, asks
// the other region before it believes a loss, and tells people.
//
//	            ┌───────────── core (one lock, one clock) ─────────────┐
//	gate ──────►│ node.Step: lease, link, presence, incident           │
//	peer ◄─────►│   │ commands, whose results come back as events      │
//	            └───┼──────────────────────────────────────────────────┘
//	                ▼
//	 saver, history, claims, lease, letters ──► Table      notice.Sender ──► channels
//
// Package node decides and does no I/O: what it wants done goes to bounded
// queues and workers (effects), whose results come back as events. Of a
// region's nodes one is active; another one is a standby, whose MQTT door is
// shut, and which takes over when the active one's lease stands still.
package broker
