package journaltest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/journal"
	"github.com/hb-mesh/hb-mesh/relay/roster"
)

const (
	// The blocks of package journal.
	epochBlock  = 64
	numberBlock = 1024
	// maxCounter is package journal's.
	maxCounter = 1 << 62
	// entryBytes is about what an entry takes.
	entryBytes = 100
)

// Twin is a relay's journal on a disk of its own. Its process is killed, its disk
// filled, lost and restored by the methods that package journal lacks. It is for
// one goroutine, and takes its random bits from a func, so that a simulation
// replays.
type Twin struct {
	random func() beat.Incarnation
	max    int

	disk disk
	full bool
	// What the running process knows besides.
	epoch    beat.Epoch
	number   beat.Number
	lastPut  beat.Number
	unsynced []journal.Entry
	gap      gap
}

// disk is what is durable.
type disk struct {
	incarnation beat.Incarnation
	acked       bool
	epochTop    beat.Epoch
	numberTop   beat.Number
	lost        uint64
	hosts       []roster.Record
	lan         *roster.LanRecord
	entries     []beat.Transition
}

// gap is what a full disk refused: it becomes a shed range before the next entry.
type gap struct {
	from    beat.Number
	last    beat.Transition
	count   uint64
	records []journal.Entry
}

// Snapshot is a copy of a disk.
type Snapshot struct{ disk disk }

// NewTwin makes a twin with an empty disk, and a running process. Beyond
// maxEntries it sheds its oldest.
func NewTwin(random func() beat.Incarnation, maxEntries int) *Twin {
	t := &Twin{random: random, max: maxEntries}
	t.Lose()
	return t
}

// Lose puts in a new disk.
func (t *Twin) Lose() {
	t.disk, t.full = disk{incarnation: t.random()}, false
	t.Kill()
}

// Kill ends the process and starts another: what was not synced is gone.
func (t *Twin) Kill() {
	t.epoch, t.number, t.unsynced, t.gap = t.disk.epochTop, t.disk.numberTop, nil, gap{}
	t.lastPut = 0
	for i := range t.disk.hosts {
		t.lastPut = max(t.lastPut, t.disk.hosts[i].Number)
	}
	if t.disk.lan != nil {
		t.lastPut = max(t.lastPut, t.disk.lan.Number)
	}
	if n := len(t.disk.entries); n > 0 {
		t.lastPut = max(t.lastPut, end(t.disk.entries[n-1]))
	}
}

// Fill says whether the disk takes anything.
func (t *Twin) Fill(full bool) { t.full = full }

// Copy is a backup of what is durable.
func (t *Twin) Copy() Snapshot { return Snapshot{t.disk.clone()} }

// Restore kills the process, and starts it on a backup.
func (t *Twin) Restore(s Snapshot) {
	t.disk, t.full = s.disk.clone(), false
	t.Kill()
}

func (d disk) clone() disk {
	d.hosts, d.entries = slices.Clone(d.hosts), slices.Clone(d.entries)
	return d
}

func end(e beat.Transition) beat.Number { return max(e.Number, e.Until) }

// Incarnation is as package journal has it, like all that follows.
func (t *Twin) Incarnation() beat.Incarnation { return t.disk.incarnation }

// Acked says whether a region ever acked this incarnation.
func (t *Twin) Acked() bool { return t.disk.acked }

// NoteAcked keeps that a region acked this incarnation.
func (t *Twin) NoteAcked() error { return t.update(func() { t.disk.acked = true }) }

// Renew makes a new incarnation; all else stays.
func (t *Twin) Renew() (beat.Incarnation, error) {
	err := t.update(func() { t.disk.incarnation, t.disk.acked = t.random(), false })
	return t.disk.incarnation, err
}

func (t *Twin) update(change func()) error {
	if t.full {
		return journal.ErrNoSpace
	}
	change()
	return nil
}

// NextEpoch returns an epoch never returned before, above the given one.
func (t *Twin) NextEpoch(above beat.Epoch) (beat.Epoch, error) {
	if above >= maxCounter {
		return 0, journal.ErrRange
	}
	next := max(t.epoch, above) + 1
	if next > t.disk.epochTop {
		if err := t.update(func() { t.disk.epochTop = next + epochBlock - 1 }); err != nil {
			return 0, err
		}
	}
	t.epoch = next
	return next, nil
}

// EpochTop is the highest epoch that is reserved.
func (t *Twin) EpochTop() beat.Epoch { return t.disk.epochTop }

// ReserveNumbers reserves 1,024 numbers, above the given one.
func (t *Twin) ReserveNumbers(above beat.Number) (from, to beat.Number, err error) {
	if above >= maxCounter {
		return 0, 0, journal.ErrRange
	}
	from = max(t.number, above) + 1
	to = from + numberBlock - 1
	if to > t.disk.numberTop {
		if err := t.update(func() { t.disk.numberTop = to }); err != nil {
			return 0, 0, err
		}
	}
	t.number = to
	return from, to, nil
}

