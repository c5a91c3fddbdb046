// Package wan decides how a relay speaks to its regions: when a report is due
// and what it holds, which region gets the journal, what an order or an ack
// changes, when an incarnation is over, and how long to wait before a connection.
//
//	roster, journal ──► Session (one connection) ──► report ──► region
//	                       Courier (all of them)  ◄── ack, order
//
// The package is pure: instants are monotonic and passed in, as are pictures
// and random numbers. Package uplink is its shell, with sockets and clocks; the
// simulation drives the same code.
package wan
