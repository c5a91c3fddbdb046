// Command mutate breaks the decision code on purpose, and asks whether the
// simulation notices. How is said by package mutant.
package main
