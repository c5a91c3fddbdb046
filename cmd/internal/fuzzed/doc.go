// Package fuzzed holds a test alone: what decodes bytes of others is fuzzed, and
// `make fuzz` runs every fuzz test that there is.
package fuzzed
