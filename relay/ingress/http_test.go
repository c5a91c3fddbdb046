package ingress_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/ingress"
)

func TestHTTPAnswersAsHBAPI(t *testing.T) {
	l := openLAN(t, nil)
	for _, c := range []struct {
		body     string
		status   int
		answer   string
		interval time.Duration
	}{
		{`{"hostId": "pos1", "intervalMs": 300000}`, 200, "OK", 5 * time.Minute},
		{`{"hostId": "pos1"}`, 200, "OK", 0},
		{`{"hostId": 17}`, 200, "OK", 0},
		{`{"hostId": "pos1", "intervalMs": "1000"} and more`, 200, "OK", time.Second},
		{`{"hostId": "pos1", "intervalMs": 43200000.9}`, 200, "OK", 12 * time.Hour},
		{`{"hostId": "pos1", "intervalMs": null}`, 200, "OK", 0},
		{`{"hostId": "pos1", "intervalMs": 999.9}`, 400, "Invalid intervalMs", 0},
		{`{"hostId": "pos1", "intervalMs": true}`, 400, "Invalid intervalMs", 0},
		{``, 400, "Empty input", 0},
		{`  `, 400, "Empty input", 0},
		{`hostId=pos1`, 400, "Invalid json", 0},
		{`{"intervalMs": 1000}`, 400, "Invalid hostId", 0},
		{`{"hostId": "../etc"}`, 400, "Invalid hostId", 0},
	} {
		for _, path := range []string{"/v1/heartbeat", "/v1/hearbeat"} {
			status, answer := l.call("POST", path, "any", c.body)
			if want := fmt.Sprintf(`{"message":"%s"}`, c.answer); status != c.status || answer != want {
				t.Errorf("%s %s: %d %s, want %d %s", path, c.body, status, answer, c.status, want)
			}
			if b := l.sink.last().Beat; status == 200 && b.Interval != c.interval {
				t.Errorf("%s: interval %v, want %v", c.body, b.Interval, c.interval)
			}
		}
	}
}

func TestPingsAsHealthchecks(t *testing.T) {
	l := openLAN(t, nil)
	for _, c := range []struct {
		method, path string
		status       int
		want         *beat.Beat
	}{
		{"GET", "/ping/pos1", 200, &beat.Beat{Host: "pos1"}},
		{"HEAD", "/ping/pos1", 200, &beat.Beat{Host: "pos1"}},
		{"POST", "/ping/pos1", 200, &beat.Beat{Host: "pos1", Message: "said"}},
		{"GET", "/ping/pos1/start", 200, &beat.Beat{Host: "pos1", KeepStatus: true}},
		{"GET", "/ping/pos1/fail", 200, &beat.Beat{Host: "pos1", Status: beat.Fail}},
		{"POST", "/ping/pos1/3", 200, &beat.Beat{Host: "pos1", Status: beat.Fail, Message: "said"}},
		{"GET", "/ping/pos1/0", 200, &beat.Beat{Host: "pos1"}},
		{"GET", "/ping/pos1/log", 200, nil},
		{"GET", "/ping/pos1/256", 404, nil},
		{"GET", "/ping/pos1/stop", 404, nil},
		{"GET", "/ping/-pos1", 400, nil},
		{"DELETE", "/ping/pos1", 405, nil},
		{"GET", "/v1/heartbeat", 405, nil},
		{"GET", "/ping/", 404, nil},
	} {
		before := len(l.sink.lines)
		body := ""
		if c.method == "POST" {
			body = "said"
		}
		status, answer := l.call(c.method, c.path, "", body)
		if status != c.status || status == 200 && c.method != "HEAD" && answer != "OK" {
			t.Errorf("%s %s: %d %q", c.method, c.path, status, answer)
		}
		if c.want == nil {
			if len(l.sink.lines) != before {
				t.Errorf("%s %s is a beat", c.method, c.path)
			}
		} else if got := l.sink.last().Beat; got != *c.want {
			t.Errorf("%s %s: beat %+v", c.method, c.path, got)
		}
	}
}

