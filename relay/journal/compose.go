package journal

import (
	"github.com/dgraph-io/badger/v4"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// shedPart is the part of the bounds that is shed at once when they are
// reached: the shed range is not rewritten for each entry.
const shedPart = 64

// minKept is how many of the newest entries a short disk leaves.
const minKept = 64

// change is one transaction, and what it makes of the index.
type change struct {
	state   state
	shed    int              // the oldest entries that go
	shedSum uint64           // how many transitions that are
	front   *beat.Transition // the shed range that takes their place
	items   []item           // the new ones, in order
	sets    []keyValue
	deletes [][]byte
}

type keyValue struct{ key, value []byte }

// compose plans how entries reach the disk. The caller holds writing.
func (j *Journal) compose(entries []Entry, room room) *change {
	j.mu.Lock()
	defer j.mu.Unlock()
	c := &change{state: j.state}
	if j.gap.count > 0 {
		t := j.gap.last
		c.add(beat.Transition{
			Number: j.gap.from, Until: t.Number, Reason: beat.Shed, Boot: t.Boot, MonoMs: t.MonoMs, WallMs: t.WallMs,
		})
		for _, e := range j.gap.hosts {
			c.host(e)
		}
		c.state.Lost += j.gap.count
	}
	for _, e := range entries {
		if e.Transition.Number != 0 {
			c.add(e.Transition)
		}
		c.host(e)
	}
	j.planShed(c, room)
	if c.state != j.state {
		c.set(stateKey, encode(c.state))
	}
	return c
}

func (c *change) set(key, value []byte) { c.sets = append(c.sets, keyValue{key, value}) }

func (c *change) add(t beat.Transition) {
	raw := encode(t)
	c.items = append(c.items, itemOf(t, len(raw)))
	c.set(entryKey(t.Number), raw)
}

func (c *change) host(e Entry) {
	if e.Lan != nil {
		c.set(lanKey, encode(e.Lan))
		return
	}
	if e.Forget {
		c.deletes = append(c.deletes, hostKey(e.Transition.Host))
		return
	}
	if r := e.Record; r.Host != "" {
		c.set(hostKey(r.Host), encode(r))
	}
}

// planShed picks the oldest entries that must go to make room for what is
// added. The caller holds mu.
func (j *Journal) planShed(c *change, room room) {
	o, live := j.options, j.index.live()
	entries, bytes := len(live)+len(c.items), j.index.bytes
	for _, i := range c.items {
		bytes += i.cost()
	}
	maxEntries, maxBytes := o.MaxEntries, o.MaxBytes
	if entries > maxEntries || bytes > maxBytes {
		maxEntries -= maxEntries / shedPart
		maxBytes -= maxBytes / shedPart
	}
	if room == tight {
		maxEntries = min(maxEntries, max(minKept, len(live)))
	}
	k := 0 // how many go
	var sum uint64
	for k < len(live) && (entries > maxEntries || bytes > maxBytes) {
		if k > 0 { // the first one's place goes to the range
			entries--
			bytes -= live[k].cost()
		}
		if live[k].until == 0 {
			sum++
		}
		k++
	}
	if sum == 0 {
		return
	}
	j.shed(c, k, sum)
}

// shed replaces the k oldest entries by one range. The caller holds mu.
func (j *Journal) shed(c *change, k int, sum uint64) {
	gone := j.index.live()[:k]
	c.shed, c.shedSum = k, sum
	for _, i := range gone {
		c.deletes = append(c.deletes, entryKey(i.number))
	}
	c.front = &beat.Transition{Number: gone[0].number, Until: gone[k-1].end(), Reason: beat.Shed}
	c.state.Lost += sum
}

// apply writes the change into a transaction.
func (c *change) apply(txn *badger.Txn) error {
	if c.front != nil {
		// The newest of what goes dates the range.
		last := c.deletes[len(c.deletes)-1]
		item, err := txn.Get(last)
		if err != nil {
			return err
		}
		err = item.Value(func(v []byte) error {
			t, err := decodeTransition(v)
			c.front.Boot, c.front.MonoMs, c.front.WallMs = t.Boot, t.MonoMs, t.WallMs
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, key := range c.deletes {
		if err := txn.Delete(key); err != nil {
			return err
		}
	}
	if c.front != nil { // its key is among those that were deleted
		if err := txn.Set(entryKey(c.front.Number), encode(*c.front)); err != nil {
			return err
		}
	}
	for _, kv := range c.sets {
		if err := txn.Set(kv.key, kv.value); err != nil {
			return err
		}
	}
	return nil
}

// accept takes a committed change over into memory.
func (j *Journal) accept(c *change) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if c.front != nil {
		if j.index.live()[0].until == 0 {
			j.log.Warn("the journal is full: it sheds its oldest entries", "shed", c.shedSum, "until", c.front.Until)
		}
		j.index.drop(c.shed)
		j.index.unshift(itemOf(*c.front, len(encode(*c.front))))
		j.metrics.shed.Add(float64(c.shedSum))
	}
	for _, i := range c.items {
		j.index.push(i)
	}
	if j.refusing {
		j.refusing = false
		j.log.Info("the journal takes transitions again", "lost", j.gap.count)
	}
	j.gap = gap{}
	j.state = c.state
	j.metrics.appended.Add(float64(len(c.items)))
	j.measure()
}
