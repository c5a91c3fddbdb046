// Package bench measures what hb-mesh promises, beside what people would use
// instead, and prints one line a row:
//
//	ingest    the generator ──► bare mochi | a whole broker | mosquitto, in turn
//	touch     the deadlines of a million hosts
//	notice    a register's socket ──► relay ──► two brokers ──► a channel
//	relay     a process with 60 hosts: memory, and what it writes to disk
//
// Peer and ours take the same bytes from the same generator over as many
// connections, in alternating runs of which the median counts. A row that
// falls short is said so; it is no error.
package bench
