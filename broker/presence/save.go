package presence

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// docVersion is the version of the documents that this code writes; absent is
// 1. A newer one is set aside: its other fields may mean anything.
const docVersion = 1

// storeDoc is what the table remembers of a store.
type storeDoc struct {
	V           int              `cbor:"1,keyasint,omitempty" json:"v,omitempty"`
	Relay       beat.RelayID     `cbor:"2,keyasint" json:"relay"`
	Incarnation beat.Incarnation `cbor:"3,keyasint" json:"incarnation"`
	Boot        beat.Boot        `cbor:"4,keyasint" json:"boot"`
	Epoch       beat.Epoch       `cbor:"5,keyasint" json:"epoch"`
	Top         beat.Number      `cbor:"6,keyasint" json:"top"`
	View        View             `cbor:"7,keyasint" json:"view"`
	LastSeen    time.Time        `cbor:"8,keyasint" json:"lastSeen"`
	StoppedAt   time.Time        `cbor:"9,keyasint,omitzero" json:"stoppedAt,omitzero"`
	Restarts    bool             `cbor:"10,keyasint,omitempty" json:"restarts,omitempty"`
	// Lan says that its LAN was said to be dead.
	Lan bool `cbor:"11,keyasint,omitempty" json:"lan,omitempty"`
	// Date is the day of the hosts' Seen, in days since 1970-01-01.
	Date  int       `cbor:"12,keyasint,omitempty" json:"date,omitempty"`
	Hosts []hostDoc `cbor:"13,keyasint,omitempty" json:"hosts,omitempty"`
	// Rivals are the boots of a conflict: none, or two.
	Rivals []beat.Boot `cbor:"14,keyasint,omitempty" json:"rivals,omitempty"`
}

type hostDoc struct {
	Host       beat.HostID    `cbor:"1,keyasint" json:"h"`
	State      beat.HostState `cbor:"2,keyasint" json:"s"`
	Number     beat.Number    `cbor:"3,keyasint" json:"n"`
	IntervalMs int64          `cbor:"4,keyasint,omitempty" json:"i,omitempty"`
	// Seen are the last open days on which it lived; Bye is when it said
	// goodbye (Unix, ms), if it did.
	Seen dayBits `cbor:"5,keyasint,omitempty" json:"d,omitempty"`
	Bye  int64   `cbor:"6,keyasint,omitempty" json:"b,omitempty"`
}

// directDoc is what the table remembers of a host that beats directly.
type directDoc struct {
	V          int            `cbor:"1,keyasint,omitempty" json:"v,omitempty"`
	State      beat.HostState `cbor:"2,keyasint" json:"state"`
	IntervalMs int64          `cbor:"3,keyasint" json:"intervalMs"`
	Number     uint64         `cbor:"4,keyasint" json:"number"`
	// Node and Term numbered it.
	Node     string    `cbor:"5,keyasint,omitempty" json:"node,omitempty"`
	Term     int64     `cbor:"6,keyasint,omitempty" json:"term,omitempty"`
	LastBeat time.Time `cbor:"7,keyasint" json:"lastBeat"`
}

// refreshes says whether home saves the store again by itself.
func (p *Presence) refreshes(s *store) bool { return s.session == sessionOpen && s.home }

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
	if s.saveHosts && !s.home {
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
		V: docVersion, Relay: s.relay, Incarnation: s.incarnation, Boot: s.boot, Epoch: s.epoch, Top: s.top, View: v.View,
		LastSeen: p.now.At(s.lastReport).UTC().Truncate(time.Millisecond),
	}
	if s.session != sessionOpen {
		d.LastSeen = s.lastLife
	}
	if s.stopped {
		d.StoppedAt, d.Restarts = p.now.At(s.stoppedAt).UTC(), s.restarts
	}
	if c := s.conflict; c != nil {
		d.Rivals = []beat.Boot{c.a, c.b}
	}
	d.Date, d.Lan = s.days.date, s.lan.said
	for _, i := range s.order {
		if h := &s.hosts[i]; h.relayed {
			hd := hostDoc{Host: h.id, State: h.relay, Number: h.number, IntervalMs: int64(h.intervalMs), Seen: h.seen}
			if h.relay == beat.Stopped && h.bare == beat.Stopped {
				hd.Bye = h.bareAt
			}
			d.Hosts = append(d.Hosts, hd)
		}
	}
	return StoreItem{Region: p.opt.Region, Store: s.id, Doc: marshal(d)}
}

func (p *Presence) directItem(s *store, h *host) StoreItem {
	return StoreItem{Region: p.opt.Region, Store: s.id, Host: h.id, Doc: marshal(directDoc{
		V: docVersion, State: h.direct, IntervalMs: int64(h.dIntervalMs), Number: h.dNumber,
		Node: p.origins[h.origin].node, Term: p.origins[h.origin].term,
		LastBeat: p.now.At(h.dLast).UTC().Truncate(time.Millisecond),
	})}
}

// The documents are CBOR with integer keys: a store of 20 hosts fits into one
// write unit of 1 KB. Times are text, so that a millisecond stays one.
var (
	docEncoding = must(cbor.EncOptions{Time: cbor.TimeRFC3339Nano}.EncMode())
	docDecoding = must(cbor.DecOptions{MaxNestedLevels: 8, MaxArrayElements: 1024, MaxMapPairs: 64, IndefLength: cbor.IndefLengthForbidden}.DecMode())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // the options above are constant
	}
	return v
}

