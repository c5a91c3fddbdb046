package broker

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hb-mesh/hb-mesh/broker/peer"
	"github.com/hb-mesh/hb-mesh/broker/peer/link"
	"github.com/hb-mesh/hb-mesh/broker/peer/wire"
)

// metrics are what the core and its effects count.
type metrics struct {
	adopted        prometheus.Counter
	refused        *prometheus.CounterVec
	incidents      *prometheus.CounterVec
	rebirths       prometheus.Counter
	unsent         prometheus.Counter
	calls          prometheus.Gauge
	saving         prometheus.Gauge
	history        prometheus.Counter
	historyDropped prometheus.Counter
	historyFailed  prometheus.Counter
	historyOver    prometheus.Counter
	aside          *prometheus.CounterVec
	setAside       *prometheus.CounterVec
	letters        *prometheus.CounterVec
	stalls         prometheus.Counter
	active         prometheus.Gauge
	tableCalls     *prometheus.CounterVec
	tableSeconds   *prometheus.HistogramVec

	peer *peer.Metrics // nil where no other region is called
	// dropped are how many news and verdicts were counted as dropped.
	dropped [2]uint64
}

// queues shows what waits for the other region. The core's lock is held.
func (m *metrics) queues(l *link.Link) {
	if l == nil || m.peer == nil {
		return
	}
	news, verdicts, lostNews, lostVerdicts := l.Queued()
	m.peer.Queued.WithLabelValues(string(wire.Heard)).Set(float64(news))
	m.peer.Queued.WithLabelValues(string(wire.Forward)).Set(float64(verdicts))
	m.peer.Dropped.WithLabelValues(string(wire.Heard)).Add(float64(lostNews - m.dropped[0]))
	m.peer.Dropped.WithLabelValues(string(wire.Forward)).Add(float64(lostVerdicts - m.dropped[1]))
	m.dropped = [2]uint64{lostNews, lostVerdicts}
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &metrics{
		adopted:        counter("hbmesh_broker_hosts_adopted_total", "Hosts that were seen for the first time."),
		refused:        vec("hbmesh_broker_events_refused_total", "Events of relays and of the other region that changed nothing, by reason.", "reason"),
		incidents:      vec("hbmesh_broker_incidents_total", "Changes of incidents, by kind and change.", "kind", "change"),
		rebirths:       counter("hbmesh_broker_rebirths_total", "Relays that were asked to come back with a higher epoch."),
		unsent:         counter("hbmesh_broker_downlink_unsent_total", "Messages to relays that could not be sent."),
		calls:          prometheus.NewGauge(prometheus.GaugeOpts{Name: "hbmesh_broker_calls", Help: "Calls of the table and the other region that are under way or wait for a slot."}),
		saving:         prometheus.NewGauge(prometheus.GaugeOpts{Name: "hbmesh_broker_saving", Help: "Items of stores, hosts and incidents that wait for the table."}),
		history:        counter("hbmesh_broker_history_entries_total", "Journal entries that the table took."),
		historyDropped: counter("hbmesh_broker_history_dropped_total", "Journal batches that were not queued; their relays send them again."),
		historyFailed:  counter("hbmesh_broker_history_failed_total", "Journal batches that the table did not take; their relays send them again."),
		historyOver:    counter("hbmesh_broker_history_over_total", "Journal batches of stores that had spent their budget: 50,512 entries at once, and 2 a second; their relays send them again."),
		aside:          vec("hbmesh_broker_items_set_aside_total", "Items of the table that could not be used, by reason: unreadable, misplaced, newer, lease; or entries of a journal that cannot be written: entry.", "reason"),
		setAside:       vec("hbmesh_broker_words_set_aside_total", "Words of the other region, and incidents and notices of the table, that could not be used, by reason; what was said beside them counts.", "reason"),
		letters:        vec("hbmesh_broker_letters_total", "Letters between the regions, which go by the table while HTTPS fails: posted, unposted, and why some were ignored.", "result"),
		stalls:         counter("hbmesh_broker_stalls_total", "How often this node stood still for 10 s or more, and settled again."),
		active:         prometheus.NewGauge(prometheus.GaugeOpts{Name: "hbmesh_broker_active", Help: "1 where this node is its region's active one, 0 on a standby."}),
		tableCalls:     vec("hbmesh_broker_table_calls_total", "Calls of the table, by call and result.", "call", "result"),
		tableSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "hbmesh_broker_table_seconds", Help: "How long calls of the table took, by call.", Buckets: prometheus.ExponentialBuckets(0.001, 3, 9),
		}, []string{"call"}),
	}
	reg.MustRegister(m.adopted, m.refused, m.incidents, m.rebirths, m.unsent, m.calls, m.saving, m.history, m.historyDropped, m.historyFailed, m.historyOver, m.aside, m.setAside, m.letters, m.stalls, m.active,
		m.tableCalls, m.tableSeconds)
	return m
}
