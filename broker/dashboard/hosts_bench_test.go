package dashboard_test

import (
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/dashboard"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// wide is a fleet of 50,000 stores, of which every one in full has 20 hosts, and
// the others none.
func wide(full int) *fake {
	now := time.Now()
	f := demo(now)
	f.stores = nil
	for i := range 50_000 {
		id := beat.StoreID(fmt.Sprintf("store-%05d", i))
		s := store(now, id, 0)
		if full > 0 && i%full == full-1 {
			s.Hosts = dashboard.Counts{Up: 20}
			for k := range 20 {
				f.hosts[id] = append(f.hosts[id], dashboard.Host{Store: id, Host: beat.HostID(fmt.Sprintf("pos%02d", k)), State: beat.Up})
			}
		} else {
			s.Hosts = dashboard.Counts{}
			f.hosts[id] = nil
		}
		f.stores = append(f.stores, s)
	}
	return f
}

// One page of hosts of a fleet of 50,000 stores.
func BenchmarkAPageOfHosts(b *testing.B) {
	for _, c := range []struct {
		name, path string
		full       int
	}{
		{"all stores are empty", "/v1/hosts?limit=1000", 0},
		{"the last store has hosts", "/v1/hosts?limit=1000", 50_000},
		{"every store has hosts", "/v1/hosts?limit=1000", 1},
		{"missing of a fleet that is well", "/v1/hosts?limit=1000&state=missing", 1},
		{"of one store", "/v1/hosts?store=store-40000", 1},
	} {
		b.Run(c.name, func(b *testing.B) {
			o := dashboard.DefaultOptions()
			f := wide(c.full)
			o.Source, o.Operator, o.Archive, o.Keys, o.Authorize, o.Version, o.Logger = f, f, f, f, open, "0.1.0-test", discard()
			s, err := dashboard.New(o)
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			for b.Loop() {
				w := httptest.NewRecorder()
				s.ServeHTTP(w, httptest.NewRequest("GET", "http://127.0.0.1:8080"+c.path, nil))
				if w.Code != 200 {
					b.Fatal(w.Code, w.Body)
				}
			}
		})
	}
}
