package truth

import (
	"fmt"
	"slices"
	"time"
)

// surelyLost is an absence of a store after which people are told of it with
// any luck: grace, less what a relay needs to connect.
const surelyLost = 8 * time.Second

// restart: killing a node adds no notice against the same schedule without it,
// but of what was out for so long that either may be. That it loses none is what
// Loss judges, with the delay that a node's death may make.
func (t *Truth) restart() {
	if !t.twinned {
		return
	}
	t.Judges(Restart)
	for i := range t.told {
		x := &t.told[i]
		if x.Change != "open" || x.Store < 0 || x.Host >= 0 || x.Kind != "store-down" {
			continue
		}
		here, there := t.faults(t.told, x), t.faults(t.twin, x)
		switch {
		case there == 0 && t.stores[x.Store].down.longest(t.since(x), x.At, startTail) < surelyLost && t.onlyNodes(x):
			t.Fail(Restart, x.At, "only with the death of a node were people told of "+subject(x.Store, x.Host))
		case here > there+1 && there > 0:
			t.Fail(Restart, x.At, fmt.Sprintf("with the death of a node %s was told as %d faults, without it as %d", subject(x.Store, x.Host), here, there))
		}
	}
}

// faults counts the faults of a subject that a channel was told of, each once.
func (t *Truth) faults(told []Told, of *Told) int {
	t.names = t.names[:0]
	for i := range told {
		x := &told[i]
		if x.Channel == of.Channel && x.Store == of.Store && x.Host == of.Host && x.Change == "open" && x.Kind == of.Kind && !slices.Contains(t.names, x.Incident) {
			t.names = append(t.names, x.Incident)
		}
	}
	return len(t.names)
}

// onlyNodes says whether nothing else could hide a store.
func (t *Truth) onlyNodes(x *Told) bool {
	st := &t.stores[x.Store]
	return len(st.path[0].spans) == 0 && len(st.path[1].spans) == 0 && !st.cloned && !st.disk && len(st.full.spans) == 0
}

// Told are the lines that the channels took so far, in order; they are valid
// until the next schedule begins.
func (t *Truth) Told() []Told { return t.told }

// Twin hands over what was told in the same schedule without the deaths of
// nodes: the killing of a node adds and loses no notice.
func (t *Truth) Twin(told []Told) { t.twin, t.twinned = told, true }
