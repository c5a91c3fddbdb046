// Package record is how what a region remembers is written in the table: the
// items of stores, incidents, notices, the history, the lease and the mail, and
// how they are read again.
//
// It is pure. A reader believes nothing: an item that cannot be read, that
// names another writer, subject or hour than its key, or that a newer version
// wrote, is set aside with a Reason, and never a panic.
package record
