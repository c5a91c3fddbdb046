package docs_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hb-mesh/hb-mesh/broker"
	"github.com/hb-mesh/hb-mesh/cloud/dynamo"
	"github.com/hb-mesh/hb-mesh/cloud/local"
	"github.com/hb-mesh/hb-mesh/relay"
	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/guard"
	"github.com/hb-mesh/hb-mesh/relay/ingress"
	"github.com/hb-mesh/hb-mesh/relay/journal"
	"github.com/hb-mesh/hb-mesh/relay/uplink"
)

// metric is what a registry knows of a metric, and what its page says of it.
type metric struct{ name, kind, labels, help string }

// relayMetrics and brokerMetrics are what the two programs register. A name
// that two parts give away panics here, before it does in a store.
func relayMetrics(*testing.T) []metric {
	reg := prometheus.NewRegistry()
	relay.NewMetrics(reg)
	guard.NewMetrics(reg, "hbmesh_relay")
	ingress.NewMetrics(reg)
	journal.NewMetrics(reg)
	uplink.NewMetrics(reg)
	return described(reg)
}

func brokerMetrics(t *testing.T) []metric {
	t.Helper()
	reg := prometheus.NewRegistry()
	dynamo.NewMetrics(reg)
	const region beat.Region = "us-east-1"
	store, err := local.Open(local.DefaultOptions(t.TempDir(), region))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	o := broker.DefaultOptions()
	o.Region, o.Regions = region, []beat.Region{region, "us-west-2"}
	o.PeerURL, o.PeerSecret = "http://127.0.0.1:1", []byte("a secret of two regions")
	o.Table, o.Registry = store.Region(region), reg
	if _, err := broker.New(o); err != nil {
		t.Fatal(err)
	}
	return described(reg)
}

var description = regexp.MustCompile(`fqName: "([^"]*)", help: "(.*?)", (?:unit: "[^"]*", )?constLabels: \{.*?\}, variableLabels: \{(.*?)\}`)

// described lists a registry's metrics. A registry does not tell the kind of a
// metric that nobody counted yet: the name does, as Prometheus has it.
func described(reg *prometheus.Registry) []metric {
	found := make(chan *prometheus.Desc)
	go func() {
		defer close(found)
		reg.Describe(found)
	}()
	var all []metric
	for d := range found {
		m := description.FindStringSubmatch(d.String())
		one := metric{name: m[1], kind: "gauge", labels: strings.ReplaceAll(m[3], ",", ", "), help: m[2]}
		switch {
		case strings.HasSuffix(one.name, "_total"):
			one.kind = "counter"
		case strings.HasSuffix(one.name, "_seconds") && !strings.HasSuffix(one.name, "_timestamp_seconds"):
			one.kind = "histogram"
		}
		all = append(all, one)
	}
	return all
}

// The page has one line for each metric, with the words that /metrics has, and
// no other.
func TestMetricsPage(t *testing.T) {
	p := read(t, "reference/metrics.md")
	for section, all := range map[string][]metric{"The relay": relayMetrics(t), "A broker": brokerMetrics(t)} {
		documented := map[metric]bool{}
		for _, row := range p.rows(t, section) {
			documented[metric{name: code(row[0]), kind: row[1], labels: strings.ReplaceAll(row[2], "`", ""), help: row[3]}] = true
		}
		for _, m := range all {
			if !documented[m] {
				t.Errorf("%s: no line | `%s` | %s | %s | %s |", section, m.name, m.kind, m.labels, m.help)
			}
			delete(documented, m)
		}
		for m := range documented {
			t.Errorf("%s: nobody registers %+v", section, m)
		}
	}
}

// Whoever adds metrics to another package adds them to the lists above.
func TestNoPackageCountsInSecret(t *testing.T) {
	known := map[string]bool{
		"relay": true, "relay/guard": true, "relay/ingress": true, "relay/journal": true, "relay/uplink": true,
		"broker": true, "broker/credential": true, "broker/dashboard": true, "broker/gate": true, "broker/notice": true, "broker/operator": true, "broker/peer": true,
		"cloud/dynamo": true,
	}
	for _, f := range sources(t, "relay", "broker", "cloud") {
		if strings.Contains(f.text, "prometheus.CounterOpts{") || strings.Contains(f.text, "prometheus.GaugeOpts{") || strings.Contains(f.text, "prometheus.HistogramOpts{") {
			if !known[f.dir] {
				t.Errorf("%s has metrics that this test does not look at", f.path)
			}
		}
	}
}

var metricName = regexp.MustCompile(`hbmesh_(?:relay|broker)_[a-z_]*[a-z]`)

// A metric that any page names exists.
func TestNamedMetricsExist(t *testing.T) {
	known := map[string]bool{}
	for _, m := range append(relayMetrics(t), brokerMetrics(t)...) {
		known[m.name] = true
	}
	for _, p := range pages(t) {
		for _, name := range metricName.FindAllString(p.text, -1) {
			if !known[name] {
				t.Errorf("%s names %s, which nobody registers", p.path, name)
			}
		}
	}
}
