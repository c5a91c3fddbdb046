package gate_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hb-mesh/hb-mesh/broker/credential"
	"github.com/hb-mesh/hb-mesh/broker/gate"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

func post(t testing.TB, target, key, body string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("x-api-key", key)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded") // as curl -d in a crontab
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, strings.TrimSpace(string(raw))
}

func message(m string) string { return fmt.Sprintf(`{"message":%q}`, m) }

func TestHeartbeatAnswers(t *testing.T) {
	d := open(t, nil)
	for name, c := range map[string]struct {
		key, body string
		status    int
		message   string
		store     beat.StoreID // of the beat that was counted; "": none
	}{
		"a beat of the key's store":        {"demo-key", `{"hostId":"pos1","intervalMs":300000}`, 200, "OK", "demo"},
		"and one that names it":            {"demo-key", `{"hostId":"pos1","storeId":"demo"}`, 200, "OK", "demo"},
		"a store's key naming another":     {"demo-key", `{"hostId":"pos1","storeId":"other"}`, 403, "Forbidden", ""},
		"a fleet's key without a store":    {"fleet-key", `{"hostId":"pos1"}`, 200, "OK", "default"},
		"a fleet's key with one":           {"fleet-key", `{"hostId":"pos1","storeId":"other"}`, 200, "OK", "other"},
		"no key":                           {"", `{"hostId":"pos1"}`, 403, "Forbidden", ""},
		"a wrong key":                      {"nonsense", `{"hostId":"pos1"}`, 403, "Forbidden", ""},
		"a key that may not beat":          {"admin-key", `{"hostId":"pos1"}`, 403, "Forbidden", ""},
		"a relay's password":               {password, `{"hostId":"pos1"}`, 403, "Forbidden", ""},
		"a wrong key goes before the body": {"nonsense", ``, 403, "Forbidden", ""},
		"nothing":                          {"demo-key", ``, 400, "Empty input", ""},
		"no JSON":                          {"demo-key", `hostId=pos1`, 400, "Invalid json", ""},
		"no host":                          {"demo-key", `{}`, 400, "Invalid hostId", ""},
		"a host that is none":              {"demo-key", `{"hostId":"a/b"}`, 400, "Invalid hostId", ""},
		"an interval below a second":       {"demo-key", `{"hostId":"pos1","intervalMs":999.9}`, 400, "Invalid intervalMs", ""},
		"a boolean interval":               {"demo-key", `{"hostId":"pos1","intervalMs":true}`, 400, "Invalid intervalMs", ""},
		"the longest interval, truncated":  {"demo-key", `{"hostId":"pos1","intervalMs":43200000.9}`, 200, "OK", "demo"},
		"an interval as text":              {"demo-key", `{"hostId":"pos1","intervalMs":"5000"}`, 200, "OK", "demo"},
		"a numeric host":                   {"demo-key", `{"hostId":17}`, 200, "OK", "demo"},
		"bytes after the value":            {"demo-key", `{"hostId":"pos1"} and more`, 200, "OK", "demo"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, spelling := range []string{"/v1/heartbeat", "/v1/hearbeat"} {
				_, before := d.core.lastDirect()
				status, answer := post(t, d.url(spelling), c.key, c.body)
				if status != c.status || answer != message(c.message) {
					t.Fatalf("%s: got %d %s, want %d %s", spelling, status, answer, c.status, c.message)
				}
				last, after := d.core.lastDirect()
				if counted := after - before; counted != 0 != (c.store != "") || counted != 0 && last.store != c.store {
					t.Fatalf("%s: counted %d, the last for store %s", spelling, counted, last.store)
				}
			}
		})
	}
}

func TestPing(t *testing.T) {
	d := open(t, nil)
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
		for _, path := range []string{"/ping/pos1", "/ping/pos1/start", "/ping/pos1/0"} {
			if res := get(t, method, d.url(path), "demo-key"); res.StatusCode != http.StatusOK {
				t.Errorf("%s %s: %d", method, path, res.StatusCode)
			}
			if last, _ := d.core.lastDirect(); last.store != "demo" || last.b.Host != "pos1" || last.b.Status != beat.OK {
				t.Errorf("%s %s counted %+v", method, path, last)
			}
		}
	}
	for _, path := range []string{"/ping/pos1/fail", "/ping/pos1/3"} {
		if res := get(t, http.MethodGet, d.url(path), "demo-key"); res.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
		if last, _ := d.core.lastDirect(); last.b.Status != beat.Fail {
			t.Errorf("%s counted %+v", path, last)
		}
	}
	if res := get(t, http.MethodGet, d.url("/ping/pos1"), ""); res.StatusCode != http.StatusForbidden {
		t.Errorf("without a key: %d", res.StatusCode)
	}
}

func TestBeatThatCannotBeCounted(t *testing.T) {
	d := open(t, nil)
	d.core.count = func(beat.StoreID, beat.Beat) error { return errors.New("a secret of ours") }
	status, answer := post(t, d.url("/v1/heartbeat"), "demo-key", `{"hostId":"pos1"}`)
	if status != http.StatusInternalServerError || strings.Contains(answer, "secret") {
		t.Fatalf("got %d %s", status, answer)
	}
}

