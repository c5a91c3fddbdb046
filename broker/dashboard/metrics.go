package dashboard

import "github.com/prometheus/client_golang/prometheus"

// Metrics count what the dashboard serves.
type Metrics struct {
	Streams  prometheus.Gauge
	Views    prometheus.Counter
	Requests *prometheus.CounterVec
	Refused  *prometheus.CounterVec
}

// NewMetrics registers the metrics with r.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		Streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "hbmesh_broker_dashboard_streams", Help: "Live pages that are connected now.",
		}),
		Views: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hbmesh_broker_dashboard_views_total", Help: "Views sent to live pages.",
		}),
		Requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hbmesh_broker_api_requests_total", Help: "API requests, by route and status code.",
		}, []string{"route", "code"}),
		Refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hbmesh_broker_api_refused_total", Help: "API requests refused before they were looked at, by reason.",
		}, []string{"reason"}),
	}
	r.MustRegister(m.Streams, m.Views, m.Requests, m.Refused)
	return m
}
