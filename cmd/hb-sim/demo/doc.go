// Package demo is a whole mesh in one process, on real sockets: two regions,
// one store's relay, eight registers, and switches to break it with.
//
//	pos1 … pos6 ──MQTT──┐           ┌─ Line wan/us-east-1 ─► region us-east-1 ─┐
//	pos7, pos8 ──HTTP───┴─► relay ──┤                              │ peer      ├─► table (local, or --aws)
//	                                └─ Line wan/us-west-2 ─► region us-west-2 ─┘
//	   └────────── each a process with a Power of its own ────────┘
//	                              ▲
//	hbctl demo, the dashboard's panel ──► control ──► switchboard
//
// With Options.Stores there are light stores too, see package fleet; the first
// are on sockets, the rest enter the regions' doors through pipes.
//
// Every part is a process (see process): it has sockets, a folder or a table,
// and a life that ends as by kill -9 when it is unplugged. The parts know
// nothing of that: their listeners and dialers come from package wire, their
// table from tap. The two regions share nothing but sockets and the client of
// the table.
package demo