func TestStatus(t *testing.T) {
	d := open(t, nil)
	for name, c := range map[string]struct {
		err    error
		status int
		answer string
	}{
		"a node that works":  {nil, 200, "OK"},
		"one that does not":  {errors.New("the table is not read yet"), 500, "the table is not read yet"},
		"one that stands by": {gate.ErrStandby, 503, "standby"},
	} {
		t.Run(name, func(t *testing.T) {
			d.core.mu.Lock()
			d.core.status = func() error { return c.err }
			d.core.mu.Unlock()
			res := get(t, http.MethodGet, d.url("/v1/status"), "")
			raw, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != c.status || strings.TrimSpace(string(raw)) != message(c.answer) {
				t.Fatalf("got %d %s, %v", res.StatusCode, raw, err)
			}
		})
	}
}

func TestMetricsAndMounts(t *testing.T) {
	reg := prometheus.NewRegistry()
	d := open(t, func(o *gate.Options) { o.Metrics, o.Gatherer = gate.NewMetrics(reg), reg }, func(g *gate.Gate) {
		g.Mount("GET /v1/mine", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			grant, err := g.Grant(r)
			if err != nil || !grant.Admin {
				w.WriteHeader(http.StatusForbidden)
			}
		}))
	})
	if status, _ := post(t, d.url("/v1/heartbeat"), "demo-key", `{"hostId":"pos1"}`); status != 200 {
		t.Fatal(status)
	}
	raw, err := io.ReadAll(get(t, http.MethodGet, d.url("/metrics"), "").Body)
	if err != nil || !strings.Contains(string(raw), `hbmesh_broker_gate_direct_beats_total{result="counted"} 1`) {
		t.Fatalf("%v\n%s", err, raw)
	}
	for key, want := range map[string]int{"admin-key": 200, "demo-key": 403, "nonsense": 403, "": 403} {
		if res := get(t, http.MethodGet, d.url("/v1/mine"), key); res.StatusCode != want {
			t.Errorf("key %q: %d, want %d", key, res.StatusCode, want)
		}
	}
}

func TestWrongKeysAreSlowedDown(t *testing.T) {
	d := open(t, func(o *gate.Options) { o.FailureDelay = late })
	timed := func(key string) time.Duration {
		start := time.Now()
		post(t, d.url("/v1/heartbeat"), key, `{"hostId":"pos1"}`)
		return time.Since(start)
	}
	for i := range 10 {
		if took := timed("guess"); took >= late {
			t.Errorf("failure %d took %v", i+1, took)
		}
	}
	if took := timed("guess"); took < late {
		t.Errorf("failure 11 took %v", took)
	}
	if took := timed("demo-key"); took >= late {
		t.Errorf("a right key of the same address took %v", took)
	}
}

func TestBodies(t *testing.T) {
	d := open(t, func(o *gate.Options) {
		o.BodyTimeout = 500 * time.Millisecond
		o.ConnectTimeout = time.Second
	})
	if status, _ := post(t, d.url("/v1/heartbeat"), "demo-key", `{"hostId":"pos1","message":"`+strings.Repeat("x", beat.MaxBody)+`"}`); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a body above 64 KiB: %d", status)
	}
	head := "POST /v1/heartbeat HTTP/1.1\r\nHost: x\r\nx-api-key: demo-key\r\nContent-Length: "
	for name, sent := range map[string]string{
		"a slow body":           head + "100\r\n\r\n{",
		"a huge Content-Length": head + "9000000000\r\n\r\n{",
		"half a head":           "POST /v1/heartbeat HTTP/1.1\r\nHost: x\r\n",
		"nothing":               "",
		"a head of a megabyte":  "GET / HTTP/1.1\r\nx: " + strings.Repeat("x", 1<<20),
		"MQTT":                  "\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00",
	} {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("tcp", d.HTTPAddr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(c, sent) // it may be refused half-way
			if _, err := io.ReadAll(c); errors.Is(err, net.ErrClosed) || isTimeout(err) {
				t.Fatalf("the connection is still open: %v", err)
			}
		})
	}
	if status, _ := post(t, d.url("/v1/heartbeat"), "demo-key", `{"hostId":"pos1"}`); status != 200 {
		t.Fatalf("afterwards a till gets %d", status)
	}
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// Silent connections of an address are bounded, and who has shown a key is not
// among them.
func TestStrangersAtTheHTTPDoor(t *testing.T) {
	d := open(t, func(o *gate.Options) { o.Strangers = 8 })
	keep := &http.Client{Transport: &http.Transport{}, Timeout: patience}
	var held []*http.Response
	for range 20 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.url("/ping/pos1"), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("x-api-key", "demo-key")
		res, err := keep.Do(req)
		if err != nil {
			t.Fatalf("after %d: %v", len(held), err)
		}
		held = append(held, res) // not read, not closed: the next one takes a new connection
	}
	closed := make(chan struct{}, 100)
	for range 40 {
		c, err := net.Dial("tcp", d.HTTPAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		go func() {
			if _, err := c.Read(make([]byte, 1)); err != nil {
				closed <- struct{}{}
			}
		}()
	}
	for range 32 {
		<-closed
	}
	for _, res := range held {
		if _, err := io.ReadAll(res.Body); err != nil {
			t.Error(err)
		}
		_ = res.Body.Close()
	}
}

func TestColdKeyringIsNoForbidden(t *testing.T) {
	k := credential.DefaultOptions()
	k.Region, k.Table = "us-east-1", unread{}
	keys, err := credential.New(k)
	if err != nil {
		t.Fatal(err)
	}
	d := open(t, func(o *gate.Options) { o.Keys = keys })
	if status, _ := post(t, d.url("/v1/heartbeat"), "hbk_x", `{"hostId":"pos1"}`); status != http.StatusInternalServerError {
		t.Fatalf("got %d: a key that cannot be judged is not a wrong one", status)
	}
}
