package peer

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are those of a Client and a Server.
type Metrics struct {
	// Calls counts the client's calls, by call and result.
	Calls *prometheus.CounterVec
	// Seconds is how long answered calls took, by call.
	Seconds *prometheus.HistogramVec
	// Served counts what the server answered, by call and result.
	Served *prometheus.CounterVec
	// Queued is what waits to be forwarded, by call.
	Queued *prometheus.GaugeVec
	// Dropped counts what was not forwarded, by call.
	Dropped *prometheus.CounterVec
}

// NewMetrics makes them and registers them with reg.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		Calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hbmesh_broker_peer_calls_total",
			Help: "Calls to the other region, by call and result: ok, unanswered (no link), refused (secret, clock, not ready).",
		}, []string{"call", "result"}),
		Seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "hbmesh_broker_peer_call_seconds",
			Help:    "How long calls took that the other region answered.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"call"}),
		Served: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hbmesh_broker_peer_served_total",
			Help: "Calls of the other region, by call and result: ok, forbidden (not signed, replayed, wrong clock), bad, busy, failed.",
		}, []string{"call", "result"}),
		Queued: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "hbmesh_broker_peer_queued",
			Help: "News and verdicts that wait to be forwarded to the other region.",
		}, []string{"call"}),
		Dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hbmesh_broker_peer_dropped_total",
			Help: "News and verdicts that never reached the other region: their queue was full.",
		}, []string{"call"}),
	}
	reg.MustRegister(m.Calls, m.Seconds, m.Served, m.Queued, m.Dropped)
	return m
}

// The results of a call.
const (
	resultOK         = "ok"
	resultRefused    = "refused"
	resultUnanswered = "unanswered"
)

func callResult(err error) string {
	switch {
	case err == nil:
		return resultOK
	case errors.Is(err, ErrRefused):
		return resultRefused
	default:
		return resultUnanswered
	}
}
