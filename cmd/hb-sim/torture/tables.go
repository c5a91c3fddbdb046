package torture

import (
	"errors"
	"hash/fnv"
	"io"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/lease"
	"github.com/hb-mesh/hb-mesh/broker/node"
	"github.com/hb-mesh/hb-mesh/broker/peer/wire"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/broker/record"
	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/schedule"
)

// tableTimeout is how long a broker waits for a call of the table.
const tableTimeout = 5 * time.Second

// ailment is what is wrong with one region's replica.
type ailment struct {
	refuse   bool          // every call is refused
	throttle int           // of 100 calls so many are refused
	slow     time.Duration // how much longer a call takes
	lost     int           // of 100 writes so many lose their answer
}

// carriage is how items get from one replica to the other.
type carriage struct {
	cut     bool
	part    int // of the items, from 1, that is cut; 0: none
	held    []*row
	delay   time.Duration
	shuffle bool // each item takes a time of its own, up to delay
}

// tables is the table in both regions, and what is wrong with it.
type tables struct {
	w        *world
	replicas [2]*replica
	ailing   [2]ailment
	carriage [2]carriage // from that region to the other

	memo any // of the write that begins

	incidentPKs, storePKs, settingPKs []string
}

func (t *tables) init(w *world) {
	t.w = w
	for i := range t.replicas {
		t.replicas[i] = newReplica(w.names[i], i, w.wall)
		t.replicas[i].carry = func(r *row) { t.carry(i, r) }
		t.replicas[i].foreign = func(k table.Key) { w.truth.twoWriters(i, k) }
	}
	t.incidentPKs, t.storePKs = record.IncidentPKs(), record.StorePKs()
	for b := range table.Buckets {
		t.settingPKs = append(t.settingPKs, table.OperatorPK(b))
	}
}

func (t *tables) reset() {
	for i := range t.replicas {
		t.replicas[i].reset()
		t.ailing[i] = ailment{}
		c := &t.carriage[i]
		c.cut, c.part, c.held, c.delay, c.shuffle = false, 0, c.held[:0], 0, false
	}
}

// holds says whether a row does not get to the other replica.
func (c *carriage) holds(r *row) bool { return c.cut || c.part > 0 && r.part() == c.part }

// part is that of the replication that an item is in, whatever its version.
func (r *row) part() int {
	h := fnv.New32a()
	_, _ = io.WriteString(h, r.item.PK+" "+r.item.SK) // it does not fail
	return 1 + int(h.Sum32()%schedule.Parts)
}

// carry takes a row to the other region.
func (t *tables) carry(from int, r *row) {
	c := &t.carriage[from]
	if c.holds(r) {
		c.held = append(c.held, r)
		return
	}
	d := t.w.rng.between(150*time.Millisecond, 1200*time.Millisecond)
	switch {
	case c.shuffle:
		d += t.w.rng.between(0, c.delay)
	default:
		d += c.delay
	}
	t.w.after(d, func() { t.arrive(from, r) })
}

func (t *tables) arrive(from int, r *row) {
	if c := &t.carriage[from]; c.holds(r) {
		c.held = append(c.held, r)
		return
	}
	t.replicas[1-from].apply(r)
	if strings.HasPrefix(r.item.PK, "set#") {
		t.w.settingsChanged(1 - from)
	}
}

// heal lets the replication of a region go on: what was held arrives in an
// order of its own.
func (t *tables) heal(from int) {
	c := &t.carriage[from]
	c.cut, c.part, c.delay, c.shuffle = false, 0, 0, false
	held := c.held
	c.held = nil
	for _, r := range held {
		t.w.after(t.w.rng.between(50*time.Millisecond, 2*time.Second), func() { t.arrive(from, r) })
	}
}

// verdict is what becomes of a call.
type verdict struct {
	refused, lost bool
	at, answer    time.Duration // when it is done, and when the caller knows
}

func (t *tables) judge(region int, writes bool) verdict {
	a, w := &t.ailing[region], t.w
	v := verdict{at: w.rng.between(2*time.Millisecond, 8*time.Millisecond)}
	v.answer = v.at + 2*time.Millisecond
	switch {
	case a.refuse, a.throttle > 0 && w.rng.below(100) < a.throttle:
		v.refused = true
	case writes && a.lost > 0 && w.rng.below(100) < a.lost:
		v.lost, v.answer = true, tableTimeout
	}
	if a.slow > 0 && !v.refused {
		v.at += w.rng.between(0, a.slow)
		v.answer = v.at + w.rng.between(0, a.slow/2)
		if v.answer > tableTimeout || v.lost {
			v.lost, v.answer = true, tableTimeout
		}
	}
	return v
}

