package relay_test

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// lan waits for a picture whose LAN is dead or well.
func (g *region) lan(dead bool) {
	g.t.Helper()
	g.wait("the LAN", func(all []beat.Report, _ []beat.Transition) bool {
		for _, r := range slices.Backward(all) {
			if p := r.Picture; p != nil {
				return p.Lan != nil && p.Lan.Dead == dead
			}
		}
		return false
	})
}

func TestHostsThatVanishTogetherAreADeadLAN(t *testing.T) {
	east := startRegion(t, "us-east-1", "127.0.0.1:0")
	o := options(t, east)
	u := start(t, o)
	names := []string{"pos1", "pos2", "pos3"}
	var tills []*register
	for _, n := range names {
		tills = append(tills, u.register(n))
		tills[len(tills)-1].beat("")
	}
	east.shows("pos1:up pos2:up pos3:up")
	for _, till := range tills {
		till.pull()
	}
	east.lan(true)
	if _, page := u.get("/"); !strings.Contains(page, "LAN is dead") {
		t.Error("the page does not say that the LAN is dead")
	}
	if _, metrics := u.get("/metrics"); !strings.Contains(metrics, "hbmesh_relay_lan_dead 1") {
		t.Error("no metric says that the LAN is dead")
	}
	if err := u.stop(); err != nil {
		t.Fatal(err)
	}
	east.clear()
	u = start(t, o) // it is still dead
	east.lan(true)
	for _, n := range names {
		u.register(n).beat("")
	}
	east.lan(false)
	east.wait("the LAN in the history", func(_ []beat.Report, h []beat.Transition) bool {
		return len(h) > 0 && h[len(h)-1].Host == "" && h[len(h)-1].Reason == beat.LanBack
	})
}

func TestALANPortWithoutCarrierIsADeadLAN(t *testing.T) {
	east := startRegion(t, "us-east-1", "127.0.0.1:0")
	o := options(t, east)
	var state atomic.Int32 // 0 is plugged, 1 is unplugged, 2 is no such port
	o.LANInterface = "eth1"
	o.Carrier = func(name string) (bool, error) {
		if name != "eth1" || state.Load() == 2 {
			return false, errors.New("no such port")
		}
		return state.Load() == 0, nil
	}
	u := start(t, o)
	u.register("pos1").beat("")
	state.Store(1)
	east.lan(true)
	state.Store(2)
	waitFor(t, "a word on the port", func() bool { return strings.Contains(u.log.String(), "the LAN port is unknown") })
}

// A bye says whether the regions may await the relay at once.
func TestAByeSaysWhetherItIsARestart(t *testing.T) {
	for _, restarts := range []bool{false, true} {
		east := startRegion(t, "us-east-1", "127.0.0.1:0")
		o := options(t, east)
		o.Restarts = restarts
		u := start(t, o)
		waitFor(t, "a good status", func() bool { status, _ := u.get("/v1/status"); return status == 200 })
		if err := u.stop(); err != nil {
			t.Fatal(err)
		}
		east.wait("a bye", func(all []beat.Report, _ []beat.Transition) bool {
			last := all[len(all)-1]
			return last.Kind == beat.Goodbye && last.Restart == restarts
		})
	}
}
