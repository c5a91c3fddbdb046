// Package roster decides which of a store's hosts live: from their beats, from
// the ends of their connections, and from deadlines.
//
//	ingress ──► Beat, Gone, Bye, Closed ──► Step(now) ──► Changed ──► journal, uplinks
//
// The package is pure: Step is a function of state, event and now. A host
// belongs to the connection that carried its last beat; only that connection's
// end counts, and only after a moment without a new beat. A beat of a host
// that lives costs no heap and no timer work: deadlines are looked at when they
// were due, and moved on if a beat came meanwhile.
package roster
