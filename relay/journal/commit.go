package journal

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

const (
	// groupEntries bounds what shares one commit, below Badger's limit for a
	// transaction (15 % of a memtable, about 6,000 keys).
	groupEntries = MaxPut
	// pageSize is how many keys other transactions write or delete at once.
	pageSize = 2048
)

// Pending is a Put that may not be on disk yet.
type Pending struct {
	j       *Journal
	entries []Entry
	done    chan struct{}
	err     error // valid once done is closed
}

// Put queues entries in the order of their numbers, without waiting: the caller
// may hold the lock that gave them their numbers. The caller calls Wait on what
// it returns, without that lock. Their numbers exceed all that were put before,
// else Wait returns ErrOrder.
func (j *Journal) Put(entries []Entry) *Pending {
	p := &Pending{j: j, entries: entries, done: make(chan struct{})}
	j.mu.Lock()
	defer j.mu.Unlock()
	if p.err = j.admit(entries); p.err != nil || len(entries) == 0 {
		close(p.done)
		return p
	}
	for i := range entries {
		j.lastPut = max(j.lastPut, entries[i].Transition.Number)
	}
	j.queue = append(j.queue, p)
	return p
}

// admit checks what was put. The caller holds mu.
func (j *Journal) admit(entries []Entry) error {
	if j.closed {
		return ErrClosed
	}
	if len(entries) > MaxPut {
		return fmt.Errorf("%d entries: %w", len(entries), ErrTooMany)
	}
	last := j.lastPut
	for i := range entries {
		n := entries[i].Transition.Number
		if n == 0 {
			continue // a record alone
		}
		if n <= last {
			return fmt.Errorf("number %d after %d: %w", n, last, ErrOrder)
		}
		last = n
	}
	return nil
}

// Append is Put and Wait.
func (j *Journal) Append(ctx context.Context, entries []Entry) error {
	return j.Put(entries).Wait(ctx)
}

// Wait returns when the entries are on disk: callers that wait together share
// one fsync. With ErrNoSpace the entries are lost, and counted: their numbers
// will be part of a shed range. With the context's error it is unknown.
func (p *Pending) Wait(ctx context.Context) error {
	for {
		select {
		case <-p.done:
			return p.err
		default:
		}
		select {
		case <-p.done:
		case <-ctx.Done():
			return fmt.Errorf("append: %w", ctx.Err())
		case p.j.writing <- struct{}{}:
			// Whoever comes first writes for all who wait.
			p.j.commitGroup()
			<-p.j.writing
		}
	}
}

// commitAll commits all that is queued. The caller holds writing.
func (j *Journal) commitAll() error {
	for {
		p := j.commitGroup()
		if p == nil {
			break
		}
		if p.err != nil {
			return p.err
		}
	}
	if len(j.gap.hosts) == 0 {
		return nil
	}
	return j.write(nil)
}

// commitGroup commits the head of the queue, and returns the first of what it
// committed, or nil. The caller holds writing.
func (j *Journal) commitGroup() *Pending {
	j.mu.Lock()
	n, entries := 0, 0
	for n < len(j.queue) && (n == 0 || entries+len(j.queue[n].entries) <= groupEntries) {
		entries += len(j.queue[n].entries)
		n++
	}
	group := j.queue[:n:n]
	j.queue = j.queue[n:]
	if len(j.queue) == 0 {
		j.queue = nil
	}
	j.mu.Unlock()
	if n == 0 {
		return nil
	}
	all := group[0].entries
	for _, p := range group[1:] {
		all = append(slices.Clip(all), p.entries...)
	}
	err := j.write(all)
	for _, p := range group {
		p.err = err
		close(p.done)
	}
	return group[0]
}

// write makes entries durable, and what bounds, gaps and a full disk make of
// the ones before them: all in one transaction. The caller holds writing.
func (j *Journal) write(entries []Entry) error {
	room, err := j.room()
	if room != ample {
		j.provide()
	}
	if err == nil {
		c := j.compose(entries, room)
		if err = j.commit(c.apply); err == nil {
			j.accept(c)
			return nil
		}
	}
	j.refuse(entries)
	return err
}

// commit runs one transaction and times it.
func (j *Journal) commit(apply func(*badger.Txn) error) error {
	start := time.Now()
	txn := j.db.NewTransaction(true)
	defer txn.Discard()
	if err := apply(txn); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	if err := txn.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	j.metrics.commits.Inc()
	j.metrics.commitSeconds.Observe(time.Since(start).Seconds())
	return nil
}

// gap is what was refused and not yet accounted for on disk: it becomes a shed
// range before the next entry.
type gap struct {
	last  beat.Transition // dates the range
	from  beat.Number
	count uint64
	// hosts is the last word on each host that the disk does not have yet: at
	// most one a host.
	hosts map[beat.HostID]Entry
}

// refuse accounts for entries that could not be written. Records alone are
// forgotten: the next transition of the host brings them.
func (j *Journal) refuse(entries []Entry) {
	entries = slices.DeleteFunc(slices.Clone(entries), func(e Entry) bool { return e.Transition.Number == 0 })
	if len(entries) == 0 {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.refusing {
		j.refusing = true
		j.log.Error("the journal refuses transitions: make room on the disk; presence goes on without history", "dir", j.options.Dir)
	}
	for i := range entries {
		j.gap.add(&entries[i])
		if entries[i].Transition.Number > 0 {
			j.metrics.refused.Inc()
		}
	}
}

// add accounts for one entry.
func (g *gap) add(e *Entry) {
	if g.hosts == nil {
		g.hosts = make(map[beat.HostID]Entry)
	}
	g.hosts[e.host()] = *e
	if e.Transition.Number == 0 {
		return
	}
	if g.count == 0 {
		g.from = e.Transition.Number
	}
	g.count++
	g.last = e.Transition
}

// host is whom the entry is about.
func (e *Entry) host() beat.HostID {
	if e.Transition.Host != "" {
		return e.Transition.Host
	}
	return e.Record.Host
}
