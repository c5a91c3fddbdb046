package guard_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/guard"
)

// region answers as a broker would: a key for a store, one for none, one for
// all.
func region(delivered *[]string) *http.ServeMux {
	mux := http.NewServeMux()
	(&guard.Beats{
		Authorize: func(_ *http.Request, key string) (guard.Rights, error) {
			switch key {
			case "of-demo":
				return guard.Rights{Store: "demo"}, nil
			case "of-none":
				return guard.Rights{}, nil
			case "fleet":
				return guard.Rights{Any: true}, nil
			case "broken":
				return guard.Rights{}, errors.New("table is down")
			}
			return guard.Rights{}, guard.Forbidden
		},
		Deliver: func(_ context.Context, _ netip.AddrPort, store beat.StoreID, b beat.Beat) error {
			if b.Host == "full" {
				return &guard.Refusal{Status: http.StatusTooManyRequests, Message: "too many"}
			}
			if delivered != nil {
				*delivered = append(*delivered, string(store)+"/"+string(b.Host))
			}
			return nil
		},
		BodyTimeout: 200 * time.Millisecond,
	}).Mount(mux)
	return mux
}

func TestTheKeyBindsTheStore(t *testing.T) {
	for _, c := range []struct {
		key, body string
		status    int
		want      string
	}{
		{"of-demo", `{"hostId":"a"}`, 200, "demo/a"},
		{"of-demo", `{"hostId":"a","storeId":"demo"}`, 200, "demo/a"},
		{"of-demo", `{"hostId":"a","storeId":"other"}`, 403, ""},
		{"of-none", `{"hostId":"a"}`, 200, "default/a"},
		{"of-none", `{"hostId":"a","storeId":"demo"}`, 403, ""},
		{"fleet", `{"hostId":"a","storeId":"other"}`, 200, "other/a"},
		{"fleet", `{"hostId":"a"}`, 200, "default/a"},
		{"fleet", `{"hostId":"a","storeId":"No Store"}`, 400, ""},
		{"fleet", `{"hostId":"full"}`, 429, ""},
		{"broken", `{"hostId":"a"}`, 500, ""},
		{"wrong", `{"hostId":"a"}`, 403, ""},
		{"", ``, 403, ""},
	} {
		var got []string
		r := httptest.NewRequest(http.MethodPost, "/v1/heartbeat", strings.NewReader(c.body))
		r.Header.Set("x-api-key", c.key)
		w := httptest.NewRecorder()
		region(&got).ServeHTTP(w, r)
		if w.Code != c.status || strings.Join(got, " ") != c.want {
			t.Errorf("key %q, %s: %d %s, delivered %v", c.key, c.body, w.Code, w.Body, got)
		}
		if w.Code == 403 && w.Body.String() != `{"message":"Forbidden"}` {
			t.Errorf("the answer is %s", w.Body)
		}
	}
}

func TestAPageOfAnotherSiteCannotBeat(t *testing.T) {
	for site, want := range map[string]int{"cross-site": 403, "same-origin": 200, "none": 200, "": 200} {
		for _, call := range []string{"GET /ping/a", "POST /v1/heartbeat"} {
			method, path, _ := strings.Cut(call, " ")
			r := httptest.NewRequest(method, path, strings.NewReader(`{"hostId":"a"}`))
			r.Header.Set("x-api-key", "fleet")
			if site != "" {
				r.Header.Set("Sec-Fetch-Site", site)
			}
			var got []string
			w := httptest.NewRecorder()
			region(&got).ServeHTTP(w, r)
			if w.Code != want || (want == 200) != (len(got) == 1) {
				t.Errorf("%s with Sec-Fetch-Site %q: %d, delivered %v", call, site, w.Code, got)
			}
		}
	}
}

// listen serves h as a tier does.
func listen(t *testing.T, h http.Handler, change func(*guard.Options)) string {
	t.Helper()
	o := guard.DefaultOptions()
	o.ExemptLoopback = true
	if change != nil {
		change(&o)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := guard.HTTPServer(o, h, nil, nil)
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(guard.Listen(ln, o, nil, nil)) }()
	t.Cleanup(func() { _ = s.Close(); <-done })
	return ln.Addr().String()
}

