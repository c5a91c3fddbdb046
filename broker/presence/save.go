package presence

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// storeDoc is what the table remembers of a store.
type storeDoc struct {
	Relay       beat.RelayID     `json:"relay"`
	Incarnation beat.Incarnation `json:"incarnation"`
	Boot        beat.Boot        `json:"boot"`
	Epoch       beat.Epoch       `json:"epoch"`
	Top         beat.Number      `json:"top"`
	View        View             `json:"view"`
	LastSeen    time.Time        `json:"lastSeen"`
	StoppedAt   time.Time        `json:"stoppedAt,omitzero"`
	Hosts       []hostDoc        `json:"hosts,omitempty"`
}

type hostDoc struct {
	Host       beat.HostID    `json:"h"`
	State      beat.HostState `json:"s"`
	Number     beat.Number    `json:"n"`
	IntervalMs int64          `json:"i,omitempty"`
}

// directDoc is what the table remembers of a host that beats directly.
type directDoc struct {
	State      beat.HostState `json:"state"`
	IntervalMs int64          `json:"intervalMs"`
	Number     uint64         `json:"number"`
	LastBeat   time.Time      `json:"lastBeat"`
}

// refreshes says whether home saves the store again by itself.
func (p *Presence) refreshes(s *store) bool { return s.session == sessionOpen && p.isHome(s.id) }

// refreshAt is when home saves a store that did not change: an hour after its
// last save and a little more, so that stores do not write together.
func (s *store) refreshAt() time.Duration {
	return s.savedAt + refreshAfter + refreshSpread*time.Duration(table.Bucket(string(s.id))+1)/table.Buckets
}

// save emits what a restart needs and the table does not have: open, loss and
// bye by each region; host changes by home only, and seldom. A steady beat
// saves nothing.
func (p *Presence) save(s *store) {
	for i := range s.hosts {
		if h := &s.hosts[i]; h.dirty {
			h.dirty = false
			p.emit(&Save{Item: p.directItem(s, h)})
		}
	}
	if s.relay == "" {
		s.saveNow, s.saveHosts = false, false
		return
	}
	if s.saveHosts && !p.isHome(s.id) {
		s.saveHosts = false
	}
	hosts := s.saveHosts && p.now.Mono >= s.savedAt+saveHosts
	refresh := p.refreshes(s) && p.now.Mono >= s.refreshAt()
	if !s.saveNow && !hosts && !refresh {
		return
	}
	s.saveNow, s.saveHosts, s.savedAt = false, false, p.now.Mono
	p.emit(&Save{Item: p.storeItem(s)})
}

func (p *Presence) storeItem(s *store) StoreItem {
	v := p.view(s)
	d := storeDoc{
		Relay: s.relay, Incarnation: s.incarnation, Boot: s.boot, Epoch: s.epoch, Top: s.top, View: v.View,
		LastSeen: p.now.At(s.lastReport).UTC().Truncate(time.Millisecond),
	}
	if s.session != sessionOpen {
		d.LastSeen = s.lastLife
	}
	if s.stopped {
		d.StoppedAt = p.now.At(s.stoppedAt).UTC()
	}
	for i := range s.hosts {
		if h := &s.hosts[i]; h.relayed {
			d.Hosts = append(d.Hosts, hostDoc{Host: h.id, State: h.relay, Number: h.number, IntervalMs: h.interval.Milliseconds()})
		}
	}
	return StoreItem{Region: p.opt.Region, Store: s.id, Doc: marshal(d)}
}

func (p *Presence) directItem(s *store, h *host) StoreItem {
	return StoreItem{Region: p.opt.Region, Store: s.id, Host: h.id, Doc: marshal(directDoc{
		State: h.direct, IntervalMs: h.dInterval.Milliseconds(), Number: h.dNumber,
		LastBeat: p.now.At(h.dLast).UTC().Truncate(time.Millisecond),
	})}
}

func marshal(v any) []byte {
	doc, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("presence: marshal: %v", err)) // plain structs cannot fail
	}
	return doc
}

// load takes what the table remembers. This region's own items make stores
// known, never open; the other's say only where a host may have a way.
func (p *Presence) load(items []StoreItem) {
	for i := range items {
		item := &items[i]
		switch {
		case item.Gone:
		case item.Host != "":
			p.loadDirect(item)
		case item.Region == p.opt.Region:
			p.loadStore(item)
		}
	}
}

func (p *Presence) loadStore(item *StoreItem) {
	var d storeDoc
	if json.Unmarshal(item.Doc, &d) != nil || d.Relay == "" {
		p.emit(&Refused{ID: beat.Identity{Store: item.Store}, Reason: UnknownSubject})
		return
	}
	s := p.store(item.Store)
	if s.session != sessionNone || s.relay != "" {
		return // it is here already: memory is newer
	}
	s.relay, s.incarnation, s.boot, s.epoch, s.top = d.Relay, d.Incarnation, d.Boot, d.Epoch, d.Top
	s.pictured, s.lastLife = d.Incarnation, d.LastSeen
	s.suspectAt = p.started.Mono
	s.lossSaved = d.View == ViewLost
	if d.View == ViewStopped {
		s.stopped = true
		s.stoppedAt = p.now.Mono - max(0, p.now.Wall.Sub(d.StoppedAt))
	}
	for _, hd := range d.Hosts {
		h := p.host(s, hd.Host)
		h.relayed, h.relay, h.number = true, hd.State, hd.Number
		h.interval = time.Duration(hd.IntervalMs) * time.Millisecond
	}
	p.touch(s)
}

func (p *Presence) loadDirect(item *StoreItem) {
	var d directDoc
	if json.Unmarshal(item.Doc, &d) != nil {
		p.emit(&Refused{ID: beat.Identity{Store: item.Store}, Reason: UnknownSubject})
		return
	}
	s := p.store(item.Store)
	h := p.host(s, item.Host)
	if item.Region != p.opt.Region {
		h.theirWay = true
	} else if h.direct == beat.Unknown {
		h.direct, h.dNumber = d.State, d.Number
		h.dInterval = max(time.Duration(d.IntervalMs)*time.Millisecond, beat.MinInterval)
		h.dLast = p.started.Mono // freshness counts from the start of this node
		if !d.State.Alive() {
			h.dLast -= max(0, p.now.Wall.Sub(d.LastBeat))
		}
		p.direct = max(p.direct, d.Number)
	}
	p.touch(s)
}