// Put takes entries in the order of their numbers; Sync makes them durable.
func (t *Twin) Put(entries []journal.Entry) error {
	last := t.lastPut
	for i := range entries {
		n := entries[i].Transition.Number
		if n != 0 && n <= last {
			return fmt.Errorf("number %d after %d: %w", n, last, journal.ErrOrder)
		}
		last = max(last, n)
	}
	t.lastPut, t.unsynced = last, append(t.unsynced, entries...)
	return nil
}

// Sync makes durable what was put. On a full disk the entries are lost, and
// counted.
func (t *Twin) Sync() error {
	entries := t.unsynced
	t.unsynced = nil
	if t.full {
		for i := range entries {
			t.gap.add(&entries[i])
		}
		return journal.ErrNoSpace
	}
	if t.gap.count > 0 {
		last := t.gap.last
		t.disk.entries = append(t.disk.entries, beat.Transition{
			Number: t.gap.from, Until: last.Number, Reason: beat.Shed, Boot: last.Boot, MonoMs: last.MonoMs, WallMs: last.WallMs,
		})
		t.disk.lost += t.gap.count
		for i := range t.gap.records {
			t.disk.record(&t.gap.records[i])
		}
		t.gap = gap{}
	}
	for i := range entries {
		if entries[i].Transition.Number > 0 {
			t.disk.entries = append(t.disk.entries, entries[i].Transition)
		}
		t.disk.record(&entries[i])
	}
	t.disk.shed(t.max)
	return nil
}

// Append is Put and Sync.
func (t *Twin) Append(entries []journal.Entry) error {
	if err := t.Put(entries); err != nil {
		return err
	}
	return t.Sync()
}

// add accounts for one entry; a record alone is forgotten.
func (g *gap) add(e *journal.Entry) {
	if e.Transition.Number == 0 {
		return
	}
	if g.count == 0 {
		g.from = e.Transition.Number
	}
	g.count, g.last = g.count+1, e.Transition
	g.records = append(g.records, *e)
}

// record keeps what an entry leaves of its host, or of the LAN.
func (d *disk) record(e *journal.Entry) {
	if e.Lan != nil {
		lan := *e.Lan
		d.lan = &lan
		return
	}
	host := e.Record.Host
	if e.Forget {
		host = e.Transition.Host
	}
	i, known := slices.BinarySearchFunc(d.hosts, host, func(r roster.Record, h beat.HostID) int {
		return strings.Compare(string(r.Host), string(h))
	})
	switch {
	case e.Forget && known:
		d.hosts = slices.Delete(d.hosts, i, i+1)
	case e.Forget || host == "":
	case known:
		d.hosts[i] = e.Record
	default:
		d.hosts = slices.Insert(d.hosts, i, e.Record)
	}
}

// shed makes one range of the oldest, until there are at most that many.
func (d *disk) shed(most int) {
	k := len(d.entries) - most + 1 // the range takes a place
	if k <= 1 {
		return
	}
	for _, e := range d.entries[:k] {
		if e.Until == 0 {
			d.lost++
		}
	}
	last := d.entries[k-1]
	last = beat.Transition{Number: d.entries[0].Number, Until: end(last), Reason: beat.Shed, Boot: last.Boot, MonoMs: last.MonoMs, WallMs: last.WallMs}
	d.entries = append([]beat.Transition{last}, d.entries[k:]...)
}

// Batch returns the oldest entries above after.
func (t *Twin) Batch(after beat.Number, maxBytes, limit int) ([]beat.Transition, error) {
	var out []beat.Transition
	for _, e := range t.disk.entries {
		if e.Number <= after {
			continue
		}
		if len(out) == limit || (len(out)+1)*entryBytes > maxBytes {
			break
		}
		out = append(out, e)
	}
	return out, nil
}

// Free deletes the entries up to through.
func (t *Twin) Free(through beat.Number) error {
	d := &t.disk
	i := 0
	for i < len(d.entries) && end(d.entries[i]) <= through {
		i++
	}
	d.entries = d.entries[i:]
	if len(d.entries) > 0 && d.entries[0].Number <= through { // a shed range that was taken in part
		d.entries = slices.Clone(d.entries)
		d.entries[0].Number = through + 1
	}
	return nil
}

// Backlog is how many entries there are, and how many were ever lost.
func (t *Twin) Backlog() (depth, lost uint64) {
	return uint64(len(t.disk.entries)), t.disk.lost + t.gap.count
}

// Hosts is what it keeps of each host, in the order of their ids.
func (t *Twin) Hosts() ([]roster.Record, error) { return slices.Clone(t.disk.hosts), nil }

// Lan is what it keeps of the store's LAN, or nil.
func (t *Twin) Lan() (*roster.LanRecord, error) { return t.disk.lan, nil }
