package journal

import (
	"sort"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// entryOverhead is what an entry takes besides its value: its key, and Badger's
// own bytes.
const entryOverhead = 24

// item is an entry that is not yet freed, as the index knows it.
type item struct {
	number beat.Number
	until  beat.Number // of a shed range; else 0
	size   int32       // of its encoding
}

func itemOf(t beat.Transition, size int) item {
	return item{number: t.Number, until: t.Until, size: int32(size)}
}

// end is the last number that the item stands for.
func (i item) end() beat.Number { return max(i.number, i.until) }

func (i item) cost() int64 { return int64(i.size) + entryOverhead }

// index is the entries that are on disk and not yet freed, oldest first: 24
// bytes each, so that no read has to pass over what was deleted.
type index struct {
	items []item
	head  int // items before it are gone
	bytes int64
}

func (x *index) len() int { return len(x.items) - x.head }

func (x *index) live() []item { return x.items[x.head:] }

// top is the highest number that the index knows; 0 if it is empty.
func (x *index) top() beat.Number {
	if x.len() == 0 {
		return 0
	}
	return x.items[len(x.items)-1].end()
}

func (x *index) push(i item) {
	x.items = append(x.items, i)
	x.bytes += i.cost()
}

// drop removes the k oldest.
func (x *index) drop(k int) {
	for _, i := range x.items[x.head : x.head+k] {
		x.bytes -= i.cost()
	}
	x.head += k
	if x.head > len(x.items)/2 {
		// One free place stays in front, for a shed range.
		x.items = append([]item{{}}, x.items[x.head:]...)
		x.head = 1
	}
}

// unshift puts an item before the oldest.
func (x *index) unshift(i item) {
	if x.head == 0 {
		x.items = append([]item{{}}, x.items...)
	} else {
		x.head--
	}
	x.items[x.head] = i
	x.bytes += i.cost()
}

// above is the items whose numbers exceed n.
func (x *index) above(n beat.Number) []item {
	live := x.live()
	return live[sort.Search(len(live), func(i int) bool { return live[i].number > n }):]
}
