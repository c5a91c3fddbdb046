// Package gate is a region's two doors: MQTT for relays and HTTP for beats
// without a relay, for status, metrics, and what the broker mounts beside them.
// It authenticates, limits and decodes; what it hands to the Core is valid.
//
//	relay ── CONNECT (store/relay, password, will) ─► Login, Admit ─┐
//	      ── PUBLISH …/report ─► own topic, own names, own epoch ───┼─► Core
//	till ─── POST /v1/heartbeat, /ping/{host} ─► Grant ─────────────┘
//
// Who may do what at the MQTT door (nothing else is allowed):
//
//   - The user name is store/relay, the client id is the same. So nobody takes
//     over another's session; a newer connection of the same relay ends the
//     older one, after it has authenticated.
//   - A will goes to the relay's own death topic, with QoS 1, not retained, and
//     names the session: incarnation, boot and epoch. A relay without a will
//     may connect; its birth names the session then. Either way a connection
//     has one (incarnation, boot, epoch), and a report of another ends it.
//   - It publishes on its own report topic and subscribes below its own down/.
//   - Who sends no birth within BirthWithin is disconnected.
//
// Retained messages and queued sessions are no evidence of anything: the first
// are acked and dropped, the second do not exist (every session is clean).
package gate
