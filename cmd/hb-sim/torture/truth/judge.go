package truth

import (
	"fmt"
	"slices"
	"time"
)

const (
	// tail is how long after something is mended a relay may need to be back:
	// its backoff of 30 s, and a handshake.
	tail = 45 * time.Second
	// lookback is how far before a notice its outage may lie.
	lookback = 10 * time.Minute
)

// Judge judges the schedule; ok is true where every property holds.
func (t *Truth) Judge() (v Violation, ok bool) {
	if t.first.Property == 0 {
		t.falsity()
		t.tellings()
		t.duplicates()
		t.identity()
		t.oneName()
		t.closure()
		t.loss()
		t.lans()
		t.regionLoss()
		t.isolation()
		t.convergence()
		t.storm()
		t.history()
		t.restart()
		t.conflicts()
		t.conflictsAtEnd()
		t.flapping()
	}
	return t.first, t.first.Property == 0
}

func subject(s, h int) string {
	if h < 0 {
		return fmt.Sprintf("s%d", s+1)
	}
	return fmt.Sprintf("s%d/pos%d", s+1, h+1)
}

// tellings are what one channel was told of one incident, in order.
type tellings struct {
	incident string
	channel  int
	told     []int
}

func (t *Truth) tellings() {
	for i := range t.told {
		x := &t.told[i]
		k := slices.IndexFunc(t.keys, func(o tellings) bool { return o.incident == x.Incident && o.channel == x.Channel })
		if k < 0 {
			k = len(t.keys)
			if k < cap(t.keys) {
				t.keys = t.keys[:k+1]
				t.keys[k].incident, t.keys[k].channel, t.keys[k].told = x.Incident, x.Channel, t.keys[k].told[:0]
			} else {
				t.keys = append(t.keys, tellings{incident: x.Incident, channel: x.Channel})
			}
		}
		t.keys[k].told = append(t.keys[k].told, i)
	}
}
