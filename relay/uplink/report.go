package uplink

import (
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// listHead is what CBOR needs for the list of entries itself.
const listHead = 8

// dispatch makes the newest report and sends it.
func (s *session) dispatch(kind beat.Kind) {
	now := time.Now()
	r, picture := s.compose(kind)
	d := &dispatch{sent: now, hash: r.Hash}
	label := "hash"
	if kind == beat.Birth || s.asked || r.Hash != s.hash || now.Sub(s.pictured) >= s.group.options.PictureEvery {
		r.Picture, d.whole, label = picture, true, "picture"
		s.asked, s.pictured = false, now
	}
	if kind != beat.Steady {
		label = kind.String()
	}
	raw := r.Encode()
	if kind == beat.Steady && s.acked {
		raw, d.entries = s.addJournal(r, raw, now)
	}
	s.dirtySince, s.sent = time.Time{}, now
	d.done = s.wire.send(raw)
	s.waiting = d
	s.group.metrics.reports.WithLabelValues(string(s.link.region.Region), label).Inc()
}

// compose is all of a report but its picture and journal.
func (s *session) compose(kind beat.Kind) (*beat.Report, *beat.Picture) {
	o := s.group.options
	picture := s.group.relay.Picture()
	s.seq++
	r := &beat.Report{
		V: beat.Wire, Kind: kind, Store: o.Identity.Store, Relay: o.Identity.Relay,
		Incarnation: s.incarnation, Boot: o.Boot, Epoch: s.epoch, Seq: s.seq,
		MonoMs:        uint64(max(0, o.Now().Mono.Milliseconds())),
		ReportEveryMs: uint32(o.ReportEvery.Milliseconds()),
		KeepaliveMs:   uint32(o.Keepalive.Milliseconds()),
		Others:        s.group.witnesses(s.link), Hash: picture.Hash(),
	}
	r.JournalDepth, r.JournalLost = s.group.journal.Backlog()
	switch kind {
	case beat.Birth:
		r.Software = o.Software
	case beat.Goodbye:
		r.Restart = s.group.restarts.Load()
	case beat.Steady:
	}
	return r, picture
}

// addJournal gives the journal what the picture leaves of a report, if it is
// this region's turn. It returns the report, and how many bytes of it are entries.
func (s *session) addJournal(r *beat.Report, raw []byte, now time.Time) ([]byte, int) {
	c := s.group.courier
	turn := c.due(s.link, now)
	if r.Journal = c.take(s.link, s.link.limit.room(beat.MaxReport-len(raw)-listHead), now); len(r.Journal) == 0 {
		switch {
		case !turn:
		case s.link.limit.most > 0: // the oldest entry alone is more than the half
			s.silence()
		default: // it cannot be read, or the picture leaves no room: not again at once
			c.block(s.link, now.Add(s.group.options.ReportEvery))
		}
		return raw, 0
	}
	s.group.metrics.entries.WithLabelValues(string(s.link.region.Region)).Add(float64(len(r.Journal)))
	full := r.Encode()
	return full, len(full) - len(raw)
}
