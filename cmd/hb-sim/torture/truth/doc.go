// Package truth knows what was really down in a simulated mesh, and when, and
// judges what people were told. It knows nothing of how the mesh decides: it
// imports no package of relay or broker.
//
//	facts (who lives, what is cut, which fault struck) ──► Truth ──► Judge ──► Violation
//	what each channel got ───────────────────────────────►
//
// Where a judge cannot know, it is silent; a counter for each property says in
// how many schedules it had something to judge.
package truth
