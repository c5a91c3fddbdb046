// Package incident decides what people are told: what opens, gathers, is told
// by whom, and ends.
//
//	presence ──► Decided ─┐             ┌─► Write ──► table (the claim)
//	the other ──► Forwarded, Asked ─┤► Step(now) ─┤─► Publish ──► channels
//	table, channels ──► Wrote, Published ─┘       └─► Ask, Reply, Forward ──► peer
//
// It is level-triggered: an incident holds what is wanted (by verdicts) and
// what was told (by marks), and Step works towards making them equal. The
// package is pure, as presence is. The table and the channels are commands
// with an Op, whose results come back as events; a result may be unknown.
package incident
