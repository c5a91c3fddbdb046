// Package lease decides which node of a region is the active one.
//
//	standby ── the holder stands still for 10 s, or released ──► taking ──► telling ──► active
//	                                                                                      │
//	      over ◄── a higher term: in the table, from the peer, from a standby's call ─────┤
//	      over ◄── released ◄── a clean stop ─────────────────────────────────────────────┘
//
// The lease is one item of the region's own replica. Its term is a counter that
// only a node that takes over raises; its counter moves with each renewal, and
// no clock of another machine is ever compared with. The lease fences claims
// and publishes, not sessions: a node whose renewals fail keeps its door and
// its answers, and may claim nothing past Until.
//
// The package is pure: the table is commands with an Op, whose results come
// back as events; a late result is ignored, and one that does not come is
// unknown.
package lease
