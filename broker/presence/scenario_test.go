package presence_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Each file of testdata is a story of two regions and some stores: lines of
// "<when> <what happens>". "says" lists every verdict of a region since the
// last such line, in order; "state" is how a region sees a store or host.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) { play(t, f) })
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
		m.deliver()
	}
	for _, r := range m.regions {
		if len(r.said) > 0 {
			t.Fatalf("%s: %s says at the end, and it is not expected: %q", file, r.name, r.said)
		}
	}
}

// act does one line of a scenario.
func (m *mesh) act(w []string) error {
	switch what := strings.Join(w[:min(2, len(w))], " "); {
	case len(w) > 1 && w[1] == "says":
		return m.says(w)
	case w[0] == "state":
		return m.state(w)
	case w[0] == "stores":
		return m.declare(w[1:])
	case w[0] == "relay":
		return m.relayLine(w)
	case w[0] == "region":
		return m.regionLine(w)
	case what == "link cut", what == "link heals":
		m.https, m.mail = w[1] == "heals", w[1] == "heals"
	case what == "https cut", what == "https heals":
		m.https = w[1] == "heals"
	case w[0] == "wan":
		for _, r := range m.match(w[2]) {
			r.cut[beat.Region(w[3])] = w[1] == "cut"
			if w[1] == "cut" {
				r.sessions[beat.Region(w[3])] = nil // half open: the broker hears nothing
			}
		}
	case w[0] == "lan":
		m.lanLine(w[1] == "dies", m.relays[w[2]], w[3:])
	case w[0] == "host":
		return m.hostLine(w)
	case w[0] == "direct":
		every, err := time.ParseDuration(w[3])
		store, host, _ := strings.Cut(w[2], "/")
		m.region(beat.Region(w[1])).do(&presence.Direct{Store: beat.StoreID(store), Beat: beat.Beat{Host: beat.HostID(host), Interval: every}})
		return err
	default:
		return fmt.Errorf("unknown line")
	}
	return nil
}

// relayLine does "relay demo starts pos1 pos2", "relays 01 to 12 start" as
// "relay s 12 start", and "relay s* killed|unpowered|bye|cloned|copied|metered|loses its disk".
func (m *mesh) relayLine(w []string) error {
	if n, err := strconv.Atoi(w[2]); err == nil {
		for i := range n {
			m.startRelay(beat.StoreID(fmt.Sprintf("%s%02d", w[1], i+1)), w[4:])
		}
		return nil
	}
	if w[2] == "starts" && len(m.match(w[1])) == 0 {
		m.startRelay(beat.StoreID(w[1]), w[3:])
		return nil
	}
	for _, r := range m.match(w[1]) {
		switch w[2] {
		case "starts":
			m.startRelay(r.store, w[3:])
		case "killed", "unpowered":
			m.stopRelay(r, w[2] == "killed")
		case "bye", "restarts":
			r.restarts = w[2] == "restarts"
			for _, n := range m.regions {
				m.report(r, n, beat.Goodbye)
			}
			m.stopRelay(r, true)
		case "loses": // its disk, and starts with an empty one
			m.stopRelay(r, true)
			r.disk, r.hosts = r.disk+1, nil
			m.startRelay(r.store, nil)
		case "metered": // it reports each minute
			r.every = time.Minute
			for _, n := range m.regions {
				m.report(r, n, beat.Steady)
			}
		case "cloned", "copied":
			m.copyRelay(r, w[2] == "copied")
		default:
			return fmt.Errorf("unknown")
		}
	}
	return nil
}

// copyRelay starts a copy of a relay elsewhere: of its disk, with a boot of its
// own; or of the running machine, with its boot, its counter and its clock.
func (m *mesh) copyRelay(r *relay, running bool) {
	c := *r
	if epoch := *r.epoch; running {
		c.epoch = &epoch
	} else {
		c.boot += 100
	}
	c.lastPing = m.now.Mono + 7*time.Second
	c.sessions, c.cut, c.acked = map[beat.Region]*uplink{}, map[beat.Region]bool{}, map[beat.Region]time.Duration{}
	c.name += "-copy"
	m.relays[c.name] = &c
	for _, n := range m.regions {
		m.connect(&c, n)
	}
}

func (m *mesh) startRelay(store beat.StoreID, hosts []string) {
	r := m.relays[string(store)]
	if r == nil {
		r = &relay{name: string(store), store: store, epoch: &m.epoch, every: reportEvery, disk: 1, changed: map[beat.HostID]time.Duration{}, sessions: map[beat.Region]*uplink{}, cut: map[beat.Region]bool{}, acked: map[beat.Region]time.Duration{}}
		m.relays[r.name] = r
	}
	r.up = true
	r.boot++
	r.lastPing = m.now.Mono
	for _, h := range hosts {
		m.set(r, beat.HostID(h), beat.Up)
	}
	for _, n := range m.regions {
		m.connect(r, n)
	}
}

func (m *mesh) stopRelay(r *relay, heard bool) {
	r.up = false
	for _, n := range m.regions {
		if heard {
			m.end(r, n)
		}
		r.sessions[n.name] = nil
	}
}

