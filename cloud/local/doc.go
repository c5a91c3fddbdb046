// Package local is the embedded table: it needs no AWS. One Store holds the
// replicas of all regions in one Badger database, in one process, and carries
// what one region wrote to the others item by item, late, as a Global Table
// does: last writer wins per key.
//
//	Write, Put, Delete ──► commit (one goroutine; group, fsync) ──► ack
//	                          │ item of the region + entry of the queue, one transaction
//	                          ▼
//	                       carry (a goroutine per direction; waits for the item's Passage)
//	                          │ item of the other region − entry of the queue, one transaction
//	                          ▼
//	                       Query there
//
// What was acked is on disk, and is carried over after a restart too. How late
// an item arrives, or that it is held, is set per item and direction, also while
// the store runs: see SetPassage.
package local
