package notice

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hb-mesh/hb-mesh/broker/incident"
)

// Metrics are a Sender's.
type Metrics struct {
	// Publishes counts orders by channel and result.
	Publishes *prometheus.CounterVec
	// Seconds is how long publishes took, by channel.
	Seconds *prometheus.HistogramVec
	// Queue is how many orders are queued or under way, by channel.
	Queue *prometheus.GaugeVec
}

// NewMetrics makes them and registers them with reg.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		Publishes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hbmesh_broker_notice_publishes_total",
			Help: "Publishes of notices, by channel and result: sent, failed (retried), unknown (the answer was lost), permanent (given up), late, busy, stopped.",
		}, []string{"channel", "result"}),
		Seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "hbmesh_broker_notice_publish_seconds",
			Help:    "How long a publish took, by channel.",
			Buckets: []float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"channel"}),
		Queue: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "hbmesh_broker_notice_queue",
			Help: "Publishes that are queued or under way, by channel.",
		}, []string{"channel"}),
	}
	reg.MustRegister(m.Publishes, m.Seconds, m.Queue)
	return m
}

func (m *Metrics) count(c incident.Channel, err error) {
	result := "failed"
	switch {
	case err == nil:
		result = "sent"
	case errors.Is(err, ErrPermanent):
		result = "permanent"
	case errors.Is(err, ErrUnknown):
		result = "unknown"
	case errors.Is(err, ErrTooLate):
		result = "late"
	case errors.Is(err, ErrBusy):
		result = "busy"
	case errors.Is(err, ErrStopped):
		result = "stopped"
	}
	m.Publishes.WithLabelValues(string(c), result).Inc()
}