// exchange sends text and returns the first line of the answer.
func exchange(t *testing.T, addr, text string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, text)
	_ = c.SetReadDeadline(time.Now().Add(patience))
	line, _ := bufio.NewReader(c).ReadString('\n')
	return strings.TrimSpace(line)
}

func TestASlowBodyIsRefusedInTime(t *testing.T) {
	addr := listen(t, region(nil), nil)
	if got := exchange(t, addr, "POST /v1/heartbeat HTTP/1.1\r\nHost: x\r\nx-api-key: fleet\r\nContent-Length: 100\r\n\r\n{"); !strings.Contains(got, "408") {
		t.Errorf("%q", got)
	}
}

func TestASlowHeaderIsClosed(t *testing.T) {
	addr := listen(t, region(nil), func(o *guard.Options) { o.ConnectTimeout = 100 * time.Millisecond })
	if got := exchange(t, addr, "POST /v1/heartbeat HT"); got != "" && !strings.Contains(got, "408") && !strings.Contains(got, "400") {
		t.Errorf("answer %q", got)
	}
}

func TestHTTPConnectionsOfStrangersAreBounded(t *testing.T) {
	addr := listen(t, region(nil), func(o *guard.Options) {
		o.ExemptLoopback, o.MaxPerAddress, o.MaxStrangersPerAddress = false, 0, 3
	})
	const good = "POST /v1/heartbeat HTTP/1.1\r\nHost: x\r\nx-api-key: fleet\r\nContent-Length: 14\r\n\r\n{\"hostId\":\"a\"}"
	for range 5 { // they stay open, and are no strangers
		w := dial(t, addr)
		_, _ = io.WriteString(w, good)
		if line, _ := w.r.ReadString('\n'); !strings.Contains(line, "200") {
			t.Fatalf("answer %q", line)
		}
	}
	oldest := dial(t, addr)
	for range 2 {
		dial(t, addr)
	}
	if got := exchange(t, addr, good); !strings.Contains(got, "200") {
		t.Errorf("behind three silent strangers of the same address: %q", got)
	}
	oldest.expectClosed()
}

// A client that asks and asks and does not read is ended; a stream whose client
// reads lasts, however much longer than a write may take.
func TestOnlyWhoReadsKeepsItsConnection(t *testing.T) {
	const patient = 500 * time.Millisecond // a busy machine is no slow reader
	mux := http.NewServeMux()
	mux.HandleFunc("GET /much", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1<<20)) })
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, _ *http.Request) {
		for range 3 {
			time.Sleep(2 * patient)
			_, _ = io.WriteString(w, ": alive\n\n")
			_ = http.NewResponseController(w).Flush()
		}
	})
	addr := listen(t, mux, func(o *guard.Options) { o.WriteTimeout = patient })
	deaf := dial(t, addr)
	deaf.send([]byte(strings.Repeat("GET /much HTTP/1.1\r\nHost: x\r\n\r\n", 40))...)
	resp, err := http.Get("http://" + addr + "/events") //nolint:noctx // it ends by itself
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, err := io.ReadAll(resp.Body); err != nil || len(got) != 3*len(": alive\n\n") {
		t.Errorf("the stream brought %q and ended with %v", got, err)
	}
	n, err := io.Copy(io.Discard, deaf)
	if n >= 40<<20 {
		t.Errorf("who did not read was served all %d bytes: %v", n, err)
	}
}

// After an answer that needed no body, the server waits for the body: not for
// ever.
func TestABodyThatNobodyReadsHoldsNoConnection(t *testing.T) {
	for says, request := range map[string]string{
		"a wrong key":  "POST /v1/heartbeat HTTP/1.1\r\nHost: x\r\nx-api-key: wrong\r\nContent-Length: 90\r\n\r\n{",
		"no such page": "POST /nothing HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
	} {
		addr := listen(t, region(nil), func(o *guard.Options) { o.ConnectTimeout = time.Second })
		w := dial(t, addr)
		w.send([]byte(request)...)
		_ = w.SetReadDeadline(time.Now().Add(patience))
		if answer, err := io.ReadAll(w); err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 40")) {
			t.Errorf("%s: %v after %q", says, err, answer)
		}
	}
}

