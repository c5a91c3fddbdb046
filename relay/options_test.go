package relay_test

import (
	"strings"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/relay"
)

func valid() relay.Options {
	o := relay.DefaultOptions()
	o.Store, o.Relay, o.DataDir = "demo", "r1", "data"
	o.Regions = []relay.Region{{Name: "us-east-1", Address: "tls://east.example.com:8883"}, {Name: "us-west-2", Address: "tcp://127.0.0.1:1884"}}
	return o
}

func TestWrongOptionsAreRefusedInTheirSettingsWords(t *testing.T) {
	for want, change := range map[string]func(*relay.Options){
		"":                      func(*relay.Options) {},
		"store:":                func(o *relay.Options) { o.Store = "Bad" },
		"relay:":                func(o *relay.Options) { o.Relay = "" },
		"data:":                 func(o *relay.Options) { o.DataDir = "" },
		"mqtt.address:":         func(o *relay.Options) { o.MQTTAddr = "1883" },
		"keyed:":                func(o *relay.Options) { o.Keyed = true },
		"keys[1]:":              func(o *relay.Options) { o.Keyed, o.Keys = true, []string{"a", ""} },
		"regions: want one":     func(o *relay.Options) { o.Regions = nil },
		"us-east-1 is there":    func(o *relay.Options) { o.Regions[1].Name = "us-east-1" },
		"regions[0].name":       func(o *relay.Options) { o.Regions[0].Name = "" },
		"plain and not on":      func(o *relay.Options) { o.Regions[0].Address = "tcp://10.0.0.1:1883" },
		"regions[0].address":    func(o *relay.Options) { o.Regions[0].Address = "http://10.0.0.1:1883" },
		"times.reportEvery: 0s": func(o *relay.Options) { o.ReportEvery = 0 },
		"times.blip":            func(o *relay.Options) { o.Blip = -1 },
		"call it lost after 40": func(o *relay.Options) { o.ReportEvery = 25 * time.Second },
		"limits":                func(o *relay.Options) { o.BeatsPerSecond = -1 },
	} {
		o := valid()
		change(&o)
		err := o.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// The times of the contract, of a metered link and of the demo hold, and a
// coalescing of none is legal.
func TestTheContractsTimesHold(t *testing.T) {
	metered, demo := valid(), valid()
	metered.ReportEvery, metered.Keepalive = time.Minute, time.Minute
	demo.ReportEvery, demo.Keepalive, demo.AckTimeout = 2*time.Second, 3*time.Second, 2*time.Second
	demo.ReconnectFirst, demo.ReconnectCap, demo.Handshake = 500*time.Millisecond, time.Second, time.Second
	demo.Grace, demo.Blip, demo.Coalesce = 2*time.Second, 0, 0
	for _, o := range []relay.Options{metered, demo} {
		if err := o.Validate(); err != nil {
			t.Error(err)
		}
	}
}
