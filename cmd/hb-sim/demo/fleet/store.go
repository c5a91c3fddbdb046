package fleet

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	mrand "math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// store is one store: what its relay's disk holds, and its present life.
type store struct {
	fleet       *Fleet
	i           int
	id          beat.Identity
	incarnation beat.Incarnation

	mu        sync.Mutex // guards what follows
	life      *life      // nil without power
	epoch     beat.Epoch
	forgotten map[beat.HostID]bool
	paths     []path // one for each region
}

// path is what a relay knows of its session with a region.
type path struct {
	open  bool
	acked time.Time // the last PUBACK
}

// life is one start of the relay's process.
type life struct {
	boot    beat.Boot
	power   context.Context
	cut     context.CancelFunc
	leaving chan struct{} // closed when it stops on purpose
	work    sync.WaitGroup
}

func newStore(f *Fleet, i int) *store {
	s := &store{
		fleet: f, i: i, id: beat.Identity{Store: Name(i), Relay: relayID},
		paths: make([]path, len(f.o.Regions)),
	}
	_, _ = rand.Read(s.incarnation[:]) // it never fails: see crypto/rand
	return s
}

func hostNames(n int) []beat.HostID {
	names := make([]beat.HostID, 0, n)
	for i := range n {
		names = append(names, beat.HostID(fmt.Sprintf("pos%d", i+1)))
	}
	slices.Sort(names)
	return names
}

func (s *store) start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life != nil {
		return
	}
	l := &life{leaving: make(chan struct{})}
	_, _ = rand.Read(l.boot[:])
	l.power, l.cut = context.WithCancel(context.Background())
	s.life = l
	for r := range s.fleet.o.Regions {
		l.work.Go(func() { s.keep(l, r) })
	}
}

// kill cuts the power; wait waits until nothing of the life is left.
func (s *store) kill() {
	if l := s.now(); l != nil {
		l.cut()
	}
}

func (s *store) wait() {
	l := s.now()
	if l == nil {
		return
	}
	l.work.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life == l {
		s.life = nil
	}
}

// leave lets the relay say goodbye, and calls done when it has ended.
func (s *store) leave(done func()) {
	l := s.now()
	if l == nil {
		done()
		return
	}
	close(l.leaving)
	go func() {
		defer done()
		l.work.Wait()
	}()
}

func (s *store) now() *life {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.life
}

func (s *store) alive() bool {
	l := s.now()
	return l != nil && l.power.Err() == nil
}

// keep keeps a session with region r for a life.
func (s *store) keep(l *life, r int) {
	o := s.fleet.o
	for wait := o.ReconnectFirst; ; {
		began := time.Now()
		end := s.attempt(l, r)
		if end == parted || l.power.Err() != nil {
			return
		}
		if end == reborn {
			continue
		}
		if time.Since(began) > ackTimeout {
			wait = o.ReconnectFirst
		}
		select {
		case <-l.power.Done():
			return
		case <-l.leaving:
			return
		case <-time.After(mrand.N(wait)): // full jitter
		}
		wait = min(2*wait, o.ReconnectCap)
	}
}

// nextEpoch is above every one before, and above what a region ordered.
func (s *store) nextEpoch() beat.Epoch {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch++
	return s.epoch
}

func (s *store) exceed(e beat.Epoch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch = max(s.epoch, e)
}

// forget retires a host.
func (s *store) forget(h beat.HostID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := maps.Clone(s.forgotten)
	if next == nil {
		next = map[beat.HostID]bool{}
	}
	next[h] = true
	s.forgotten = next
}

// picture is the hosts, all of them up; each beat at its own time.
func (s *store) picture(now time.Time) *beat.Picture {
	s.mu.Lock()
	forgotten := s.forgotten
	s.mu.Unlock()
	p := &beat.Picture{Hosts: make([]beat.HostReport, 0, len(s.fleet.hosts))}
	for i, h := range s.fleet.hosts {
		if forgotten[h] {
			continue
		}
		age := (now.Sub(s.fleet.began) + time.Duration(i)*7*time.Second) % hostInterval
		p.Hosts = append(p.Hosts, beat.HostReport{
			Host: h, State: beat.Up, Number: beat.Number(i + 1), AgeMs: uint64(age.Milliseconds()),
			IntervalMs: uint32(hostInterval.Milliseconds()), Reason: beat.Adopted,
		})
	}
	return p
}

func (s *store) opened(r int, open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.paths[r].open == open {
		return
	}
	s.paths[r].open = open
	if open {
		s.fleet.open.Add(1)
	} else {
		s.fleet.open.Add(-1)
	}
}

func (s *store) pubacked(r int, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paths[r].acked = at
}

// witnesses is what the relay says of the regions other than r.
func (s *store) witnesses(r int, now time.Time) []beat.Witness {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []beat.Witness
	for i, p := range s.paths {
		if i == r || p.acked.IsZero() {
			continue
		}
		all = append(all, beat.Witness{
			Region: s.fleet.o.Regions[i].Name, Session: p.open, AckAgeMs: uint64(now.Sub(p.acked).Milliseconds()),
		})
	}
	return all
}
