package presence

import (
	"slices"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Explanation is all that this region knows of a store, and what comes next:
// for people who ask why it is in its state.
type Explanation struct {
	Store  beat.StoreID `json:"store"`
	State  State        `json:"state"`
	Reason Reason       `json:"reason"`
	Since  time.Time    `json:"since"`
	// Condition is what was said of it last.
	Condition string      `json:"condition,omitempty"`
	Home      beat.Region `json:"home"`
	// Region is this one. Settled says that it opens incidents from silence;
	// SettlesUntil when that is looked at next.
	Region       beat.Region `json:"region"`
	Settled      bool        `json:"settled"`
	SettlesUntil time.Time   `json:"settlesUntil,omitzero"`
	// Peer is the other region as a whole, Fleet what this one thinks of itself.
	Peer  PeerExplained  `json:"peer"`
	Fleet FleetExplained `json:"fleet"`

	Session SessionExplained `json:"session"`
	Asked   AskExplained     `json:"asked"`
	Hosts   []HostExplained  `json:"hosts"`
	// Next is what comes by itself, in the order of time.
	Next []Expected `json:"next"`
}

// PeerExplained is what this region knows of the other one.
type PeerExplained struct {
	State PeerState `json:"state"`
	Term  int64     `json:"term,omitempty"`
	// LastLife is its last sign of life, CutSince since when it answers by
	// neither way, and StandsSince since when its lease stands still.
	LastLife    time.Time `json:"lastLife,omitzero"`
	CutSince    time.Time `json:"cutSince,omitzero"`
	StandsSince time.Time `json:"standsSince,omitzero"`
	// Witnesses are the relays that could know, Fresh those that heard of it
	// lately; they are counted while the link is cut.
	Witnesses int `json:"witnesses"`
	Fresh     int `json:"fresh"`
}

// FleetExplained is how this region's stores are as a whole.
type FleetExplained struct {
	State    FleetState `json:"state"`
	Expected int        `json:"expected"`
	Lost     int        `json:"lost"`
	// Unanswered and OpenThere are among the lost.
	Unanswered int `json:"unanswered"`
	OpenThere  int `json:"openThere"`
}

// SessionExplained is the relay's session here.
type SessionExplained struct {
	// View is this region's own: open, lost, never, stopped or settling.
	View       View         `json:"view"`
	Relay      beat.RelayID `json:"relay,omitempty"`
	Software   string       `json:"software,omitempty"`
	Boot       beat.Boot    `json:"boot,omitzero"`
	Epoch      beat.Epoch   `json:"epoch,omitempty"`
	Seq        beat.Seq     `json:"seq,omitempty"`
	LastReport time.Time    `json:"lastReport,omitzero"`
	EveryMs    int64        `json:"reportEveryMs,omitempty"`
	// SuspectSince is when the session ended; ReturnBy what a goodbye promises.
	SuspectSince time.Time `json:"suspectSince,omitzero"`
	ReturnBy     time.Time `json:"returnBy,omitzero"`
	Rebirths     int       `json:"rebirths,omitempty"`
	// Rivals are the boots of two relays that connect as one.
	Rivals []beat.Boot `json:"rivals,omitempty"`
	// SessionThere says whether its relay has a session in the other region, by
	// its last report; AckAgeMs is the age of that region's last PUBACK in it.
	SessionThere *bool `json:"sessionThere,omitempty"`
	AckAgeMs     int64 `json:"ackAgeMs,omitempty"`
	LanDead      bool  `json:"lanDead,omitempty"`
}

// AskExplained is where the question to the other region stands.
type AskExplained struct {
	// Waits says that a question is under way; Answer is the last word since the
	// loss, "" for none.
	Waits           bool       `json:"waits"`
	Answer          View       `json:"answer,omitempty"`
	Epoch           beat.Epoch `json:"epoch,omitempty"`
	Opens           int        `json:"opens,omitempty"`
	UnansweredSince time.Time  `json:"unansweredSince,omitzero"`
}

// HostExplained is what this region knows of one host.
type HostExplained struct {
	HostStatus
	Number beat.Number `json:"number,omitempty"`
	// Relay and Direct are its state by each way here, ThereToo says that the
	// other region may hold one; Answer is that region's word.
	Relay    beat.HostState `json:"relay"`
	Direct   beat.HostState `json:"direct"`
	ThereToo bool           `json:"thereToo,omitempty"`
	Answer   View           `json:"answer,omitempty"`
	// Days is on how many of the last 14 open days it was seen.
	Days int `json:"days"`
}

// Expected is what comes at an instant, if nothing else does before.
type Expected struct {
	At   time.Time   `json:"at"`
	What Coming      `json:"what"`
	Host beat.HostID `json:"host,omitempty"`
}

// Explain is all that this region knows of a store; ok is false for an unknown
// one.
func (p *Presence) Explain(now beat.Now, id beat.StoreID) (e Explanation, ok bool) {
	s := p.stores[id]
	if s == nil {
		return Explanation{}, false
	}
	p.now = now
	e = Explanation{
		Store: id, State: s.state, Reason: s.reason, Since: s.stateAt, Condition: s.cond.String(), Home: p.Home(id),
		Region: p.opt.Region, Settled: p.settled, SettlesUntil: p.wall(p.settleAt),
		Peer: p.explainPeer(), Session: p.explainSession(s),
		Fleet: FleetExplained{State: p.fleet.state, Expected: p.fleet.expected, Lost: p.fleet.lost, Unanswered: p.fleet.deaf, OpenThere: p.fleet.open},
		Asked: AskExplained{
			Waits: s.asking != 0, Answer: s.theirs.View, Epoch: s.theirs.Epoch, Opens: s.opens, UnansweredSince: p.wall(s.deafSince),
		},
		Next: p.comings(s),
	}
	for _, i := range s.order {
		e.Hosts = append(e.Hosts, explainHost(now, s, &s.hosts[i]))
	}
	return e, true
}

// wall dates an instant of the monotonic clock; 0 and never have no date.
func (p *Presence) wall(mono time.Duration) time.Time {
	if mono == 0 || mono == never {
		return time.Time{}
	}
	return p.now.At(mono)
}

func (p *Presence) explainPeer() PeerExplained {
	m := &p.peer
	return PeerExplained{
		State: m.state, Term: p.peerTerm(), LastLife: p.wall(m.lifeAt), CutSince: p.wall(m.cutAt), StandsSince: p.wall(m.movedAt),
		Witnesses: m.witnesses.all, Fresh: m.witnesses.fresh,
	}
}

func (p *Presence) explainSession(s *store) SessionExplained {
	e := SessionExplained{
		View: p.view(s).View, Relay: s.relay, Software: s.software, Boot: s.boot, Epoch: s.epoch, Seq: s.seq,
		LastReport: s.lastLife, EveryMs: s.every.Milliseconds(), Rebirths: s.rebirths, LanDead: s.lan.said,
	}
	switch {
	case s.session == sessionOpen:
		e.LastReport = p.now.At(s.lastReport)
	case s.stopped:
		e.ReturnBy = s.returnAt
	case s.relay != "":
		e.SuspectSince = p.wall(s.suspectAt)
	}
	if s.conflict != nil {
		e.Rivals = []beat.Boot{s.conflict.a, s.conflict.b}
	}
	if s.witness {
		there := s.aloneSince == 0
		e.SessionThere, e.AckAgeMs = &there, s.ackAge.Milliseconds()
	}
	return e
}

func explainHost(now beat.Now, s *store, h *host) HostExplained {
	e := HostExplained{
		HostStatus: h.shown(now, s), Number: h.number, Relay: h.relay, Direct: h.direct, ThereToo: h.theirWay, Days: h.seen.count(),
	}
	if h.wait != nil {
		e.Answer = h.wait.theirs
	}
	return e
}

// comings are what comes by itself, in the order of time; saving and the
// calendar are of no interest.
func (p *Presence) comings(s *store) []Expected {
	var next []Expected
	add := func(at time.Duration, what Coming, host beat.HostID) {
		if at > p.now.Mono && at != never && what != ComesSave {
			next = append(next, Expected{At: p.now.At(at), What: what, Host: host})
		}
	}
	if !p.settled {
		add(p.settleAt, ComesSettled, "")
	}
	p.each(s, func(at time.Duration, what Coming) { add(at, what, "") })
	for _, i := range s.order {
		h := &s.hosts[i]
		if h.direct.Alive() && p.settled {
			add(p.expires(h), ComesHost, h.id)
		}
		if h.state == beat.Stopped && !h.byeOver {
			add(p.mono(p.hostReturns(s, h)), ComesReturn, h.id)
		}
		if w := h.wait; w != nil && w.asking == 0 {
			add(w.askAt, ComesQuestion, h.id)
			if w.theirs == "" {
				add(w.since+p.opt.Blind, ComesBlind, h.id)
			}
		}
	}
	slices.SortStableFunc(next, func(a, b Expected) int { return a.At.Compare(b.At) })
	return next
}
