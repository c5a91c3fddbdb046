// Package arrows holds no code, only the test of which package may know which:
//
//	beat ← roster ← relay          guard ← ingress, gate
//	beat ← presence ← incident ← broker ← cloud/*
//	all of it ← cmd
package arrows
