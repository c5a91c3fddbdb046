package record

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Entry is one transition in the history.
type Entry struct {
	At         time.Time      `json:"at"`
	Host       beat.HostID    `json:"host,omitempty"`
	State      beat.HostState `json:"state"`
	Reason     string         `json:"reason"`
	SilentMs   uint64         `json:"silentMs,omitempty"`
	IntervalMs uint32         `json:"intervalMs,omitempty"`
	Message    string         `json:"message,omitempty"`
	Until      beat.Number    `json:"until,omitempty"`

	// What its key says: of whose journal it is, and which regions took it.
	Incarnation string        `json:"-"`
	Number      beat.Number   `json:"-"`
	Regions     []beat.Region `json:"-"`
}

// History are the items of a batch of a relay's journal, and how many of its
// entries were set aside because they cannot be written: one of them must not
// hold back the others. They vanish keep after they happened.
func History(region beat.Region, j *presence.Journal, keep time.Duration) (items []table.Item, aside int) {
	items = make([]table.Item, 0, len(j.Entries))
	for i := range j.Entries {
		t, at := &j.Entries[i], j.Dated[i].UTC()
		it := table.Item{
			Key: table.HistoryKey(region, j.ID.Store, at, j.Incarnation, t.Number),
			Doc: document(Entry{
				At: at.Truncate(time.Millisecond), Host: t.Host, State: t.State, Reason: t.Reason.String(), SilentMs: t.SilentMs,
				IntervalMs: t.IntervalMs, Message: t.Message, Until: t.Until,
			}),
			Rev: int64(t.Number), Expires: at.Add(keep),
		}
		if it.Check() != nil {
			aside++
			continue
		}
		items = append(items, it)
	}
	return items, aside
}

// JoinHistory is what two regions' items say together, in whichever order: each
// (incarnation, number) once, as the region that sorts first dated it, the oldest
// first; and how many items it set aside.
func JoinHistory(items []table.Item) (all []Entry, aside int) {
	type name struct {
		incarnation string
		number      beat.Number
	}
	seen := make(map[name]int, len(items))
	for i := range items {
		e, why := readEntry(items[i])
		if why != "" {
			aside++
			continue
		}
		n := name{e.Incarnation, e.Number}
		if at, ok := seen[n]; ok {
			have := &all[at]
			both := append(have.Regions, e.Regions...)
			if e.Regions[0] < slices.Min(have.Regions) {
				*have = e
			}
			have.Regions = both
			continue
		}
		seen[n] = len(all)
		all = append(all, e)
	}
	slices.SortStableFunc(all, func(x, y Entry) int {
		return cmp.Or(x.At.Compare(y.At), cmp.Compare(x.Incarnation, y.Incarnation), cmp.Compare(x.Number, y.Number))
	})
	for i := range all {
		slices.Sort(all[i].Regions)
		all[i].Regions = slices.Compact(all[i].Regions)
	}
	return all, aside
}

func readEntry(it table.Item) (Entry, Reason) {
	parts := strings.Split(it.SK, "#")
	if len(parts) != 3 {
		return Entry{}, Misplaced
	}
	var e Entry
	if why := read(it.Doc, &e); why != "" {
		return Entry{}, why
	}
	number, err := strconv.ParseUint(parts[2], 10, 64)
	if err != nil {
		return Entry{}, Misplaced
	}
	e.Incarnation, e.Number, e.Regions = parts[1], beat.Number(number), []beat.Region{beat.Region(parts[0])}
	return e, ""
}
