// Package journaltest has a twin of the relay's journal in memory, whose disk
// can be lost, filled, copied and restored, and whose power can be cut; and the
// suite that the twin and the journal on Badger both pass.
package journaltest
