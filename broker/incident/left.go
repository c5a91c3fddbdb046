package incident

import (
	"maps"
	"slices"
)

// sent are the channels that took the notice, but those of local.
func (n *Notice) sent(local []Channel) []Channel {
	var sent []Channel
	for ch, m := range n.Marks {
		if m == Sent && !slices.Contains(local, ch) {
			sent = append(sent, ch)
		}
	}
	return sent
}

// sentOn says whether a notice told a channel of its item at a place.
func (n *Notice) sentOn(ch Channel, place int) bool {
	_, left := slices.BinarySearch(n.Left[ch], place)
	return n.Marks[ch] == Sent && !left
}

// leave notes which items a channel took the notice without.
func (n *Notice) leave(ch Channel, places []int) {
	n.Left = maps.Clone(n.Left)
	switch {
	case len(places) == 0:
		delete(n.Left, ch)
	case n.Left == nil:
		n.Left = map[Channel][]int{ch: places}
	default:
		n.Left[ch] = places
	}
}

// drop takes an item out of a notice.
func (n *Notice) drop(place int) {
	n.Items = slices.Delete(slices.Clone(n.Items), place, place+1)
	for ch, left := range n.Left {
		var still []int
		for _, at := range left {
			switch {
			case at < place:
				still = append(still, at)
			case at > place:
				still = append(still, at-1)
			}
		}
		n.leave(ch, still)
	}
}

// leftOut notes what a channel's mark does not cover.
func (o *outgoing) leftOut(ch Channel, told []*step) {
	has := make(map[*step]bool, len(told))
	for _, s := range told {
		has[s] = true
	}
	var places []int
	for i, s := range o.steps {
		if !has[s] {
			places = append(places, i)
		}
	}
	o.notice.leave(ch, places)
}

// drop takes a transition out of the notice.
func (o *outgoing) drop(s *step) {
	if i := slices.Index(o.steps, s); i >= 0 {
		o.steps = slices.Delete(o.steps, i, i+1)
		o.notice.drop(i)
		o.notice.Known = firstKnown(o.steps)
	}
	s.notice = nil
}
