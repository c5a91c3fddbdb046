package setting

import (
	"fmt"
	"time"
)

const (
	daySeconds = 24 * 60 * 60
	// reach is beyond what any zone's offset, and any jump of one, amounts to.
	reach = 15 * 60 * 60
)

// loadZone finds an IANA zone. "Local" is none: it would mean another thing on
// each node.
func loadZone(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return nil, fmt.Errorf("time zone %q: write its IANA name, for example Europe/Berlin", name)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("time zone %q is not known: write its IANA name, for example America/New_York", name)
	}
	return zone, nil
}

// wall turns local times into instants, fast where the zone's offset does not
// change nearby. Instants and local times are in Unix seconds.
type wall struct {
	zone *time.Location
	// offset holds of instants in [from, to).
	offset, from, to int64
}

// wallAt is a zone's wall clock around an instant.
func wallAt(zone *time.Location, at int64) wall {
	t := time.Unix(at, 0).In(zone)
	_, offset := t.Zone()
	w := wall{zone: zone, offset: int64(offset), from: -1 << 62, to: 1 << 62}
	from, to := t.ZoneBounds()
	if !from.IsZero() {
		w.from = from.Unix()
	}
	if !to.IsZero() {
		w.to = to.Unix()
	}
	return w
}

// day is the local date of an instant, in days since 1970-01-01.
func (w *wall) day(at int64) int64 {
	offset := w.offset
	if at < w.from || at >= w.to {
		offset = offsetAt(w.zone, at)
	}
	return floorDiv(at+offset, daySeconds)
}

// instant is when a local time is: minute minutes after the midnight that
// begins day. Where the clock jumps over that time, it is the instant of the
// jump; where it is twice, the first.
func (w *wall) instant(day int64, minute int) int64 {
	local := day*daySeconds + int64(minute)*60
	if at := local - w.offset; at >= w.from+reach && at < w.to-reach {
		return at
	}
	before, after := offsetAt(w.zone, local-reach), offsetAt(w.zone, local+reach)
	if before == after {
		return local - before
	}
	_, end := time.Unix(local-reach, 0).In(w.zone).ZoneBounds()
	change := end.Unix()
	if at := local - before; at < change {
		return at
	}
	return max(local-after, change)
}

func offsetAt(zone *time.Location, at int64) int64 {
	_, offset := time.Unix(at, 0).In(zone).Zone()
	return int64(offset)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
