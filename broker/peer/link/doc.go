// Package link decides how a question, a forward or news reaches the other
// region: by HTTPS, and while that fails by mail, which is items of the table.
//
//	Ask, Told ──► Call ──► Called, or after 5 s ──► Post ──► Answered by mail, or after 30 s ──► Unanswered
//	Forward, Tell ──► a lane: one batch at a time, by either way, until it is acknowledged
//	ReadMail (every 3 s, while a call of either side fails) ──► Received, Answered
//
// A letter is believed only if it is fresh, and no clock proves that: it names
// the recipient's lease as its writer last saw it, and the recipient knows when
// it wrote that lease. An answer is fresh if its question still waits.
//
// The package is pure: HTTPS and the table are commands, whose results come back
// as events.
package link