func TestRequestsAboveTheRateWait(t *testing.T) {
	addr := listen(t, region(nil), func(o *guard.Options) { o.PacketsPerSecond = 20 })
	start := time.Now()
	c := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	defer c.CloseIdleConnections()
	for range 50 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/ping/pos1", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("x-api-key", "fleet")
		resp, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != 200 {
			t.Fatalf("status %d", resp.StatusCode)
		}
	}
	if took := time.Since(start); took < 400*time.Millisecond {
		t.Errorf("50 requests at 20 a second, 40 at once, took %v", took)
	}
}

func TestWrongKeysAreAnsweredLateInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		beats := &guard.Beats{
			Authorize: func(*http.Request, string) (guard.Rights, error) { return guard.Rights{}, guard.Forbidden },
			Logins:    guard.NewLogins(3, 200*time.Millisecond),
		}
		mux := http.NewServeMux()
		beats.Mount(mux)
		for n := range 4 {
			start := time.Now()
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/ping/a", nil))
			if took := time.Since(start); w.Code != 403 || took != []time.Duration{0, 0, 0, 200 * time.Millisecond}[n] {
				t.Errorf("wrong key %d: %d after %v", n+1, w.Code, took)
			}
		}
	})
}

func TestStatusSaysWhy(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		answer string
	}{
		{nil, 200, `{"message":"OK"}`},
		{errors.New("no uplink is open"), 500, `{"message":"no uplink is open"}`},
		{&guard.Refusal{Status: 503, Message: "standby"}, 503, `{"message":"standby"}`},
	} {
		w := httptest.NewRecorder()
		guard.Status(func() error { return c.err }).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/status", nil))
		if w.Code != c.status || w.Body.String() != c.answer {
			t.Errorf("%v: %d %s", c.err, w.Code, w.Body)
		}
	}
}

// FuzzBody posts a body: the answer is one of the contract's, and what is
// delivered is valid.
func FuzzBody(f *testing.F) {
	for _, s := range []string{
		``, ` `, `{}`, `null`, `[]`, `"x"`, `{"hostId":"pos1"}`, `{"hostId":17,"intervalMs":"1e3"}`,
		`{"hostId":"pos1","intervalMs":43200000.9}garbage`, `{"hostId":"pos1","intervalMs":1e999}`,
		`{"hostId":"pos1","intervalMs":{},"status":7,"message":"\u0000\ud800","storeId":[]}`,
		"{\"hostId\":\"pos1\",\"message\":\"\xff\xfe\"}", strings.Repeat("[", 20000), `{"hostId":"pos1","hostId":"pos2"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var got []beat.Beat
		beats := &guard.Beats{
			Authorize: func(*http.Request, string) (guard.Rights, error) { return guard.Rights{Any: true}, nil },
			Deliver: func(_ context.Context, _ netip.AddrPort, store beat.StoreID, b beat.Beat) error {
				if _, err := beat.ParseStoreID(string(store)); err != nil {
					t.Errorf("store %q is delivered", store)
				}
				got = append(got, b)
				return nil
			},
		}
		mux := http.NewServeMux()
		beats.Mount(mux)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/heartbeat", bytes.NewReader(body)))
		if !json.Valid(w.Body.Bytes()) || w.Code != 200 && w.Code != 400 && w.Code != 413 || (w.Code == 200) != (len(got) == 1) {
			t.Fatalf("%d %s, delivered %v", w.Code, w.Body, got)
		}
		for _, b := range got {
			if _, err := beat.ParseHostID(string(b.Host)); err != nil || len(b.Message) > 256 || len(b.Version) > 64 ||
				b.Interval != 0 && (b.Interval < beat.MinInterval || b.Interval > beat.MaxInterval) {
				t.Errorf("delivered %+v", b)
			}
		}
	})
}