func marshal(v any) []byte {
	doc, err := docEncoding.Marshal(v)
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

// readDoc reads a document, and says why it is set aside.
func readDoc(doc []byte, v any) Refusal {
	var head struct {
		V int `cbor:"1,keyasint" json:"v"`
	}
	unmarshal := docDecoding.Unmarshal
	if len(doc) > 0 && doc[0] == '{' {
		unmarshal = json.Unmarshal // as the first release wrote it
	}
	switch {
	case unmarshal(doc, &head) != nil || head.V < 0:
		return BadItem
	case head.V > docVersion:
		return NewerItem
	case unmarshal(doc, v) != nil:
		return BadItem
	default:
		return NotRefused
	}
}

func (d *storeDoc) check() Refusal {
	switch {
	case d.Relay == "" || d.Epoch >= beat.MaxCounter || d.Top >= beat.MaxCounter || len(d.Hosts) > beat.MaxHosts || len(d.Rivals) != 0 && len(d.Rivals) != 2:
		return BadItem
	case slices.ContainsFunc(d.Hosts, func(h hostDoc) bool {
		return h.Host == "" || h.State >= beat.Covered || h.IntervalMs < 0 || h.IntervalMs > beat.MaxInterval.Milliseconds()
	}):
		return BadItem
	default:
		return NotRefused
	}
}

func (p *Presence) loadStore(item *StoreItem) {
	var d storeDoc
	why := readDoc(item.Doc, &d)
	if why == NotRefused {
		why = d.check()
	}
	if why != NotRefused {
		p.emit(&Refused{ID: beat.Identity{Store: item.Store}, Reason: why})
		return
	}
	s := p.store(item.Store)
	if s.session != sessionNone || s.relay != "" {
		return // it is here already: memory is newer
	}
	s.relay, s.incarnation, s.boot, s.epoch, s.top = d.Relay, d.Incarnation, d.Boot, d.Epoch, d.Top
	s.pictured, s.lastLife = d.Incarnation, d.LastSeen
	s.suspectAt, s.openAt = p.started.Mono, p.started.Mono
	s.lossSaved = d.View == ViewLost
	// What was open when it was written last is so up to the start, as far as
	// the table knows: a loss would have been written.
	s.opened = d.View != ViewLost && d.View != ViewStopped && d.View != ViewNever
	if d.View == ViewLost {
		s.opened = true
		s.openAt -= max(0, p.now.Wall.Sub(d.LastSeen))
	}
	if d.View == ViewStopped {
		s.stopped, s.restarts = true, d.Restarts
		s.stoppedAt = p.now.Mono - max(0, p.now.Wall.Sub(d.StoppedAt))
		p.promise(s)
	}
	if len(d.Rivals) == 2 { // when the other relay came last nobody knows: it counts from the start
		s.conflict = &conflict{a: d.Rivals[0], b: d.Rivals[1], lastAt: p.started.Mono}
	}
	s.days.date, s.lan.dead, s.lan.said, s.lan.again = d.Date, d.Lan, d.Lan, d.Lan
	for _, hd := range d.Hosts {
		p.loadHost(s, &hd)
	}
	p.count(s)
	p.touch(s)
}

func (p *Presence) loadHost(s *store, hd *hostDoc) {
	h := p.host(s, hd.Host)
	h.relayed, h.listed, h.relay, h.number, h.seen = true, true, hd.State, hd.Number, hd.Seen
	h.intervalMs = uint32(hd.IntervalMs) //nolint:gosec // checked
	if hd.Bye != 0 {
		h.bare, h.bareAt = beat.Stopped, hd.Bye
	}
}

func (p *Presence) loadDirect(item *StoreItem) {
	var d directDoc
	why := readDoc(item.Doc, &d)
	if why == NotRefused && (d.State >= beat.Covered || d.IntervalMs < 0 || d.IntervalMs > beat.MaxInterval.Milliseconds()) {
		why = BadItem
	}
	if why != NotRefused {
		p.emit(&Refused{ID: beat.Identity{Store: item.Store}, Reason: why})
		return
	}
	s := p.store(item.Store)
	if s.lookup(item.Host) == nil && len(s.hosts) >= maxDirectHosts {
		p.emit(&Refused{ID: beat.Identity{Store: item.Store}, Reason: TooMany})
		return
	}
	h := p.host(s, item.Host)
	if item.Region != p.opt.Region {
		h.theirWay = true
	} else if h.direct == beat.Unknown {
		h.direct, h.dNumber, h.origin = d.State, d.Number, p.originOf(d.Node, d.Term)
		h.dIntervalMs = uint32(max(d.IntervalMs, beat.MinInterval.Milliseconds())) //nolint:gosec // checked
		h.dLast = p.started.Mono                                                   // freshness counts from the start of this node
		if !d.State.Alive() {
			h.dLast -= max(0, p.now.Wall.Sub(d.LastBeat))
		}
		p.direct = max(p.direct, d.Number)
	}
	p.touch(s)
}
