// Package node is all that one broker process decides: it owns the lease, the
// presence of the stores, the book of incidents and the link to the other
// region, and steps them in one fixed order.
//
//	gate, table, channels, the other region
//	    │ events                                    outs: commands and news
//	    ▼                                                  ▲
//	  lease ── active, until, over ──┐                     │
//	  link ◄── asks, forwards ──┐    │                     │
//	    └─ answers ──► presence ┴─ verdicts, peer ──► incident
//
// What the packages say to each other stays inside; what comes out is I/O for
// the shell to do, whose results come back as events, and news for people. The
// package is pure: the shell (package broker) and the seeded simulation drive
// the same Node.
//
// A Node has one life: standby, loading, ready, over. Who is over is started
// anew, as a standby.
package node
