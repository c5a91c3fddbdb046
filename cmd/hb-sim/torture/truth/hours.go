package truth

import "time"

// rule is when a zone's clocks change: forward on the nth Sunday of a month (0:
// the last), back on one of another month, at an instant of that day.
type rule struct {
	standard      time.Duration // east of UTC
	forward, back sunday
	// utc says that both change at that time UTC; else it is the time that the
	// local clock shows before.
	utc bool
	at  time.Duration
}

// sunday is the nth of a month; 0: the last.
type sunday struct {
	month time.Month
	nth   int
}

// rules are the law of each zone, not the zone files that a broker reads:
// directive 2000/84/EC, and 15 U.S.C. § 260a.
var rules = map[string]rule{ //nolint:gochecknoglobals // a constant table
	"Europe/Berlin":    {standard: time.Hour, forward: sunday{time.March, 0}, back: sunday{time.October, 0}, utc: true, at: time.Hour},
	"America/New_York": {standard: -5 * time.Hour, forward: sunday{time.March, 2}, back: sunday{time.November, 1}, at: 2 * time.Hour},
}

// on is its midnight in a year, as if it were UTC.
func (s sunday) on(year int) time.Time {
	if s.nth == 0 {
		last := time.Date(year, s.month+1, 0, 0, 0, 0, 0, time.UTC)
		return last.AddDate(0, 0, -int(last.Weekday()))
	}
	first := time.Date(year, s.month, 1, 0, 0, 0, 0, time.UTC)
	return first.AddDate(0, 0, (7-int(first.Weekday()))%7+7*(s.nth-1))
}

// jumps are the instants of a year at which its clocks go forward and back.
func (r *rule) jumps(year int) (forward, back time.Time) {
	forward, back = r.forward.on(year).Add(r.at), r.back.on(year).Add(r.at)
	if !r.utc {
		forward, back = forward.Add(-r.standard), back.Add(-r.standard-time.Hour)
	}
	return forward, back
}

// offset is how far the zone's clocks are ahead of UTC.
func (r *rule) offset(at time.Time) time.Duration {
	if forward, back := r.jumps(at.UTC().Year()); !at.Before(forward) && at.Before(back) {
		return r.standard + time.Hour
	}
	return r.standard
}

// instant is the first at which the zone's clocks show a time, given as if it
// were UTC; where they jump over it, the instant of the jump.
func (r *rule) instant(local time.Time) time.Time {
	for _, offset := range [...]time.Duration{r.standard + time.Hour, r.standard} {
		if at := local.Add(-offset); r.offset(at) == offset {
			return at
		}
	}
	forward, _ := r.jumps(local.Year())
	return forward
}

// Clock is the wall clock at the schedule's start, and how long after an opening
// or maintenance a store may take to come up.
func (t *Truth) Clock(base time.Time, comeUp time.Duration) { t.base, t.comeUp = base, comeUp }

// Opens says that a store is open on each day from a minute after midnight to
// another one, by its own clock, and in which region an operator said so. Zone
// is one of rules, or "UTC".
func (t *Truth) Opens(store int, zone string, from, to, region int) {
	r := rules[zone]
	if r.forward.month == 0 {
		panic("truth knows no rule of " + zone)
	}
	if to <= from {
		to += 24 * 60
	}
	today := t.base.Add(r.offset(t.base)).Truncate(24 * time.Hour)
	closed := time.Duration(0) // since then
	for day := -1; day <= 1; day++ {
		midnight := today.AddDate(0, 0, day)
		opens := r.instant(midnight.Add(time.Duration(from) * time.Minute)).Sub(t.base)
		closes := r.instant(midnight.Add(time.Duration(to) * time.Minute)).Sub(t.base)
		if closes <= max(0, opens) {
			continue // long ago, or the jump goes over it
		}
		if opens > closed {
			t.Says(closed, opens, store, Closed, region)
		}
		closed = max(closed, closes)
	} // no schedule lasts until tomorrow's closing
}
