// Package powerdisk is a disk for tests whose power can be cut: what a process
// did not sync, dirty mapped pages included, is gone then. It needs FUSE.
package powerdisk
