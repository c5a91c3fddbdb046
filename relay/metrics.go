package relay

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Metrics are what the relay itself counts; its parts have their own.
type Metrics struct {
	transitions, ignored         *prometheus.CounterVec
	conflicts, undurable, stalls prometheus.Counter
	flaps, unsteady, lanDeaths   prometheus.Counter
	lanDead                      prometheus.Gauge
	hosts                        *prometheus.GaugeVec
	info                         *prometheus.GaugeVec
}

// NewMetrics makes the metrics and registers them.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	name := func(n, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Namespace: "hbmesh", Subsystem: "relay", Name: n, Help: help}
	}
	m := &Metrics{
		transitions: prometheus.NewCounterVec(name("transitions_total", "Transitions of hosts, by the state they entered."), []string{"state"}),
		ignored:     prometheus.NewCounterVec(name("ignored_total", "Words about hosts that changed nothing, by reason."), []string{"reason"}),
		conflicts:   prometheus.NewCounter(name("conflicts_total", "Times that two connections or addresses were found at work as one host.")),
		flaps:       prometheus.NewCounter(name("flapping_total", "Times that a host changed too often, and was held in its worse state.")),
		unsteady:    prometheus.NewCounter(name("unsteady_total", "Times that a host began to flap: more than six changes in ten minutes.")),
		lanDeaths:   prometheus.NewCounter(name("lan_deaths_total", "Times that the store's LAN died: its hosts vanished together, or its port lost the carrier.")),
		lanDead: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "hbmesh", Subsystem: "relay", Name: "lan_dead", Help: "1 while the store's LAN is dead, else 0.",
		}),
		undurable: prometheus.NewCounter(name("undurable_total", "Changes that were reported but could not be written to disk.")),
		stalls:    prometheus.NewCounter(name("stalls_total", "Times that the process stood still for seconds.")),
		hosts: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "hbmesh", Subsystem: "relay", Name: "hosts", Help: "Hosts, by state.",
		}, []string{"state"}),
		info: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "hbmesh", Subsystem: "relay", Name: "info", Help: "1, with who the relay is and its version.",
		}, []string{"store", "relay", "version"}),
	}
	reg.MustRegister(m.transitions, m.ignored, m.conflicts, m.flaps, m.unsteady, m.lanDeaths, m.lanDead, m.undurable, m.stalls, m.hosts, m.info)
	return m
}

// count sets the gauge of hosts.
func (m *Metrics) count(states map[beat.HostState]int) {
	for s := range beat.Covered {
		m.hosts.WithLabelValues(s.String()).Set(float64(states[s]))
	}
}
