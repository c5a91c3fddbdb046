package journal

import "github.com/prometheus/client_golang/prometheus"

// Metrics are what a journal counts.
type Metrics struct {
	depth, bytes, free      prometheus.Gauge
	appended, shed, refused prometheus.Counter
	recovered, commits      prometheus.Counter
	commitSeconds           prometheus.Histogram
}

// NewMetrics makes the metrics and registers them.
func NewMetrics(r prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "hbmesh", Subsystem: "relay_journal", Name: name, Help: help})
		r.MustRegister(c)
		return c
	}
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "hbmesh", Subsystem: "relay_journal", Name: name, Help: help})
		r.MustRegister(g)
		return g
	}
	m := &Metrics{
		depth:     gauge("entries", "Transitions that no region has taken yet."),
		bytes:     gauge("bytes", "Size of the transitions that no region has taken yet."),
		free:      gauge("disk_free_bytes", "Free space of the data folder's disk at the last commit."),
		appended:  counter("appended_total", "Transitions that were made durable."),
		shed:      counter("shed_total", "Transitions that were dropped, oldest first, because the journal was full."),
		refused:   counter("refused_total", "Transitions that were not kept because the disk was full."),
		recovered: counter("recovered_total", "Torn or corrupt folders that were moved aside."),
		commits:   counter("commits_total", "Commits to disk, of any kind."),
		commitSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "hbmesh", Subsystem: "relay_journal", Name: "commit_seconds", Help: "Duration of a commit to disk.",
			Buckets: []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 5},
		}),
	}
	r.MustRegister(m.commitSeconds)
	return m
}
