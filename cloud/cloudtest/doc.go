// Package cloudtest holds what tests of a table share: one conformance suite
// that every implementation passes (Run, RunReplicas), and two wrappers of a
// table.Table: Counter, which counts what would be paid, and Faulty, which
// refuses, delays and loses answers.
package cloudtest
