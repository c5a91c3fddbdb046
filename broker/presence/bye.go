package presence

import (
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// restartLasts is how long a relay that restarts may take.
const restartLasts = 5 * time.Minute

// mono is a wall instant on the monotonic clock, as far as the clocks agree
// now; the zero time never comes.
func (p *Presence) mono(at time.Time) time.Duration {
	if at.IsZero() {
		return never
	}
	return p.now.Mono + at.Sub(p.now.Wall)
}

// comesUp is by when what said goodbye at an instant is back, or what was
// declared then has come: at the next opening and comeUp; without opening hours
// after so long. A store that does not open for a month is expected after it.
func (s *store) comesUp(from time.Time, without time.Duration) time.Time {
	if opens := s.declared.Opens(from); !opens.IsZero() {
		return opens.Add(s.declared.ComeUp)
	}
	if open, edge := s.declared.Open(from); open && edge.IsZero() {
		return from.Add(without)
	}
	return from.AddDate(0, 1, 0)
}

// goodbye ends a session on purpose: it promises a return (P10).
func (p *Presence) goodbye(s *store, r *beat.Report) {
	p.enter(s, sessionEnded)
	s.stopped, s.stoppedAt, s.saveNow = true, p.now.Mono, true
	s.suspectAt, s.openAt = p.now.Mono, p.now.Mono
	s.restarts = r.Restart
	s.lastLife = p.now.At(s.lastReport)
	p.promise(s)
	p.touch(s)
}

// promise says when a relay that said goodbye is back.
func (p *Presence) promise(s *store) {
	from := p.now.At(s.stoppedAt)
	if s.restarts {
		s.returnAt = from.Add(restartLasts)
		return
	}
	s.returnAt = s.comesUp(from, p.opt.ByeLasts)
}

// breakPromise makes a goodbye whose time is over a loss.
func (p *Presence) breakPromise(s *store) {
	if s.stopped && !p.now.Wall.Before(s.returnAt) {
		s.stopped, s.byeExpired = false, true
		s.suspectAt = p.now.Mono - p.opt.Grace
		s.forgetTheirs()
	}
}

// hostReturns is when a host that said goodbye is back.
func (p *Presence) hostReturns(s *store, h *host) time.Time {
	if h.bare != beat.Stopped {
		return s.comesUp(p.now.Wall, p.opt.ByeLasts) // it says so now
	}
	return s.comesUp(time.UnixMilli(h.bareAt).UTC(), p.opt.ByeLasts)
}

// byeIsOver says whether a host's goodbye promised a return, and it is over.
func (p *Presence) byeIsOver(s *store, h *host) bool {
	if !h.byeOver && p.settled && h.bare == beat.Stopped {
		h.byeOver = !p.now.Wall.Before(p.hostReturns(s, h))
	}
	return h.byeOver
}
