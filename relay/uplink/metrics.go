package uplink

import "github.com/prometheus/client_golang/prometheus"

// Metrics are what the uplinks count, by region.
type Metrics struct {
	open       *prometheus.GaugeVec     // region
	connects   *prometheus.CounterVec   // region, result
	ends       *prometheus.CounterVec   // region, cause
	reports    *prometheus.CounterVec   // region, kind
	pubacks    *prometheus.HistogramVec // region
	entries    *prometheus.CounterVec   // region
	overdue    *prometheus.CounterVec   // region
	refused    *prometheus.CounterVec   // region
	unreadable *prometheus.CounterVec   // region
	renewed    prometheus.Counter
}

const (
	namespace = "hbmesh"
	subsystem = "relay_uplink"
)

// NewMetrics makes the metrics and registers them.
func NewMetrics(r prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: subsystem, Name: name, Help: help,
		}, append([]string{"region"}, labels...))
		r.MustRegister(c)
		return c
	}
	m := &Metrics{
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "open", Help: "Whether the region acked the birth of the connection.",
		}, []string{"region"}),
		pubacks: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "puback_seconds", Help: "Time from a report to its PUBACK.",
			Buckets: []float64{.001, .005, .02, .05, .1, .2, .5, 1, 2, 5, 10},
		}, []string{"region"}),
		renewed: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "renewed_total",
			Help: "New incarnations, because the journal was restored from a copy.",
		}),
		connects:   counter("connects_total", "Attempts to connect, by their result: ok or failed.", "result"),
		ends:       counter("ends_total", "Connections that ended, by their cause.", "cause"),
		reports:    counter("reports_total", "Reports that were sent, by their kind: birth, picture, hash or bye.", "kind"),
		entries:    counter("entries_total", "Journal entries that were sent, repetitions included."),
		overdue:    counter("batches_overdue_total", "Journal batches that were not acked in time."),
		refused:    counter("reports_refused_total", "Reports with journal entries on which the region closed the connection."),
		unreadable: counter("messages_ignored_total", "Messages from the region that were malformed, retained or unknown."),
	}
	r.MustRegister(m.open, m.pubacks, m.renewed)
	return m
}
