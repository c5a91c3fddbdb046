package truth

import (
	"slices"
	"time"
)

// The budget of messages (I6): a region tells the first two of a minute at once;
// what follows waits for a digest, 10 s later, then 60 s, and 5 min after each
// other while it grows. Faults and recoveries have budgets of their own, and so
// has what programs alone are told.
const (
	burst        = 2
	burstWindow  = time.Minute
	digestFirst  = 10 * time.Second
	digestSecond = 60 * time.Second
	digestLast   = 5 * time.Minute
	// digestSlack is what a claim and a publish add.
	digestSlack = 8 * time.Second
)

// budget is what one region told of late, as far as it shows: a notice counts once,
// when the first channel took it, for another one may refuse it for long.
type budget struct {
	recent []time.Duration // at once, in the last minute
	seen   []string        // the notices
	stage  int             // of the storm; 0: none
	due    time.Duration   // when its next digest is
}

// tells says that a notice was told: at once, or as a digest, where so much had
// been told shortly before that it cannot have been at once.
func (b *budget) tells(at time.Duration, notice string) {
	if n := len(b.seen); n > 0 && b.seen[n-1] == notice || slices.Contains(b.seen, notice) {
		return
	}
	b.seen = append(b.seen, notice)
	b.passes(at)
	b.recent = slices.DeleteFunc(b.recent, func(x time.Duration) bool { return at-x > burstWindow+digestFirst+digestSlack })
	switch {
	case b.stage > 0:
		b.stage, b.due = b.stage+1, at+digestLast
	case len(b.recent) >= burst:
		b.stage, b.due = 1, at+digestSecond
	default:
		b.recent = append(b.recent, at)
	}
}

// passes: a storm of which nothing came when its digest was due is over.
func (b *budget) passes(at time.Duration) {
	if b.stage > 0 && at > b.due+2*digestSlack {
		b.stage, b.recent = 0, b.recent[:0]
	}
}

// wait is how long what comes at an instant may wait for a digest.
func (b *budget) wait(at time.Duration) time.Duration {
	b.passes(at)
	switch {
	case b.stage > 0:
		return max(0, b.due-at) + digestSlack
	case len(b.recent) >= burst && at-b.recent[len(b.recent)-burst] <= burstWindow+digestSlack:
		return digestFirst + digestSlack
	default:
		return 0
	}
}

// digest is how much later something may be told that is due at an instant, and
// began before, for what else was told by one region.
func (t *Truth) digest(from, at time.Duration, ch int) (most time.Duration) {
	for g := range t.region {
		for _, change := range [...]string{"open", "recovered"} {
			for _, aside := range [...]bool{false, true} {
				if aside && ch == People {
					continue
				}
				b := &t.budget
				b.recent, b.seen, b.stage = b.recent[:0], b.seen[:0], 0
				wait := time.Duration(0)
				for i := range t.told {
					x := &t.told[i]
					if x.At > at {
						break
					}
					if x.Region != g || x.Change != change || x.Suppressed != aside {
						continue
					}
					b.tells(x.At, x.Notice)
					if x.At >= from { // it may have come just now
						wait = max(wait, b.wait(x.At)-(at-x.At))
					}
				}
				most = max(most, wait, b.wait(at))
			}
		}
	}
	return most
}
