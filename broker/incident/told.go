package incident

import (
	"slices"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// ToldQuestion asks the other region what became of transitions that it was to
// tell (I3).
type ToldQuestion struct {
	From  beat.Region `json:"from"`
	Node  string      `json:"node"`
	Term  int64       `json:"term"`
	Items []ToldItem  `json:"items"`
}

// ToldItem names one transition, and its subject: the other region may know the
// subject's incident by another id.
type ToldItem struct {
	Incident ID           `json:"incident"`
	K        int          `json:"k"`
	Kind     Kind         `json:"kind"`
	Change   Change       `json:"change"`
	Store    beat.StoreID `json:"store,omitempty"`
	Host     beat.HostID  `json:"host,omitempty"`
	Region   beat.Region  `json:"region,omitempty"`
	// Since is the last proof of life before the fault.
	Since time.Time `json:"since"`
	// Held: who asks takes the one that is asked for its teller.
	Held bool `json:"held,omitempty"`
	// Over: the fault is over where it is asked about, so that nobody tells it
	// any more who did not yet.
	Over bool `json:"over,omitempty"`
	// Sending: who asks has a notice of it, and is about to try it again.
	Sending bool `json:"sending,omitempty"`
	// ByRelay: both regions have the incident's id from the store's relay, so
	// that another id is another fault.
	ByRelay bool `json:"byRelay,omitempty"`
}

// ToldBy says whether a transition that a notice lists is this one: by its id,
// or, where each region may have computed an id by itself, by its subject and
// time.
func (t *ToldItem) ToldBy(n *Notice, i *Item) bool {
	if i.Change != t.Change {
		return false
	}
	if i.Incident == t.Incident && i.K == t.K {
		return true
	}
	return !t.ByRelay && i.Store == t.Store && i.Host == t.Host && i.Region == t.Region && classOf(i.Kind) == classOf(t.Kind) && n.At.After(t.Since)
}

// ToldAnswer answers a ToldQuestion, in its order.
type ToldAnswer struct {
	Node  string    `json:"node"`
	Term  int64     `json:"term"`
	Words []Telling `json:"words"`
	// Known is what the region knows of the channels, for each item; absent in
	// the answer of a region of an older version.
	Known []Known `json:"known,omitempty"`
}

// Known is where a transition was told, and, of a recovery, where its fault was.
type Known struct {
	On    []Channel `json:"on,omitempty"`
	Fault []Channel `json:"fault,omitempty"`
	// As is the kind by which a recovery's fault was told, where it is known;
	// absent in the answer of a region of an older version.
	As Kind `json:"as,omitempty"`
	// Incident and K name the transition, where it is known; absent in the answer
	// of a region of an older version.
	Incident ID  `json:"incident,omitempty"`
	K        int `json:"k,omitempty"`
}

// KnownBy is what notices of either region say of transitions. Channels of
// local reach nobody.
func KnownBy(items []ToldItem, notices []Notice, local []Channel) []Known {
	out, last := make([]Known, len(items)), make([]int, len(items))
	over := endsOf(notices)
	for i := range notices {
		n := &notices[i]
		sent := n.sent(local)
		if len(sent) == 0 {
			continue
		}
		told := func(at int) []Channel {
			return slices.DeleteFunc(slices.Clone(sent), func(ch Channel) bool { return !n.sentOn(ch, at) })
		}
		for k := range items {
			t := &items[k]
			named := func(it Item) bool {
				return t.ToldBy(n, &it) && (it.Incident == t.Incident || it.Change != Opened || it.K > over[it.Incident])
			}
			if at := slices.IndexFunc(n.Items, named); at >= 0 {
				if on := told(at); len(on) > 0 {
					out[k].hears(t, &n.Items[at], on)
				}
			}
			if t.Change != Recovered {
				continue
			}
			if at := slices.IndexFunc(n.Items, t.faultOf); at >= 0 {
				if on := told(at); len(on) > 0 {
					out[k].Fault = union(out[k].Fault, on)
					last[k] = out[k].toldAs(&n.Items[at], last[k])
				}
			}
		}
	}
	return out
}

// hears takes where a notice that lists a transition was sent. An end that is told
// by its own name was told nowhere by another one: that is the subject's next.
func (k *Known) hears(t *ToldItem, i *Item, sent []Channel) {
	own, before := i.Incident == t.Incident, k.Incident == t.Incident
	switch {
	case t.Change == Recovered && before && !own:
		return
	case t.Change == Recovered && own && !before:
		k.On = nil
	}
	k.On = union(k.On, sent)
	// Of many names its own counts, then the greatest: in any order of the notices.
	if own && !before || own == before && (i.Incident > k.Incident || i.Incident == k.Incident && i.K > k.K) {
		k.Incident, k.K = i.Incident, i.K
	}
}

// endsOf is the last end that notices list of each incident: an earlier fault of
// it is over, and none that is open by another name.
func endsOf(notices []Notice) map[ID]int {
	ends := make(map[ID]int)
	for i := range notices {
		for k := range notices[i].Items {
			if it := &notices[i].Items[k]; it.Change == Recovered {
				ends[it.Incident] = max(ends[it.Incident], it.K)
			}
		}
	}
	return ends
}

// faultOf says whether an item that a notice lists is the fault of a recovery.
func (t *ToldItem) faultOf(i Item) bool {
	return i.Change == Opened && i.Incident == t.Incident && i.K < t.K
}

// union is a sorted list of both.
func union(a, b []Channel) []Channel {
	all := append(slices.Clone(a), b...)
	slices.Sort(all)
	return slices.Compact(all)
}

// without is what is in a and not in b.
func without(a, b []Channel) []Channel {
	return slices.DeleteFunc(slices.Clone(a), func(ch Channel) bool { return slices.Contains(b, ch) })
}

// Telling is the word of the region that was asked about one transition.
type Telling string

// The words.
const (
	// TellingSent: it was told here.
	TellingSent Telling = "sent"
	// TellingMine: it will be told here (also gathering).
	TellingMine Telling = "mine"
	// TellingYours: tell it yourself.
	TellingYours Telling = "yours"
	// TellingOver: here the incident has ended untold, or never was.
	TellingOver Telling = "over"
)

// leaves says whether the other region, which told an end, does not know of a
// channel that got the fault from here: it tells that one nothing.
func (b *Book) leaves(s *step, k *Known) bool {
	return s.change == Recovered && s.notice == nil && slices.ContainsFunc(s.inc.fault.on, func(ch Channel) bool {
		return b.opt.Reaches(ch) && !slices.Contains(k.Fault, ch) && !slices.Contains(k.On, ch)
	})
}

// spares says whether the notice of an end went without a channel: the fault was
// told there by the other region, which tells its end.
func (s *step) spares(ch Channel) bool {
	o := s.carrier()
	return o != nil && o.notice.Marks[ch] != Unsent && !slices.Contains(s.on, ch)
}

// learn takes where the other region, or a mark, says that a transition was
// told, and by what name, if that region tells it. The end of another name is
// none of a fault that was told from here.
func (b *Book) learn(s *step, k *Known, theirs bool) {
	if theirs {
		b.adopt(s, k.Incident, k.K)
	}
	if s.change == Recovered && k.Incident != "" && k.Incident != s.inc.ID || b.another(s, k) {
		return
	}
	s.on = union(s.on, k.On)
	if s.change == Recovered {
		s.inc.fault.on = union(s.inc.fault.on, k.Fault)
		if k.As != "" && b.as(s.inc.fault) == "" {
			s.inc.toldBy(k.As)
		}
	}
}

// heard is where a transition was told, as far as is known: who heard of an end
// heard of its fault, and gets that no more.
func (s *step) heard() []Channel {
	if r := s.inc.recovery; r != nil && s == s.inc.fault && len(r.on) > 0 {
		return union(s.on, r.on)
	}
	return s.on
}

// everywhere says whether every channel that reaches somebody has it.
func (b *Book) everywhere(s *step) bool {
	for _, ch := range b.opt.Channels {
		if b.opt.Reaches(ch) && !slices.Contains(s.on, ch) && (s.change == Opened || s.inc.fault.hasTold(ch)) {
			return false
		}
	}
	return true
}