func TestAKeyedDoorForbidsBeforeItReads(t *testing.T) {
	l := openLAN(t, func(o *ingress.Options) { o.Keyed, o.Keys = true, []string{"secret"} })
	for _, key := range []string{"", "wrong"} {
		for _, path := range []string{"/v1/heartbeat", "/v1/hearbeat", "/ping/pos1", "/ping/pos1/log"} {
			if status, answer := l.call("POST", path, key, "{"); status != 403 || answer != `{"message":"Forbidden"}` {
				t.Errorf("%s with key %q: %d %s", path, key, status, answer)
			}
		}
	}
	if status, _ := l.call("POST", "/v1/heartbeat", "secret", `{"hostId": "pos1"}`); status != 200 {
		t.Errorf("with the key: %d", status)
	}
}

func TestABeatThatCannotBeCountedIsA500(t *testing.T) {
	l := openLAN(t, nil)
	l.sink.breakWith(errors.New("disk full of secrets"))
	if status, answer := l.call("POST", "/v1/heartbeat", "", `{"hostId": "pos1"}`); status != 500 || strings.Contains(answer, "secrets") {
		t.Errorf("%d %s", status, answer)
	}
}

// rawHTTP sends bytes and reads the answer's first line, and whether the
// connection was closed.
func rawHTTP(t *testing.T, addr string, parts ...string) (line string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, p := range parts {
		if _, err := io.WriteString(c, p); err != nil {
			break // refused before it was all sent
		}
	}
	_ = c.SetReadDeadline(time.Now().Add(patience))
	line, _ = bufio.NewReader(c).ReadString('\n')
	return strings.TrimSpace(line)
}

func TestBodiesAreBounded(t *testing.T) {
	l := openLAN(t, nil)
	const head = "POST /v1/heartbeat HTTP/1.1\r\nHost: x\r\n"
	big := strings.Repeat("x", 70000)
	for what, parts := range map[string][]string{
		"a huge Content-Length": {head + "Content-Length: 9000000000000000000\r\n\r\n"},
		"a body over 64 KiB":    {head + "Content-Length: 70000\r\n\r\n", big},
		"chunks over 64 KiB":    {head + "Transfer-Encoding: chunked\r\n\r\n11170\r\n", big, "\r\n0\r\n\r\n"},
	} {
		if got := rawHTTP(t, l.http, parts...); got != "HTTP/1.1 413 Request Entity Too Large" {
			t.Errorf("%s: %q", what, got)
		}
	}
	body := `{"hostId": "pos1"}` + strings.Repeat(" ", 64<<10-18)
	if status, answer := l.call("POST", "/v1/heartbeat", "", body); status != 200 {
		t.Errorf("a body of 64 KiB: %d %s", status, answer)
	}
}

func TestHTTPFloodsHurtNobody(t *testing.T) {
	l := openLAN(t, nil)
	stop := make(chan struct{})
	ended := make(chan struct{})
	floods := []string{
		"", "GET", "GET / HTTP/1.1\r\nX: " + strings.Repeat("y", 200000),
		"POST /v1/heartbeat HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n{",
		strings.Repeat("GET /ping/pos1 HTTP/1.1\r\nHost: x\r\n\r\n", 500),
	}
	for _, f := range floods {
		go func() {
			defer func() { ended <- struct{}{} }()
			var held []net.Conn
			for range 200 {
				c, err := net.Dial("tcp", l.http)
				if err != nil {
					continue
				}
				_ = c.SetDeadline(time.Now().Add(time.Second))
				_, _ = io.WriteString(c, f)
				held = append(held, c)
			}
			<-stop
			for _, c := range held {
				_ = c.Close()
			}
		}()
	}
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		if status, _ := l.call("POST", "/v1/heartbeat", "", `{"hostId": "pos2"}`); status != 200 {
			t.Errorf("a normal client got %d", status)
		}
	}
	close(stop)
	for range floods {
		<-ended
	}
}
