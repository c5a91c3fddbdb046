package truth

import "time"

const (
	// soleAfter is when a region knows that a store is open in the other one alone:
	// silence (30 s), grace, a question and another one (10 s), and room. Until then
	// it may call the store down when the other region dies.
	soleAfter = 75 * time.Second
	// openBefore is how long before a region's last sign of life a store may have
	// been open in the other one, which decides about it alone then (P3a): 2
	// minutes; and the silence that passes until a session is over.
	openBefore = 2*time.Minute + 45*time.Second
)

// covers says whether a notice is about a subject, or about what it is part of, or
// hides an outage that must be told within a time.
// A dead relay is not what its store's hosts that beat directly are judged by
// (P5).
func (t *Truth) covers(x *Told, s, h int, in span) bool {
	switch {
	case x.Store < 0:
		return t.hides(x, s, h, in)
	case x.Store != s:
		return false
	case x.Kind == "relay-dead" && h >= 0 && t.stores[s].hosts[h].direct:
		return x.Host == h
	default:
		return x.Host == h || x.Host < 0
	}
}

// hides says whether the death of a region, or that it sees too few stores, hides
// an outage: the other one could not see the store, or was not there.
func (t *Truth) hides(x *Told, s, h int, in span) bool {
	g := t.about(x)
	if x.Kind != "region-down" && x.About < 0 {
		g = x.Region
	}
	st, other := &t.stores[s], 1-g
	switch {
	case t.region[other].held(in.from, in.until, 0):
		return true
	case h >= 0 && st.hosts[h].direct && st.hosts[h].to == g:
		return true
	case st.path[other].held(in.from-openBefore, in.until, 0):
		return true
	default: // both are blind
		return x.Kind == "region-blind" && t.suspect(other, in.from, in.until)
	}
}
