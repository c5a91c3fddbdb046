package wire

import "sync"

// Trunk is a Line that several switches can cut: it is whole while none does.
type Trunk struct {
	*Line

	mu   sync.Mutex // guards cuts
	cuts map[string]bool
}

// NewTrunk returns a whole trunk over dial.
func NewTrunk(dial Dialer) *Trunk { return &Trunk{Line: NewLine(dial), cuts: map[string]bool{}} }

// CutBy cuts the trunk for a reason, which HealBy takes back.
func (t *Trunk) CutBy(why string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cuts[why] = true
	t.Cut()
}

// HealBy ends the cut for a reason; another may go on.
func (t *Trunk) HealBy(why string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.cuts, why)
	if len(t.cuts) == 0 {
		t.Heal()
	}
}
