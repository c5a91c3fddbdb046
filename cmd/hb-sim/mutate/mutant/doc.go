// Package mutant changes the decision code on purpose, one small thing at a
// time, and asks whether the simulation or a unit test notices.
//
//	testdata/*.txt (by hand) ──┐
//	go/ast (drawn by a seed) ──┴─► go build -overlay ─► few seeds ─► unit tests ─► all seeds ─► page
//
// A mutant is laid over the source for one build; nothing in the tree changes.
// Results are kept in a file, so that a run that was stopped goes on; without that
// file all are tried anew.
package mutant
