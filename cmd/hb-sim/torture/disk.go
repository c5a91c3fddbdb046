package torture

import (
	"errors"
	"slices"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/roster"
)

// errFull is a disk that takes nothing.
var errFull = errors.New("no space")

const (
	// epochBlock and numberBlock are reserved with one write, as the journal does.
	epochBlock  = 64
	numberBlock = 1024
	// entrySize is about what an entry takes, in bytes.
	entrySize = 100
)

// disk is a relay's: the twin of package journal. What it holds is durable; the
// relay hands it what was synced, a little after it was put.
type disk struct {
	incarnation    beat.Incarnation
	acked          bool
	epochTop       beat.Epoch
	numberTop      beat.Number
	hosts          []roster.Record
	lan            *roster.LanRecord
	entries        []beat.Transition
	lost           uint64
	gapFrom, gapTo beat.Number
	full           bool
	epoch          beat.Epoch  // of this start: what was given
	number         beat.Number // of this start: what was reserved
	rng            *chance
	freed          beat.Number
}

func newDisk(rng *chance) *disk { return &disk{rng: rng, incarnation: beat.Incarnation(rng.bits())} }

// clone is a copy of what is on it.
func (d *disk) clone() *disk {
	c := *d
	c.hosts, c.entries = slices.Clone(d.hosts), slices.Clone(d.entries)
	return &c
}

// open is a new start: counters go on above what was reserved.
func (d *disk) open() { d.epoch, d.number = d.epochTop, d.numberTop }

// Incarnation is the journal's.
func (d *disk) Incarnation() beat.Incarnation { return d.incarnation }

// Acked says whether any region ever acked this incarnation.
func (d *disk) Acked() bool { return d.acked }

// NoteAcked keeps that a region acked this incarnation.
func (d *disk) NoteAcked() error {
	if d.acked {
		return nil
	}
	if d.full {
		return errFull
	}
	d.acked = true
	return nil
}

// Renew makes a new incarnation.
func (d *disk) Renew() (beat.Incarnation, error) {
	if d.full {
		return beat.Incarnation{}, errFull
	}
	d.incarnation, d.acked = beat.Incarnation(d.rng.bits()), false
	return d.incarnation, nil
}

// NextEpoch returns an epoch never returned before, above the given one.
func (d *disk) NextEpoch(above beat.Epoch) (beat.Epoch, error) {
	next := max(d.epoch, above) + 1
	if next > d.epochTop {
		if d.full {
			return 0, errFull
		}
		d.epochTop = next + epochBlock - 1
	}
	d.epoch = next
	return next, nil
}

// EpochTop is the highest that is reserved.
func (d *disk) EpochTop() beat.Epoch { return d.epochTop }

// ReserveNumbers reserves numbers above the given one.
func (d *disk) ReserveNumbers(above beat.Number) (from, to beat.Number, err error) {
	from = max(d.number, above) + 1
	to = from + numberBlock - 1
	if to > d.numberTop {
		if d.full {
			return 0, 0, errFull
		}
		d.numberTop = to
	}
	d.number = to
	return from, to, nil
}

// put makes entries durable.
func (d *disk) put(entries []entry) {
	for i := range entries {
		e := &entries[i]
		n := e.transition.Number
		if d.full {
			if n > 0 {
				if d.gapFrom == 0 {
					d.gapFrom = n
				}
				d.gapTo = n
				d.lost++
			}
			continue
		}
		if d.gapFrom != 0 {
			d.entries = append(d.entries, beat.Transition{Number: d.gapFrom, Until: d.gapTo, Reason: beat.Shed, Boot: e.transition.Boot, MonoMs: e.transition.MonoMs})
			d.gapFrom, d.gapTo = 0, 0
		}
		if n > 0 {
			d.entries = append(d.entries, e.transition)
		}
		d.record(e)
	}
}

func (d *disk) record(e *entry) {
	if e.lan != nil {
		d.lan = e.lan
		return
	}
	host := e.record.Host
	if e.forget {
		host = e.transition.Host
	}
	i := slices.IndexFunc(d.hosts, func(r roster.Record) bool { return r.Host == host })
	switch {
	case e.forget && i >= 0:
		d.hosts = slices.Delete(d.hosts, i, i+1)
	case e.forget:
	case i >= 0:
		d.hosts[i] = e.record
	default:
		d.hosts = append(d.hosts, e.record)
	}
}

// entry is one change of a host, as the journal takes it.
type entry struct {
	transition beat.Transition
	record     roster.Record
	forget     bool
	lan        *roster.LanRecord
}

// Batch returns the oldest entries above after.
func (d *disk) Batch(after beat.Number, maxBytes, limit int) ([]beat.Transition, error) {
	var out []beat.Transition
	for i := range d.entries {
		if d.entries[i].Number <= after {
			continue
		}
		if len(out) == limit || (len(out)+1)*entrySize > maxBytes {
			break
		}
		out = append(out, d.entries[i])
	}
	return out, nil
}

// Free deletes the entries up to through.
func (d *disk) Free(through beat.Number) error {
	i := 0
	for i < len(d.entries) && max(d.entries[i].Number, d.entries[i].Until) <= through {
		i++
	}
	d.entries = d.entries[i:]
	d.freed = max(d.freed, through)
	return nil
}

// Backlog is how many entries there are, and how many were ever lost.
func (d *disk) Backlog() (depth, lost uint64) { return uint64(len(d.entries)), d.lost }
