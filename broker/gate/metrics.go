package gate

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/hb-mesh/hb-mesh/relay/guard"
)

// Metrics are what a gate counts.
type Metrics struct {
	// Guard are those of the armour around the MQTT door.
	Guard *guard.Metrics

	Sessions prometheus.Gauge
	Reports  *prometheus.CounterVec
	Refused  *prometheus.CounterVec
	Logins   *prometheus.CounterVec
	Direct   *prometheus.CounterVec
	Expires  *prometheus.GaugeVec

	// The hot path's own, resolved once.
	births, steady, byes prometheus.Counter
}

// NewMetrics registers the metrics; with nil they count for nobody.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	f := promauto.With(reg)
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &Metrics{
		Guard: guard.NewMetrics(reg, "hbmesh_broker"),
		Sessions: f.NewGauge(prometheus.GaugeOpts{
			Name: "hbmesh_broker_gate_sessions", Help: "Relays that are connected and have authenticated.",
		}),
		Reports: vec("hbmesh_broker_gate_reports_total", "Envelopes handed to the core, by kind.", "kind"),
		Refused: vec("hbmesh_broker_gate_refused_total",
			"What a relay did and may not, or never did and had to: every reason but retained and subscribe ended the connection.", "reason"),
		Logins: vec("hbmesh_broker_gate_logins_total", "Logins at the MQTT door, by result: ok, failed, unavailable, refused.", "result"),
		Direct: vec("hbmesh_broker_gate_direct_beats_total", "Beats without a relay, by result: counted, forbidden, failed.", "result"),
		Expires: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "hbmesh_broker_gate_certificate_expiry_timestamp_seconds", Help: "When a door's certificate expires, in Unix seconds.",
		}, []string{"door"}),
	}
	m.births = m.Reports.WithLabelValues("birth")
	m.steady = m.Reports.WithLabelValues("report")
	m.byes = m.Reports.WithLabelValues("bye")
	return m
}
