package dynamo

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hb-mesh/hb-mesh/broker/table"
)

// Metrics counts what a Table does.
type Metrics struct {
	calls   *prometheus.CounterVec
	retries *prometheus.CounterVec
	seconds *prometheus.HistogramVec
}

// NewMetrics registers the metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hbmesh_broker_dynamo_calls_total",
			Help: "Calls of the DynamoDB table, by call and outcome (ok, conflict, unavailable, unknown, invalid).",
		}, []string{"call", "outcome"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hbmesh_broker_dynamo_retries_total",
			Help: "Attempts of table calls that were made again, by call; unprocessed items of a batch count as one.",
		}, []string{"call"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "hbmesh_broker_dynamo_call_seconds",
			Help:    "Duration of table calls with their retries, by call.",
			Buckets: prometheus.ExponentialBuckets(0.002, 4, 7),
		}, []string{"call"}),
	}
	reg.MustRegister(m.calls, m.retries, m.seconds)
	return m
}

func (m *Metrics) called(call string, took time.Duration, err error) {
	if m == nil {
		return
	}
	m.calls.WithLabelValues(call, table.Outcome(err)).Inc()
	m.seconds.WithLabelValues(call).Observe(took.Seconds())
}

func (m *Metrics) retried(call string) {
	if m != nil {
		m.retries.WithLabelValues(call).Inc()
	}
}
