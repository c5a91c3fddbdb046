// Package setting is what operators say of their fleet: which stores and hosts
// there are, when a store is open, which silences, pauses, maintenance windows
// and acknowledgements hold, and which region tells a store. It is pure: it
// parses, joins and answers; it neither stores nor tells.
//
//	stores.yaml ─ParseFile─▶ Declaration ─┐
//	silence, ack, pause, maintenance, pin ┴▶ Setting ─Encode─▶ table
//	                                                              │ Decode
//	presence, incident ◀── Fleet: an immutable snapshot ◀──Join───┘
//
// A Setting is one document of one (kind, id). Either region may have written
// it, and a deletion is a document that stays: of the documents of one (kind,
// id) the highest version counts, and Join gives the same Fleet for the same
// documents in any order.
package setting
