// Command mutate breaks the decision code on purpose, and asks whether the
// simulation notices.
//
//	testdata/*.txt (by hand) ──┐
//	go/ast (drawn by a seed) ──┴─► go build -overlay ─► play seeds ─► unit tests ─► table
//
// A mutant is laid over the source for one build; nothing in the tree changes.
// Results are kept in a file, so that a run that was stopped goes on.
package main
