package incident_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Each file of testdata is a story of two regions and some stores: lines of
// "<when> <what happens>", and "told" lines that list everything that people
// were told since the line before, in order.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			play(t, f)
		})
	}
}

func play(t *testing.T, file string) {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	m := newMesh()
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		words := strings.Fields(lines.Text())
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		at, err := time.ParseDuration(words[0])
		if err != nil {
			t.Fatalf("%s:%d: %v", file, n, err)
		}
		m.run(at)
		if err := m.act(words[1:]); err != nil {
			t.Fatalf("%s:%d: %s: %v", file, n, lines.Text(), err)
		}
	}
	if len(m.told) > 0 {
		t.Fatalf("%s: told at the end, and not expected: %q", file, m.told)
	}
}

// act does one line of a scenario.
func (m *mesh) act(w []string) error {
	what := strings.Join(w[:min(2, len(w))], " ")
	switch {
	case what == "programs told":
		return expectList(&m.programs, strings.TrimPrefix(strings.Join(w, " "), "programs told "))
	case what == "clock is":
		return m.setClock(w[2])
	case what == "clock jumps":
		d, err := time.ParseDuration(w[2])
		m.now.Wall = m.now.Wall.Add(d)
		return err
	case w[0] == "store", w[0] == "silence", w[0] == "maintenance", w[0] == "ack", w[0] == "end":
		return m.operatorLine(w)
	case what == "lease lapses", what == "lease returns":
		until := time.Duration(0)
		if w[1] == "returns" {
			until = 1 << 60
		}
		m.node(beat.Region(w[2])).tell(&incident.Lease{Until: until})
	case what == "one name":
		return m.expectName(beat.StoreID(w[2]))
	case what == "verdict of":
		return m.verdictLine(w)
	case w[0] == "told":
		return m.expect(strings.TrimPrefix(strings.Join(w, " "), "told "))
	case w[0] == "theirs":
		return m.expectTheirs(w)
	case w[0] == "state":
		return m.expectState(w)
	case what == "relay starts":
		m.startRelay(beat.StoreID(w[2]), w[3:])
	case what == "relay killed":
		m.stopRelay(beat.StoreID(w[2]), true)
	case what == "relay unpowered":
		m.stopRelay(beat.StoreID(w[2]), false)
	case what == "relay bye":
		r := m.relays[beat.StoreID(w[2])]
		for _, region := range regionNames {
			m.report(r, region, beat.Goodbye)
		}
		m.stopRelay(r.store, true)
	case what == "wan cut", what == "wan heals":
		r := m.relays[beat.StoreID(w[2])]
		r.cut[beat.Region(w[3])] = w[1] == "cut"
		if w[1] == "cut" {
			r.sessions[beat.Region(w[3])] = nil // half open: the broker hears nothing
		}
	case what == "link cut", what == "link heals":
		m.linkCut = w[1] == "cut"
		for _, n := range m.regions {
			n.forward()
		}
	case what == "region killed":
		m.node(beat.Region(w[2])).up = false
		for _, r := range m.relays {
			r.sessions[beat.Region(w[2])] = nil
		}
	case what == "region stalls": // whoever calls it waits in vain
		m.node(beat.Region(w[2])).up = false
	case what == "region wakes":
		n := m.node(beat.Region(w[2]))
		n.up = true
		n.tell(&incident.Woke{})
		n.do(&presence.Woke{})
	case what == "region starts":
		m.node(beat.Region(w[2])).start()
	case what == "table fails", what == "table heals":
		m.tableOK[beat.Region(w[2])] = w[1] == "heals"
	case what == "channel fails", what == "channel heals":
		m.deaf, m.deafIn, m.unsure = w[1] == "fails" && len(w) == 2, "", false
		if len(w) > 2 {
			m.deafIn = beat.Region(w[2])
		}
	case what == "channel unsure":
		m.unsure = true
	case w[0] == "forget":
		store, host, _ := strings.Cut(w[2], "/")
		m.node(beat.Region(w[1])).do(&presence.Forget{Store: beat.StoreID(store), Host: beat.HostID(host)})
	case w[0] == "host":
		return m.hostLine(w)
	case w[0] == "direct":
		return m.directLine(w)
	default:
		return fmt.Errorf("unknown line")
	}
	return nil
}

func (m *mesh) startRelay(store beat.StoreID, hosts []string) {
	r := m.relays[store]
	if r == nil {
		r = &relay{store: store, sessions: map[beat.Region]*uplink{}, cut: map[beat.Region]bool{}}
		m.relays[store] = r
	}
	r.up = true
	r.boot++
	r.lastPing = m.now.Mono
	for _, h := range hosts {
		m.set(store, beat.HostID(h), beat.Up)
	}
	for _, region := range regionNames {
		m.connect(r, region)
	}
}

func (m *mesh) stopRelay(store beat.StoreID, heard bool) {
	r := m.relays[store]
	r.up = false
	for _, region := range regionNames {
		if heard && !r.cut[region] {
			m.end(r, region)
		}
		r.sessions[region] = nil
	}
}

// hostLine does "host demo/pos1 missing".
func (m *mesh) hostLine(w []string) error {
	store, host, _ := strings.Cut(w[1], "/")
	var s beat.HostState
	if err := s.UnmarshalText([]byte(w[2])); err != nil {
		return err
	}
	m.set(beat.StoreID(store), beat.HostID(host), s)
	return nil
}

// directLine does "direct us-east-1 demo/pos1 30s", or "… 30s fail".
func (m *mesh) directLine(w []string) error {
	store, host, _ := strings.Cut(w[2], "/")
	every, err := time.ParseDuration(w[3])
	if err != nil {
		return err
	}
	status := beat.OK
	if len(w) > 4 && w[4] == "fail" {
		status = beat.Fail
	}
	m.node(beat.Region(w[1])).do(&presence.Direct{Store: beat.StoreID(store), Beat: beat.Beat{Host: beat.HostID(host), Interval: every, Status: status}})
	return nil
}

// expect does "told nothing", or "told a, b", in their order.
func (m *mesh) expect(list string) error { return expectList(&m.told, list) }

func expectList(told *[]string, list string) error {
	var want []string
	for s := range strings.SplitSeq(list, ",") {
		if s = strings.TrimSpace(s); s != "nothing" {
			want = append(want, s)
		}
	}
	got := *told
	*told = nil
	if !slices.Equal(got, want) {
		return fmt.Errorf("told %q", got)
	}
	return nil
}

// expectTheirs does "theirs us-east-1 demo lost": what a region knows of the
// other's view of a store.
func (m *mesh) expectTheirs(w []string) error {
	got := ""
	m.node(beat.Region(w[1])).presence.Each(m.now, func(s presence.StoreStatus) {
		if string(s.Store) == w[2] {
			got = string(s.Theirs)
		}
	})
	if got != strings.TrimSuffix(w[3], "none") {
		return fmt.Errorf("it is %q", got)
	}
	return nil
}

// expectState does "state us-east-1 demo up", or "… demo/pos1 covered".
func (m *mesh) expectState(w []string) error {
	n := m.node(beat.Region(w[1]))
	store, host, isHost := strings.Cut(w[2], "/")
	got := ""
	if isHost {
		hosts, _ := n.presence.Hosts(m.now, beat.StoreID(store))
		for _, h := range hosts {
			if string(h.Host) == host {
				got = h.State.String()
			}
		}
	} else {
		n.presence.Each(m.now, func(s presence.StoreStatus) {
			if string(s.Store) == store {
				got = s.State.String()
			}
		})
	}
	if got != w[3] {
		return fmt.Errorf("it is %q", got)
	}
	return nil
}
