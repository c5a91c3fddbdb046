package incident

import "cmp"

// kind is a transition's as it is told: the end of a fault is told by the kind by
// which people know the fault, whatever it became since.
func (s *step) kind() Kind {
	if s.change == Recovered {
		return s.inc.shown()
	}
	return s.inc.Kind
}

// shown is the kind by which people know it.
func (i *Incident) shown() Kind { return cmp.Or(i.ToldAs, i.Kind) }

// toldBy takes the kind by which a fault was told.
func (i *Incident) toldBy(kind Kind) {
	switch {
	case kind == i.Kind:
		i.ToldAs = ""
	case classOf(kind) == classOf(i.Kind):
		i.ToldAs = kind
	}
}

// as is the kind by which this region told a fault; "": it did not.
func (b *Book) as(f *step) Kind {
	if f.notice == nil && f.side == nil {
		return ""
	}
	return f.inc.shown()
}

// toldAs takes the kind by which a notice lists a recovery's fault, if it is of a
// later round than the one that stands. Of two regions' words of one round the
// first in order stands.
func (k *Known) toldAs(i *Item, round int) int {
	if i.K > round || i.K == round && i.Kind < k.As {
		round, k.As = i.K, i.Kind
	}
	return round
}