// set changes a host's state at its relay, which reports at once.
func (m *mesh) set(r *relay, host beat.HostID, state beat.HostState) {
	i, ok := slices.BinarySearchFunc(r.hosts, host, func(h beat.HostReport, id beat.HostID) int { return strings.Compare(string(h.Host), string(id)) })
	if !ok {
		r.hosts = slices.Insert(r.hosts, i, beat.HostReport{Host: host})
	}
	r.number++
	r.changed[host] = m.now.Mono
	r.hosts[i].State, r.hosts[i].Number, r.hosts[i].IntervalMs = state, r.number, 5000
	for _, n := range m.regions {
		m.report(r, n, beat.Steady)
	}
}

// lanLine does "lan dies demo pos1 pos2" and "lan heals demo pos1": the LAN is
// dead before the hosts are told missing, and well after they are told up.
func (m *mesh) lanLine(dies bool, r *relay, hosts []string) {
	state := beat.Up
	if dies {
		state = beat.Missing
	}
	for i, h := range hosts {
		if dies && i == 0 || !dies && i == len(hosts)-1 {
			r.number++
			r.lan = &beat.Lan{Dead: dies, Number: r.number}
		}
		m.set(r, beat.HostID(h), state)
	}
}

// hostLine does "host demo/pos1 missing", "… flaps" and "… calm".
func (m *mesh) hostLine(w []string) error {
	store, host, _ := strings.Cut(w[1], "/")
	r := m.relays[store]
	var s beat.HostState
	if w[2] == "flaps" || w[2] == "calm" {
		i := slices.IndexFunc(r.hosts, func(h beat.HostReport) bool { return string(h.Host) == host })
		r.hosts[i].Flapping = w[2] == "flaps"
		s = r.hosts[i].State
	} else if err := s.UnmarshalText([]byte(w[2])); err != nil {
		return err
	}
	m.set(r, beat.HostID(host), s)
	return nil
}

// regionLine does "region us-west-2 killed|starts|stalls|wakes" and
// "… saves nothing|all", "… doubts demo demo/pos1".
func (m *mesh) regionLine(w []string) error {
	n := m.region(beat.Region(w[1]))
	switch w[2] {
	case "killed":
		n.up = false
		for _, r := range m.relays {
			r.sessions[n.name] = nil
		}
	case "starts":
		n.start()
	case "saves":
		n.refused = w[3] == "nothing"
	case "stalls":
		n.stall = true
	case "doubts":
		var e presence.Doubted
		for _, sub := range w[3:] {
			store, host, _ := strings.Cut(sub, "/")
			e.Subjects = append(e.Subjects, presence.Subject{Store: beat.StoreID(store), Host: beat.HostID(host)})
		}
		n.do(&e)
	case "wakes":
		n.stall = false
		queued := n.stalled
		n.stalled = nil
		n.do(&presence.Woke{})
		for _, e := range queued {
			n.do(e)
		}
	default:
		return fmt.Errorf("unknown")
	}
	return nil
}

// declare does "stores shop 09:00-18:00 pos1 pos2": a declared store in
// UTC, its hours (or always) and its hosts.
func (m *mesh) declare(w []string) error {
	d := setting.Declaration{Timezone: "UTC", Hosts: map[beat.HostID]setting.DeclaredHost{}}
	if w[1] != "always" {
		d.Hours = map[string][]string{}
		for _, day := range []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} {
			d.Hours[day] = []string{w[1]}
		}
	}
	for _, h := range w[2:] {
		d.Hosts[beat.HostID(h)] = setting.DeclaredHost{}
	}
	doc := setting.Setting{Kind: setting.Declared, ID: w[0], Version: 1, At: m.now.Wall, Store: &d}
	if err := setting.NewCompiler().Validate(&doc); err != nil {
		return err
	}
	m.fleet = setting.Join([]setting.Item{{Region: "us-east-1", Setting: doc}})
	for _, n := range m.regions {
		n.do(&presence.Settings{Fleet: m.fleet})
	}
	return nil
}

// says does "us-east-1 says nothing", or "us-east-1 says a, b".
func (m *mesh) says(w []string) error {
	n := m.region(beat.Region(w[0]))
	var want []string
	for s := range strings.SplitSeq(strings.Join(w[2:], " "), ",") {
		if s = strings.TrimSpace(s); s != "nothing" {
			want = append(want, s)
		}
	}
	got := n.said
	n.said = nil
	if !slices.Equal(got, want) {
		return fmt.Errorf("it says %q", got)
	}
	return nil
}

// state does "state us-east-1 demo up", "… demo/pos1 covered", and
// "… other dead" and "… itself blind" of a region as a whole.
func (m *mesh) state(w []string) error {
	n := m.region(beat.Region(w[1]))
	store, host, isHost := strings.Cut(w[2], "/")
	got := ""
	switch {
	case w[2] == "other":
		got = n.p.Peer().String()
	case w[2] == "itself":
		got = n.p.Fleet().String()
	case isHost:
		hosts, _ := n.p.Hosts(m.now, beat.StoreID(store))
		for _, h := range hosts {
			if string(h.Host) == host {
				got = h.State.String()
			}
		}
	default:
		n.p.Each(m.now, func(s presence.StoreStatus) {
			if string(s.Store) == store {
				got = s.State.String()
			}
		})
	}
	if want := strings.Join(w[3:], " "); got != want {
		return fmt.Errorf("it is %q", got)
	}
	return nil
}
