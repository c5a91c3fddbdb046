// Package broker is a regional node: it watches relays and direct hosts, asks
// the other region before it believes a loss, and tells people.
//
//	            ┌──────────────────────── core (one lock) ───────────────────────┐
//	gate ──────►│ presence.Step ──Decided──► incident.Step                       │
//	peer ◄─────►│      │ Save, Journal            │ Write, Publish, Ask, Forward │
//	            └──────┼─────────────────────────┼───────────────────────────────┘
//	                   ▼                         ▼
//	        saver, history ──► Table      claims ──► Table, notice.Sender ──► channels
//
// The core decides and does no I/O: what it wants done goes to bounded queues
// and workers, whose results come back as events.
package broker
