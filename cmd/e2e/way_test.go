//go:build linux

package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// way is a TCP connection between two parts that can be hurt: cut as a black
// hole, cut in one direction, slow, narrow, or reset.
type way struct {
	t     testing.TB
	proxy *toxiproxy.Proxy
}

// newWay opens a way to an address, for this machine alone.
func newWay(t testing.TB, name, to string) *way {
	t.Helper()
	return newWayOn(t, name, "127.0.0.1:0", to)
}

func newWayOn(t testing.TB, name, listen, to string) *way {
	t.Helper()
	w := &way{t: t, proxy: toxiproxy.NewProxy(toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()), name, listen, to)}
	if err := w.proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.proxy.Stop)
	return w
}

// address is the near end.
func (w *way) address() string { return w.proxy.Listen }

// hurt lays one toxic over a direction: "upstream" is towards the far end.
func (w *way) hurt(kind, direction, attributes string) {
	w.t.Helper()
	_, err := w.proxy.Toxics.AddToxicJson(strings.NewReader(
		fmt.Sprintf(`{"name": %q, "type": %q, "stream": %q, "attributes": {%s}}`, kind+"-"+direction, kind, direction, attributes)))
	if err != nil {
		w.t.Errorf("hurt %s: %v", w.proxy.Name, err)
	}
}

// cut makes it a black hole: what is sent vanishes, and the ends hear nothing.
func (w *way) cut() {
	w.deafen("upstream")
	w.deafen("downstream")
}

// deafen cuts one direction, as a half-open connection is.
func (w *way) deafen(direction string) { w.hurt("timeout", direction, `"timeout": 0`) }

// slow delays both directions.
func (w *way) slow(latencyMs, jitterMs int) {
	for _, d := range []string{"upstream", "downstream"} {
		w.hurt("latency", d, fmt.Sprintf(`"latency": %d, "jitter": %d`, latencyMs, jitterMs))
	}
}

// narrow lets so many KB a second through.
func (w *way) narrow(rate int) {
	for _, d := range []string{"upstream", "downstream"} {
		w.hurt("bandwidth", d, fmt.Sprintf(`"rate": %d`, rate))
	}
}

// reset answers with RST from the next byte on.
func (w *way) reset() { w.hurt("reset_peer", "upstream", `"timeout": 0`) }

// heal takes off all that hurts.
func (w *way) heal() { w.proxy.Toxics.ResetToxics(w.t.Context()) }
