// Package wire is the cables of the demo: sockets that somebody can pull.
//
//	broker, relay ── Listen, Dial ──► Power ──► Line ──► the network
//	                                  Cut: as by kill -9   Cut: a black hole
//
// A Power carries every socket of one life of one process. Cut resets them all
// and closes the ports, as the kernel does for a process that was killed. A
// Line is one path through the network. While it is cut nothing passes, no FIN
// and no RST either, and each end only learns that the other is silent.
//
// Both are net.Listener and net.Conn to those who use them, so that no part of
// the mesh knows of a switch.
package wire
