// Package schedule says what is done to a simulated mesh: which stores there
// are, and which fault strikes when. A seed makes one; so does a text.
package schedule
