// Package peer is the link to the other region: what one asks and tells the
// other, over HTTP or HTTPS.
//
//	core ──► Client ── POST /v1/peer/ask, told          ──► Server ──► Core.Received (answered)
//	                   POST /v1/peer/heard, forward     ──►        ──► Core.Received (acknowledged)
//	                   POST /v1/peer/explain            ──►        ──► Core.Explain
//	standby ─────────► POST /v1/peer/drain (own region) ──►        ──► Core.Superseded
//
// Below it, package wire is how that is written, and package link decides what
// is sent when, and what goes by mail instead.
//
// Bodies are JSON. Both directions are authenticated by a secret that both
// regions' configurations hold: whoever could answer in the other's name could
// say "open" of every store, and nobody would be told of anything.
//
//   - A request's signature covers its path, who sends it to whom, its time, a
//     nonce and the digest of its body. The header alone is checked first, so
//     that no stranger's body is read.
//   - The time may be off by Window, and a nonce counts once in it: what was
//     recorded on the way cannot be played again. Nonces are in memory: what was
//     made before a process started is refused by it. So where the other region's
//     clock is behind, its calls are refused for as long after a start.
//   - An answer's signature covers the request's nonce, the status and the body.
//
// To the core, no answer is no answer. Logs and metrics tell ErrUnanswered (a
// link that is cut, a region that is dead) from ErrRefused (a region that
// lives, and whose configuration or clock is wrong).
package peer
