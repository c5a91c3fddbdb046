// Package operator keeps what operators say of their fleet in the table, and
// hands it on as snapshots.
//
//	hbctl, page ─▶ dashboard ─▶ Desk ─▶ set#<b>#op (documents), set#head (what changed), audit#<day>
//	                             │ ▲
//	  presence, incident ◀─Fleet─┘ └── every 3 s: the heads; what they say that changed; all every hour
//
// Stores and pins are written through one region, so that of two changes none
// is lost. Silences, pauses, maintenance and acknowledgements have ids of their
// own and only begin and end: either region takes them, also while the other
// is dead. Each write is conditional on what was read, and has a line in the
// audit.
package operator
