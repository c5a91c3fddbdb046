package presence

import (
	"slices"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// host is what this region knows of one host of a store. A fleet has a million
// of them: what few hosts need is behind a pointer, and times are numbers.
type host struct {
	id   beat.HostID
	wait *waiting // while no way of it here lives, and the other region is asked
	note *note    // what it says of itself

	number   beat.Number
	lastSeen time.Duration // its last beat by the relay, on our clock
	dLast    time.Duration // its last direct beat, on our clock
	dNumber  uint64        // numbers its direct ups, of the node that origin names
	// The judgement: when it entered its state (Unix, ms). bare is the last
	// state that was not covered, and bareAt when it began: a host that is
	// uncovered in the same state was in it all the time.
	stateAt, bareAt int64

	// Its ways' promises, in ms.
	intervalMs, dIntervalMs uint32
	seen                    dayBits // the last open days on which it lived
	origin                  uint16  // of dNumber: an index of Presence.origins

	// Its relay's way: the last whole picture's word.
	relay   beat.HostState
	reason  beat.Reason
	status  beat.Status
	relayed bool
	listed  bool // by the disk that its relay has now, once
	news    bool // a word of its relay came that the table did not have as this node started
	beats   bool // as the last whole picture came, within its promise
	// Its direct way; Unknown: never.
	direct beat.HostState
	// The other region's direct way: it may hold one; and its last verdict,
	// which counts while the store has no session here.
	awaited   bool // it is absent, and waited for
	theirWay  bool
	forwarded Condition

	state, bare beat.HostState
	cond        Condition
	covered     bool // since cond was said
	hearsay     bool // its fault ended by the other region's word alone
	unadopted   bool // as cond was said
	flapping    bool
	flaps       bool // as it was said
	declared    bool
	byeOver     bool // its goodbye promised a return, and the time is over
	dirty       bool // its direct way entered a state: save it
}

// waiting is a question about a host.
type waiting struct {
	since     time.Duration // when the last of our ways expired
	theirs    View          // the other region's word
	failing   bool          // the same: it lives there, and fails
	cause     Cause         // the other region's, of its last direct up there
	asking    uint64
	askAt     time.Duration
	deafSince time.Duration // as the store's
}

// note is what a host says of itself, by each way.
type note struct{ relay, direct string }

func (h *host) notes() note {
	if h.note == nil {
		return note{}
	}
	return *h.note
}

func (h *host) say(n note) {
	switch {
	case n == (note{}):
		h.note = nil
	case h.note == nil:
		h.note = &note{}
		fallthrough
	default:
		*h.note = n
	}
}

func (h *host) interval() time.Duration  { return time.Duration(h.intervalMs) * time.Millisecond }
func (h *host) dInterval() time.Duration { return time.Duration(h.dIntervalMs) * time.Millisecond }

// last is its last beat by any way, on our clock, which began after some of them;
// 0: none is known.
func (h *host) last() time.Duration {
	if h.dLast == 0 || h.lastSeen != 0 && h.lastSeen > h.dLast {
		return h.lastSeen
	}
	return h.dLast
}

// known says whether it was ever seen, by any way, in any region.
func (h *host) known() bool {
	return h.number != 0 || h.relay != beat.Unknown || h.direct != beat.Unknown || h.theirWay || h.forwarded != 0
}

// enter changes the host's state.
func (h *host) enter(state beat.HostState, at time.Time) {
	if state == h.state {
		return
	}
	ms := at.UnixMilli()
	switch state {
	case beat.Covered, beat.Unknown:
		h.stateAt = ms
	case h.bare:
		h.stateAt = h.bareAt
	default:
		h.bare, h.bareAt, h.stateAt = state, ms, ms
	}
	h.state = state
}

// find is where a host is in s.order, and whether it is there.
func (s *store) find(id beat.HostID) (int, bool) {
	lo, hi := 0, len(s.order)
	for lo < hi {
		mid := (lo + hi) / 2
		if c := strings.Compare(string(s.hosts[s.order[mid]].id), string(id)); c == 0 {
			return mid, true
		} else if c < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, false
}

// lookup is a host that is there, or nil. It holds until a host is added.
func (s *store) lookup(id beat.HostID) *host {
	if i, ok := s.find(id); ok {
		return &s.hosts[s.order[i]]
	}
	return nil
}

// maxNames bounds the interned names of hosts.
const maxNames = 100_000

func (p *Presence) intern(id beat.HostID) beat.HostID {
	if name, ok := p.names[id]; ok {
		return name
	}
	id = beat.HostID(strings.Clone(string(id)))
	if len(p.names) < maxNames {
		p.names[id] = id
	}
	return id
}

func (p *Presence) host(s *store, id beat.HostID) *host {
	i, ok := s.find(id)
	if ok {
		return &s.hosts[s.order[i]]
	}
	s.order = slices.Insert(s.order, i, uint16(len(s.hosts))) //nolint:gosec // at most maxDirectHosts
	s.hosts = append(s.hosts, host{id: p.intern(id), stateAt: p.now.Wall.UnixMilli()})
	return &s.hosts[len(s.hosts)-1]
}

func (s *store) drop(id beat.HostID) {
	i, ok := s.find(id)
	if !ok {
		return
	}
	at, last := s.order[i], uint16(len(s.hosts)-1) //nolint:gosec // at most maxDirectHosts
	if at != last {
		j, _ := s.find(s.hosts[last].id)
		s.order[j] = at
		s.hosts[at] = s.hosts[last]
	}
	s.order = slices.Delete(s.order, i, i+1)
	s.hosts[last] = host{}
	s.hosts = s.hosts[:last]
}

// picture takes the whole picture: what is not in it, its relay retired.
func (p *Presence) picture(s *store, r *beat.Report, mono time.Duration) {
	s.hash = r.Hash
	sameDisk := s.pictured == r.Incarnation
	s.pictured = r.Incarnation
	for i := range s.hosts {
		h := &s.hosts[i]
		h.relayed, h.listed = false, h.listed && sameDisk
	}
	if missing := len(r.Picture.Hosts) - len(s.hosts); missing > 0 {
		s.hosts = slices.Grow(s.hosts, missing)
	}
	for i := range r.Picture.Hosts {
		p.pictureHost(s, &r.Picture.Hosts[i], mono)
	}
	p.takeLan(s, r, mono)
	// A relay that lost its disk does not know all hosts: it retired none that it
	// does not list yet.
	var gone []beat.HostID
	for _, i := range s.order {
		if h := &s.hosts[i]; h.listed && !h.relayed && h.number != 0 && h.direct == beat.Unknown {
			gone = append(gone, h.id)
		}
	}
	for _, id := range gone {
		p.forget(s.id, id, false)
	}
	p.touch(s)
}

// pictureHost takes the relay's word about one host.
func (p *Presence) pictureHost(s *store, hr *beat.HostReport, mono time.Duration) {
	h := p.host(s, hr.Host)
	if !h.known() {
		p.emit(&Adopted{Store: s.id, Host: h.id, Via: ByRelay})
	}
	if hr.Number != h.number || hr.State != h.relay {
		s.saveHosts, h.news = true, true
		h.byeOver = false
	}
	if hr.State == beat.Stopped && hr.Number != h.number {
		p.endDirect(h) // a goodbye ends all beats before it
	}
	h.relayed, h.listed, h.relay, h.reason, h.number = true, true, hr.State, hr.Reason, hr.Number
	h.intervalMs, h.status, h.flapping = hr.IntervalMs, hr.Status, hr.Flapping
	h.beats = hr.Age() <= h.interval()+beat.HostGrace(h.interval())
	if n := h.notes(); n.relay != hr.Message {
		n.relay = strings.Clone(hr.Message)
		h.say(n)
	}
	seen := s.clock.date(mono - hr.Age()) // before the relay's boot, it may be
	if hr.State == beat.Unknown && h.lastSeen != 0 {
		seen = max(seen, h.lastSeen) // a relay that started lately knows less than we do
	}
	h.lastSeen = seen
	s.top = max(s.top, hr.Number)
}

// hostsDue is the earliest instant at which a host's way expires, or a
// question about a host is due.
func (p *Presence) hostsDue(s *store) time.Duration {
	at := never
	soonest := func(t time.Duration) {
		if t > p.now.Mono {
			at = min(at, t)
		}
	}
	for i := range s.hosts {
		h := &s.hosts[i]
		if h.direct.Alive() && p.settled {
			soonest(p.expires(h))
		}
		if h.state == beat.Stopped && !h.byeOver {
			soonest(p.mono(p.hostReturns(s, h)))
		}
		w := h.wait
		if w == nil || w.asking != 0 {
			continue
		}
		soonest(w.askAt)
		if w.theirs == "" {
			soonest(w.since + p.opt.Blind)
		}
		if w.deafSince != 0 {
			soonest(w.deafSince + p.opt.Blind)
		}
	}
	return at
}
