package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// errNoSwitch is a target that the demo does not have.
var errNoSwitch = errors.New("no such switch")

// pluggable is what a switch switches. Both are idempotent.
type pluggable interface {
	plug(ctx context.Context) error
	unplug(ctx context.Context) error
}

// switchState is a switch as the control and the panel show it.
type switchState struct {
	Target  string    `json:"target"`
	Plugged bool      `json:"plugged"`
	Since   time.Time `json:"since"`
	// Text says what being unplugged means.
	Text string `json:"text"`
}

// switchboard holds the switches of a demo.
type switchboard struct {
	turning sync.WaitGroup
	// more makes the switch of a target that is not in the list, with its text;
	// nil where it names none. It is set before the start.
	more func(target string) (pluggable, string, error)

	mu      sync.Mutex // guards toggles
	toggles []*toggle
}

// toggle is one switch.
type toggle struct {
	part pluggable
	// turning keeps two people from turning it at once.
	turning sync.Mutex

	// mu guards state.
	mu    sync.Mutex
	state switchState
}

func (b *switchboard) add(target, text string, part pluggable) *toggle {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := &toggle{part: part, state: switchState{Target: target, Text: text, Plugged: true, Since: time.Now().UTC()}}
	b.toggles = append(b.toggles, t)
	return t
}

// all are the switches that there are now.
func (b *switchboard) all() []*toggle {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.toggles)
}

// find is the switch of a target, made where it is needed.
func (b *switchboard) find(target string) (*toggle, error) {
	for _, t := range b.all() {
		if t.now().Target == target {
			return t, nil
		}
	}
	if b.more != nil {
		if part, text, err := b.more(target); err != nil {
			return nil, fmt.Errorf("%w: %w", errNoSwitch, err)
		} else if part != nil {
			return b.add(target, text, part), nil
		}
	}
	return nil, fmt.Errorf("%q: %w; there are %s", target, errNoSwitch, strings.Join(b.targets(), ", "))
}

// states are all switches, in their order.
func (b *switchboard) states() []switchState {
	all := []switchState{}
	for _, t := range b.all() {
		all = append(all, t.now())
	}
	return all
}

// turn plugs or unplugs a target and returns its new state.
func (b *switchboard) turn(ctx context.Context, target string, plugged bool) (switchState, error) {
	t, err := b.find(target)
	if err != nil {
		return switchState{}, err
	}
	return t.turn(ctx, plugged)
}

// order turns a switch in the background. The channel is closed when it is
// done, and *state and *err are set.
func (b *switchboard) order(target string, plugged bool, state *switchState, err *error) <-chan struct{} {
	done := make(chan struct{})
	b.turning.Go(func() {
		defer close(done)
		*state, *err = b.turn(context.Background(), target, plugged)
	})
	return done
}

// wait ends when no switch is being turned.
func (b *switchboard) wait() { b.turning.Wait() }

func (b *switchboard) targets() []string {
	var names []string
	for _, t := range b.all() {
		names = append(names, t.now().Target)
	}
	return names
}

// told is a part that other switches turn too.
type told interface{ plugged() bool }

func (t *toggle) now() switchState {
	t.mu.Lock()
	defer t.mu.Unlock()
	state := t.state
	if p, ok := t.part.(told); ok {
		state.Plugged = p.plugged()
	}
	return state
}

func (t *toggle) turn(ctx context.Context, plugged bool) (switchState, error) {
	t.turning.Lock()
	defer t.turning.Unlock()
	was := t.now()
	if _, shared := t.part.(told); was.Plugged == plugged && !shared {
		return was, nil
	}
	do := t.part.unplug
	if plugged {
		do = t.part.plug
	}
	err := do(ctx)
	if err != nil && plugged {
		return was, err
	}
	// What was to be unplugged is unplugged, even if something of it lingers.
	t.mu.Lock()
	if t.state.Plugged != plugged || was.Plugged != plugged {
		t.state.Plugged, t.state.Since = plugged, time.Now().UTC()
	}
	t.mu.Unlock()
	return t.now(), err
}
