package ingress

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the LAN door's own counters; connections and frames are in
// guard.Metrics.
type Metrics struct {
	Beats   *prometheus.CounterVec // by way: mqtt, http
	Ignored *prometheus.CounterVec // by reason
}

// NewMetrics registers the counters; reg may be nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		Beats: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hbmesh_relay_beats_total",
			Help: "Beats that were taken, by way.",
		}, []string{"via"}),
		Ignored: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hbmesh_relay_lan_ignored_total",
			Help: "Messages and beats on the LAN that were ignored, by reason.",
		}, []string{"reason"}),
	}
	if reg != nil {
		reg.MustRegister(m.Beats, m.Ignored)
	}
	return m
}