// read runs f when the replica is read: f says what the process hears.
func (t *tables) read(p *process, f func(ok bool) node.Event) {
	v, life := t.judge(p.region, false), p.life
	p.op()
	t.w.after(min(v.at, v.answer), func() {
		if p.life != life {
			return
		}
		e := f(!v.refused && !v.lost)
		p.later(max(0, v.answer-v.at), func() {
			p.ops--
			if r, ok := e.(*retryLoad); ok {
				p.later(time.Second, func() { p.load(r.term) })
				return
			}
			p.step(e)
		})
	})
}

// change runs do on the replica, and done in the process.
func (t *tables) change(p *process, do func(*replica) error, done func(error)) {
	v := t.judge(p.region, true)
	p.op()
	if v.refused {
		p.later(v.answer, func() { p.ops--; done(table.ErrUnavailable) })
		return
	}
	err := table.ErrUnknown
	t.w.after(v.at, func() {
		if e := do(t.replicas[p.region]); !v.lost {
			err = e
		}
	})
	p.later(v.answer, func() { p.ops--; done(err) })
}

// op counts a call of the table that begins.
func (p *process) op() {
	p.ops++
	p.w.truth.bounded("calls of the table", p.ops, mostOps+len(p.w.stores))
}

func (t *tables) write(p *process, w *table.Write, done func(error)) {
	memo := t.memo
	t.memo = nil
	t.change(p, func(r *replica) error {
		r.memo = memo
		err := r.write(w)
		r.memo = nil
		return err
	}, done)
}

func (t *tables) put(p *process, items []table.Item, done func(error)) {
	t.change(p, func(r *replica) error {
		for i := range items {
			r.put(items[i], false)
		}
		return nil
	}, done)
}

func (t *tables) del(p *process, keys []table.Key) {
	t.change(p, func(r *replica) error {
		for _, k := range keys {
			r.put(table.Item{Key: k}, true)
		}
		return nil
	}, func(error) {})
}

// leases are both regions', as one replica shows them.
func (t *tables) leases(region int) (own, theirs *lease.Item) {
	t.replicas[region].rows(record.LeasePK(), func(r *row) {
		l, ok := r.memo.(*lease.Item)
		if !ok {
			if it, why := record.ReadLease(r.item); why == "" {
				l = &it
				r.memo = l
			}
		}
		if r.item.SK == string(t.w.names[region]) {
			own = l
		} else {
			theirs = l
		}
	})
	return own, theirs
}

// remembered is what a region's replica holds in some partitions and can be
// read.
func remembered[T any](t *tables, region int, pks []string, read func(table.Item) (T, record.Reason)) []T {
	var all []T
	for _, pk := range pks {
		t.replicas[region].rows(pk, func(r *row) {
			if v, why := read(r.item); why == "" {
				all = append(all, v)
			}
		})
	}
	return all
}

func (t *tables) notices(region int, wall time.Time) []incident.Notice {
	return remembered(t, region, record.NoticePKs(wall), record.ReadNotice)
}

func (t *tables) incidents(region int) []incident.Incident {
	return remembered(t, region, t.incidentPKs, record.ReadIncident)
}

func (t *tables) stores(region int) []presence.StoreItem {
	return remembered(t, region, t.storePKs, record.ReadStore)
}

func (t *tables) mail(region int) []wire.Mail {
	var all []wire.Mail
	t.replicas[region].rows(record.MailPK(t.w.names[region]), func(r *row) {
		m, ok := r.memo.(*wire.Mail)
		if !ok {
			letter, why := record.ReadMail(r.item)
			if why != "" {
				return
			}
			m = &letter
			r.memo = m
		}
		all = append(all, *m)
	})
	return all
}

// fleet is what operators said, as one replica shows it.
func (t *tables) fleet(region int) *setting.Fleet {
	var items []setting.Item
	for _, pk := range t.settingPKs {
		t.replicas[region].rows(pk, func(r *row) {
			it, ok := r.memo.(*setting.Item)
			if !ok {
				s, err := setting.Decode(r.item.Doc)
				if err != nil {
					return
				}
				it = &setting.Item{Region: r.item.Writer(), Setting: s}
				r.memo = it
			}
			items = append(items, *it)
		})
	}
	if len(items) == 0 {
		return nil
	}
	return setting.Join(items)
}

func leaseResult(err error) lease.Result {
	switch {
	case err == nil:
		return lease.Done
	case errors.Is(err, table.ErrConflict):
		return lease.Refused
	case errors.Is(err, table.ErrUnavailable):
		return lease.Failed
	default:
		return lease.Uncertain
	}
}

func bookResult(err error) incident.Result {
	switch {
	case err == nil:
		return incident.Done
	case errors.Is(err, table.ErrConflict):
		return incident.Refused
	case errors.Is(err, table.ErrUnavailable):
		return incident.Failed
	default:
		return incident.Uncertain
	}
}
