package presence

import "time"

// Coming is what happens to a store or host at an instant, if nothing else
// does before.
type Coming string

// What may come.
const (
	ComesSilence     Coming = "its session ends, if no report comes"
	ComesLoss        Coming = "this region has lost it"
	ComesQuestion    Coming = "the other region is asked"
	ComesBlind       Coming = "it is decided without the other region, if that does not answer"
	ComesReturn      Coming = "its goodbye is over, and it is expected back"
	ComesTrust       Coming = "the other region's word of a loss is too old"
	ComesForgotten   Coming = "it is no longer expected, as far as this region's health is judged by it"
	ComesConflictEnd Coming = "the conflict is over, if the other relay does not connect"
	ComesHost        Coming = "a host's promise ends"
	ComesNever       Coming = "what never came is said to be missing"
	ComesSave        Coming = "it is saved"
	ComesSettled     Coming = "this region has settled: what did not come back is lost"
)

// each calls f with everything that may happen to a store by itself, in no
// order; what is over may be among it.
func (p *Presence) each(s *store, f func(at time.Duration, what Coming)) {
	switch {
	case s.session == sessionOpen:
		f(p.silentAt(s), ComesSilence)
		if s.lostThere != 0 {
			f(s.lostThere+lostWordLasts*p.opt.Reask, ComesTrust)
		}
	case s.stopped:
		f(p.mono(s.returnAt), ComesReturn)
	case s.relay != "" && p.settled:
		f(p.lossAt(s), ComesLoss)
		if s.asking == 0 && s.askAt != 0 {
			f(s.askAt, ComesQuestion)
		}
		if s.theirs.View == "" {
			f(p.lossAt(s)+p.opt.Blind, ComesBlind)
		}
		if s.deafSince != 0 {
			f(s.deafSince+p.opt.Blind, ComesBlind)
		}
	}
	if s.session != sessionOpen && s.tally&tallyExpected != 0 {
		f(s.openAt+expectedFor, ComesForgotten)
	}
	if c := s.conflict; c != nil {
		f(c.lastAt+conflictLasts, ComesConflictEnd)
	}
	if e := s.expect; e != nil {
		f(p.expectDue(s), ComesNever)
	}
	if s.saveHosts {
		f(max(s.savedAt+saveHosts, p.now.Mono+1), ComesSave)
	}
	if p.refreshes(s) {
		f(s.refreshAt(), ComesSave)
	}
}

// nextDue is the earliest instant after now at which judging s may change
// something.
func (p *Presence) nextDue(s *store) time.Duration {
	at := p.hostsDue(s)
	now := p.now.Mono
	p.each(s, func(t time.Duration, _ Coming) {
		if t > now {
			at = min(at, t)
		}
	})
	return at
}
