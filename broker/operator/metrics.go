package operator

import "github.com/prometheus/client_golang/prometheus"

// Metrics are what a Desk counts.
type Metrics struct {
	Stores prometheus.Gauge
	Reads  *prometheus.CounterVec
	Unread *prometheus.CounterVec
	Writes *prometheus.CounterVec
}

// NewMetrics registers the metrics; reg may be nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	vec := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	}
	m := &Metrics{
		Stores: prometheus.NewGauge(prometheus.GaugeOpts{Name: "hbmesh_broker_operator_stores", Help: "Stores of which operators said something."}),
		Reads:  vec("hbmesh_broker_operator_reads_total", "Readings of the operators' settings, by result.", "result"),
		Unread: vec("hbmesh_broker_operator_unread_total", "Settings that were set aside, by reason.", "reason"),
		Writes: vec("hbmesh_broker_operator_writes_total", "Settings that were written, by result.", "result"),
	}
	if reg != nil {
		reg.MustRegister(m.Stores, m.Reads, m.Unread, m.Writes)
	}
	return m
}
