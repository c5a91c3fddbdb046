package presence

import "github.com/hb-mesh/hb-mesh/relay/beat"

const (
	// maxAgeMs and maxMonoMs bound what a relay says of its clock: 30 years. A
	// larger one would not fit a duration with another added.
	maxAgeMs  = 30 * 366 * 24 * 60 * 60 * 1000
	maxMonoMs = maxAgeMs
	// maxEveryMs is the longest reportEvery: a day.
	maxEveryMs = 24 * 60 * 60 * 1000
)

// checkReport says why a report cannot be true. The gate's decoder refuses
// most of it already; a report may come by other ways.
func checkReport(r *beat.Report) Refusal {
	switch {
	case r.Kind < beat.Birth || r.Kind > beat.Goodbye, r.Kind == beat.Birth && r.Picture == nil:
		return BadReport
	case r.Epoch == 0, r.Epoch >= beat.MaxCounter, r.Seq == 0, r.Seq >= beat.MaxCounter, r.Incarnation.IsZero(), r.Boot.IsZero():
		return BadReport
	case r.MonoMs > maxMonoMs, r.ReportEveryMs == 0, r.ReportEveryMs > maxEveryMs:
		return BadReport
	case r.Picture != nil:
		return checkPicture(r.Picture, r.MonoMs)
	default:
		return NotRefused
	}
}

// checkPicture wants every host once, in the order of their ids, and none that
// lives and beat last before its relay's clock began.
func checkPicture(p *beat.Picture, monoMs uint64) Refusal {
	if len(p.Hosts) > beat.MaxHosts {
		return BadPicture
	}
	for i := range p.Hosts {
		h := &p.Hosts[i]
		switch {
		case h.Host == "", i > 0 && p.Hosts[i-1].Host >= h.Host, h.State >= beat.Covered, h.Number >= beat.MaxCounter:
			return BadPicture
		case h.AgeMs > maxAgeMs, h.State.Alive() && h.AgeMs > monoMs:
			return BadPicture
		}
	}
	if l := p.Lan; l != nil && (l.Number == 0 || l.Number >= beat.MaxCounter || l.AgeMs > maxAgeMs) {
		return BadPicture
	}
	return NotRefused
}
