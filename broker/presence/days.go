package presence

import (
	"math/bits"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/setting"
)

// dayBits are the last open days on which a host lived: bit 0 is today's.
type dayBits uint16

const (
	// A host that was seen on regularDays of the last keepDays open days is
	// expected, and pages people, though nobody declared it.
	keepDays    = 14
	regularDays = 3
	// forgetDays is how many days later nothing is known of the last ones.
	forgetDays = 60
)

func (b dayBits) count() int { return bits.OnesCount16(uint16(b & (1<<keepDays - 1))) }

func (b dayBits) regular() bool { return b.count() >= regularDays }

// days is where a store is in its own calendar.
type days struct {
	date int   // today there, in days since 1970-01-01; 0: not looked yet
	ends int64 // when it ends (Unix, s)
}

// dayOf is a store's date at an instant, and when it ends.
func dayOf(d *setting.Store, at time.Time) days {
	y, m, day := at.In(d.Zone()).Date()
	return days{
		date: int(time.Date(y, m, day, 0, 0, 0, 0, time.UTC).Unix() / (24 * 60 * 60)),
		ends: time.Date(y, m, day+1, 0, 0, 0, 0, d.Zone()).Unix(),
	}
}

// rollDays begins a new day of the hosts of a store, for each open day that is
// over. What lives is judged often: when its promise would end.
func (p *Presence) rollDays(s *store) {
	if p.now.Wall.Unix() < s.days.ends {
		return
	}
	today := dayOf(s.declared, p.now.Wall)
	was := s.days
	s.days = today
	gone := today.date - was.date
	if was.date == 0 || gone <= 0 {
		return
	}
	if gone > forgetDays {
		for i := range s.hosts {
			s.hosts[i].seen = 0
		}
		return
	}
	shift := 0
	for d := was.date; d < today.date; d++ {
		if openDay(s.declared, d) {
			shift++
		}
	}
	for i := range s.hosts {
		s.hosts[i].seen <<= min(shift, 16)
	}
}

// openDay says whether a store was open at some time of a date.
func openDay(d *setting.Store, date int) bool {
	t := time.Unix(int64(date)*24*60*60, 0).UTC()
	y, m, day := t.Date()
	from, to := time.Date(y, m, day, 0, 0, 0, 0, d.Zone()), time.Date(y, m, day+1, 0, 0, 0, 0, d.Zone())
	if open, _ := d.Open(from); open {
		return true
	}
	return !d.Opened(to.Add(-time.Second)).Before(from)
}
