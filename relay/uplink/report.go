package uplink

import (
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/wan"
)

// dispatch makes the newest report and sends it.
func (s *session) dispatch(kind beat.Kind) {
	now := s.group.now()
	r := s.Compose(now, kind, s.facts())
	raw, entries := r.Encode(), 0
	if s.TakesJournal(kind) {
		raw, entries = s.addJournal(r, raw, now)
	}
	s.outcome, s.sentAt = s.wire.send(raw), time.Now()
	s.Sent(now, r, entries)
	label := "hash"
	switch {
	case kind != beat.Steady:
		label = kind.String()
	case r.Picture != nil:
		label = "picture"
	}
	s.group.metrics.reports.WithLabelValues(string(s.link.region.Region), label).Inc()
}

func (s *session) facts() wan.Facts {
	o := s.group.options
	f := wan.Facts{
		Identity: o.Identity, Boot: o.Boot, Software: o.Software,
		Picture: s.group.relay.Picture(), Mono: o.Now().Mono, Others: s.group.witnesses(s.link),
		Restart: s.group.restarts.Load(),
	}
	f.Depth, f.Lost = s.group.journal.Backlog()
	return f
}

// addJournal gives the journal what the picture leaves of a report, if it is
// this region's turn. It returns the report, and how many bytes of it are entries.
func (s *session) addJournal(r *beat.Report, raw []byte, now time.Duration) ([]byte, int) {
	c := s.group.courier
	turn := c.due(s.link, now)
	if r.Journal = c.take(s.link, s.link.limit.Room(beat.MaxReport-len(raw)-wan.ListHead), now); len(r.Journal) == 0 {
		switch {
		case !turn:
		case s.link.limit.Halved(): // the oldest entry alone is more than the half
			s.silence()
		default: // it cannot be read, or the picture leaves no room: not again at once
			c.block(s.link, now+s.group.options.ReportEvery)
		}
		return raw, 0
	}
	s.group.metrics.entries.WithLabelValues(string(s.link.region.Region)).Add(float64(len(r.Journal)))
	full := r.Encode()
	return full, len(full) - len(raw)
}
