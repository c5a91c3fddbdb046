package demo

import (
	"context"
	"errors"
	"fmt"
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
	toggles []*toggle // fixed before the start
	turning sync.WaitGroup
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

func (b *switchboard) add(target, text string, part pluggable) {
	b.toggles = append(b.toggles, &toggle{part: part, state: switchState{Target: target, Text: text, Plugged: true, Since: time.Now().UTC()}})
}

// states are all switches, in their order.
func (b *switchboard) states() []switchState {
	all := make([]switchState, 0, len(b.toggles))
	for _, t := range b.toggles {
		all = append(all, t.now())
	}
	return all
}

// turn plugs or unplugs a target and returns its new state.
func (b *switchboard) turn(ctx context.Context, target string, plugged bool) (switchState, error) {
	for _, t := range b.toggles {
		if t.now().Target == target {
			return t.turn(ctx, plugged)
		}
	}
	return switchState{}, fmt.Errorf("%q: %w; there are %s", target, errNoSwitch, strings.Join(b.targets(), ", "))
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
	for _, t := range b.toggles {
		names = append(names, t.now().Target)
	}
	return names
}

func (t *toggle) now() switchState {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.state
}

func (t *toggle) turn(ctx context.Context, plugged bool) (switchState, error) {
	t.turning.Lock()
	defer t.turning.Unlock()
	was := t.now()
	if was.Plugged == plugged {
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
	defer t.mu.Unlock()
	t.state.Plugged, t.state.Since = plugged, time.Now().UTC()
	return t.state, err
}
