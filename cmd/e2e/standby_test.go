//go:build linux

package e2e_test

import (
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// balancer is the load balancer of a region: it leads each connection to the
// node whose status says that it is the active one.
type balancer struct {
	ln    net.Listener
	nodes []*server
	door  func(*server) string
	work  sync.WaitGroup

	mu    sync.Mutex // guards conns
	conns []net.Conn
}

func newBalancer(t testing.TB, door func(*server) string, nodes ...*server) *balancer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &balancer{ln: ln, nodes: nodes, door: door}
	b.work.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			b.work.Go(func() { b.carry(conn) })
		}
	})
	t.Cleanup(b.close)
	return b
}

func (b *balancer) address() string { return b.ln.Addr().String() }

func (b *balancer) hold(c net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.conns = append(b.conns, c)
}

func (b *balancer) carry(from net.Conn) {
	b.hold(from)
	defer func() { _ = from.Close() }()
	for _, n := range b.nodes {
		if n.process == nil || n.quickStatus() != http.StatusOK {
			continue
		}
		to, err := net.DialTimeout("tcp", b.door(n), time.Second)
		if err != nil {
			continue
		}
		b.hold(to)
		defer func() { _ = to.Close() }()
		var both sync.WaitGroup
		both.Go(func() { _, _ = io.Copy(to, from); _ = to.Close() })
		both.Go(func() { _, _ = io.Copy(from, to); _ = from.Close() })
		both.Wait()
		return
	}
}

func (b *balancer) close() {
	_ = b.ln.Close()
	b.mu.Lock()
	for _, c := range b.conns {
		_ = c.Close()
	}
	b.mu.Unlock()
	b.work.Wait()
}

// quickStatus is the status of a node that may stand still.
func (s *server) quickStatus() int {
	client := &http.Client{Timeout: 500 * time.Millisecond, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + s.http + "/v1/status")
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// active is the region's active node; nil while there is none.
func (f *field) active(r beat.Region) *server {
	nodes := []*server{f.brokers[r], f.standby[r]}
	i := slices.IndexFunc(nodes, func(n *server) bool { return n.process != nil && n.alive() && n.quickStatus() == http.StatusOK })
	if i < 0 {
		return nil
	}
	return nodes[i]
}

// upNodes starts both nodes of each region, and all relays.
func (f *field) upNodes() {
	f.t.Helper()
	for _, r := range regions {
		f.brokers[r].start()
		f.brokers[r].ready(f.t)
		f.standby[r].start()
		within(f.t, patience, "the second node of "+string(r)+" stands by", func() bool { return f.standby[r].quickStatus() == http.StatusServiceUnavailable })
	}
	for _, s := range f.relays {
		s.start()
	}
	f.sees(len(f.relays))
}

// sees waits until the active nodes see n stores, and have settled.
func (f *field) sees(n int) {
	f.t.Helper()
	for _, r := range regions {
		within(f.t, time.Minute, string(r)+" sees its stores", func() bool {
			a := f.active(r)
			if a == nil {
				return false
			}
			up := 0
			for _, row := range a.list("/v1/stores") {
				if row.State == "up" {
					up++
				}
			}
			ready := slices.ContainsFunc(a.list("/v1/regions"), func(row row) bool { return row.Self && row.State == "ready" })
			return up == n && ready
		})
	}
}

// The standby takes over from a node that was killed, and from one that stands
// still and then goes on; what people are told is all, true, and ended.
func TestAStandbyTakesOver(t *testing.T) {
	t.Parallel() // it mostly waits
	f := newFieldOfNodes(t, "before", "during", "frozen", "whole")
	f.upNodes()
	for _, c := range []struct {
		says       string
		hurt, heal func(*server)
		stores     []string
	}{
		{"killed", func(s *server) { s.kill() }, func(s *server) { s.start() }, []string{"before", "during"}},
		{"stands still", func(s *server) { s.pause() }, func(s *server) { s.resume() }, []string{"frozen"}},
	} {
		old := f.active(east)
		var lost []*absence
		var doubled *excuse
		for i, store := range c.stores {
			lost = append(lost, f.lose(store))
			if i == 0 {
				time.Sleep(time.Second)
				doubled = f.seen.excuse(store, 2, bySNS, byWebhook)
				c.hurt(old)
			}
			time.Sleep(time.Second)
		}
		within(t, time.Minute, "the standby is the active node", func() bool { a := f.active(east); return a != nil && a != old })
		t.Logf("%s: the standby is active", c.says)
		for _, out := range lost {
			f.seen.told(patienceWounded, out, "open")
		}
		c.heal(old)
		f.seen.lasts(doubled)
		within(t, time.Minute, "the old node stands by", func() bool { return old.quickStatus() == http.StatusServiceUnavailable })
		for _, out := range lost {
			f.restore(out)
		}
		f.sees(len(f.relays))
		for _, out := range lost {
			f.seen.told(patienceWounded, out, "recovered")
		}
	}
	time.Sleep(12 * time.Second) // takeover and an ask more: nothing follows
	f.seen.judge()
}
