// Package peer is the link to the other region: what one asks and tells the
// other, over HTTP or HTTPS.
//
//	core ──► Client ── POST /v1/peer/ask      ──► Server ──► Core.Asked      (answered)
//	                   POST /v1/peer/told     ──►        ──► Core.Told       (answered)
//	                   POST /v1/peer/heard    ──►        ──► Core.Heard      (once)
//	                   POST /v1/peer/forward  ──►        ──► Core.Forwarded  (until acknowledged)
//
// Bodies are JSON. Both directions are authenticated by a secret that both
// regions' configurations hold: whoever could answer in the other's name could
// say "open" of every store, and nobody would be told of anything.
//
//   - A request's signature covers its path, who sends it to whom, its time, a
//     nonce and the digest of its body. The header alone is checked first, so
//     that no stranger's body is read.
//   - The time may be off by Window, and a nonce counts once in it: what was
//     recorded on the way cannot be played again.
//   - An answer's signature covers the request's nonce, the status and the body.
//
// To the core, no answer is no answer. Logs and metrics tell ErrUnanswered (a
// link that is cut, a region that is dead) from ErrRefused (a region that
// lives, and whose configuration or clock is wrong).
package peer
