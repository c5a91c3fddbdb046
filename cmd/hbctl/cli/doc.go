// Package cli is hbctl: one command line is one request to a region's API, and
// one answer for a person (an aligned table) or a program (--json: exactly one
// array or object on stdout). Errors go to stderr and say what to do next.
//
//	args ──► grammar (kong) ──► command ──► client ──► GET, POST, DELETE ──► a region
//	                               │           └─ the next address, where one does not answer
//	                               └──► printer ──► table, or JSON
//
// The exit status is one of the Exit constants.
package cli
