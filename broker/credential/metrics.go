package credential

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics are what a keyring counts.
type Metrics struct {
	Keys      prometheus.Gauge
	Misses    *prometheus.CounterVec
	Refreshes *prometheus.CounterVec
}

// NewMetrics registers the metrics; with nil they count for nobody.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	f := promauto.With(reg)
	return &Metrics{
		Keys: f.NewGauge(prometheus.GaugeOpts{
			Name: "hbmesh_broker_keys", Help: "Keys that the region knows, revoked ones included.",
		}),
		Misses: f.NewCounterVec(prometheus.CounterOpts{
			Name: "hbmesh_broker_key_misses_total",
			Help: "Keys of our making that were not in memory, by result: found, absent, recent (asked for moments ago), limited, failed.",
		}, []string{"result"}),
		Refreshes: f.NewCounterVec(prometheus.CounterOpts{
			Name: "hbmesh_broker_key_refreshes_total", Help: "Reads of all keys from the table, by result: ok, failed.",
		}, []string{"result"}),
	}
}
