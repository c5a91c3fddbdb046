package demo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/demo/wire"
)

const (
	// startWithin bounds how long a part may take until it is ready.
	startWithin = 20 * time.Second
	// dieWithin bounds how long the goroutines of a killed part may take to end.
	dieWithin = 5 * time.Second
)

// program is what runs in a process: a broker, a relay, a register.
type program interface {
	// Run blocks until ctx ends, or the program cannot go on.
	Run(ctx context.Context) error
	// Ready is closed when it does its job.
	Ready() <-chan struct{}
}

// process is one part of the mesh. It can be killed and started again, as by
// kill -9 and a supervisor.
type process struct {
	name string
	dial wire.Dialer
	boot func(*life) (program, error)
	// broke is told when a life ends by itself.
	broke func(name string, err error)

	// dead says that nobody wants it to live; a process is born wanted.
	dead atomic.Bool

	// mu guards life: nil while the process is dead.
	mu   sync.Mutex
	life *life
}

// plugged says whether the process is to live.
func (p *process) plugged() bool { return !p.dead.Load() }

// life is what one life of a process has of the world.
type life struct {
	power *wire.Power
	tap   *tap
	// quiet ends the life's log.
	quiet context.Context

	mute   context.CancelFunc
	cancel context.CancelFunc
	done   chan struct{} // closed when Run has returned
	err    error         // why it returned; read after done
}

// plug starts the process, and waits until it is ready.
func (p *process) plug(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.life != nil {
		return nil
	}
	quiet, mute := context.WithCancel(context.Background())
	l := &life{power: wire.NewPower(p.dial), tap: newTap(), quiet: quiet, mute: mute, done: make(chan struct{})}
	prog, err := p.boot(l)
	if err != nil {
		l.drop()
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	l.cancel = cancel
	go func() {
		defer close(l.done)
		l.err = prog.Run(run)
	}()
	late := time.NewTimer(startWithin)
	defer late.Stop()
	select {
	case <-prog.Ready():
		p.life = l
		p.dead.Store(false)
		go p.watch(run, l)
		return nil
	case <-l.done:
		err = l.err
		if err == nil {
			err = errors.New("it ended at once")
		}
	case <-ctx.Done():
		err = ctx.Err()
	case <-late.C:
		err = fmt.Errorf("not ready within %v", startWithin)
	}
	_ = l.kill()
	return fmt.Errorf("start %s: %w", p.name, err)
}

// watch tells of a life that ends though nobody ended it.
func (p *process) watch(run context.Context, l *life) {
	<-l.done
	if run.Err() == nil && l.quiet.Err() == nil {
		p.broke(p.name, l.err)
	}
}

// unplug kills the process.
func (p *process) unplug(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.life == nil {
		return nil
	}
	err := p.life.kill()
	p.life = nil
	p.dead.Store(true)
	if err != nil {
		return fmt.Errorf("kill %s: %w", p.name, err)
	}
	return nil
}

// stop ends the process as SIGTERM would, and kills it when ctx ends.
func (p *process) stop(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.life
	if l == nil {
		return nil
	}
	p.life = nil
	l.cancel()
	select {
	case <-l.done:
		l.drop()
		return l.err
	case <-ctx.Done():
		return l.kill()
	}
}

// kill takes the life's world away before it tells the program: what its
// goroutines still do reaches nobody.
func (l *life) kill() error {
	l.drop()
	l.cancel()
	select {
	case <-l.done:
		return nil
	case <-time.After(dieWithin):
		return fmt.Errorf("its goroutines did not end within %v", dieWithin)
	}
}

// drop takes the table first, so that no end of a connection is written down.
func (l *life) drop() {
	l.mute()
	l.tap.close()
	l.power.Cut()
}
