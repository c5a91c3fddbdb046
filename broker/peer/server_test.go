package peer_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/peer"
	"github.com/hb-mesh/hb-mesh/broker/presence"
)

// record asks once through a proxy that keeps the request.
func record(t *testing.T, l *link, now func() time.Time) (http.Header, []byte) {
	t.Helper()
	var header http.Header
	var body []byte
	tap := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header = r.Header.Clone()
		body, _ = io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		l.server.ServeHTTP(w, r)
	}))
	defer tap.Close()
	o := peer.DefaultClientOptions()
	o.Region, o.Peer, o.Secret, o.URL, o.Now = "us-east-1", "us-west-2", secret, tap.URL, now
	c, err := peer.NewClient(o, quiet, l.metrics)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask(t, c, question()); err != nil {
		t.Fatal(err)
	}
	return header, body
}

func serve(l *link, path string, header http.Header, body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
	r.Header = header
	w := httptest.NewRecorder()
	l.server.ServeHTTP(w, r)
	return w
}

func TestARecordedCallCannotBePlayedAgain(t *testing.T) {
	now := since
	clock := func() time.Time { return now }
	l := newLink(t, nil, func(o *peer.ServerOptions) { o.Now = clock })
	header, body := record(t, l, clock)
	for _, tt := range []struct {
		says string
		path string
		when time.Duration
		edit func(h http.Header) []byte
	}{
		{"at once", peer.PathAsk, 0, nil},
		{"while its time is good", peer.PathAsk, peer.Window, nil},
		{"after its time", peer.PathAsk, 3 * peer.Window, nil},
		{"to another path", peer.PathTold, 0, nil},
		{"with another body", peer.PathAsk, 0, func(http.Header) []byte { return bytes.Replace(body, []byte("lost"), []byte("open"), 1) }},
		{"with another nonce", peer.PathAsk, 0, func(h http.Header) []byte {
			h.Set("Hb-Peer-Nonce", strings.Repeat("0", 32))
			return body
		}},
		{"with another time", peer.PathAsk, 0, func(h http.Header) []byte {
			h.Set("Hb-Peer-Time", "1763971929001")
			return body
		}},
		{"as another region", peer.PathAsk, 0, func(h http.Header) []byte {
			h.Set("Hb-Peer-From", "us-west-2")
			return body
		}},
		{"without a signature", peer.PathAsk, 0, func(h http.Header) []byte {
			h.Del("Hb-Peer-Signature")
			return body
		}},
	} {
		now = since.Add(tt.when)
		h, b := header.Clone(), body
		if tt.edit != nil {
			b = tt.edit(h)
		}
		if w := serve(l, tt.path, h, b); w.Code != http.StatusForbidden {
			t.Errorf("%s: answered %d %s", tt.says, w.Code, w.Body)
		}
	}
	if len(l.questions) != 1 {
		t.Errorf("the core was asked %d times, want once", len(l.questions))
	}
}

// A restart forgets which requests were taken, so it takes none from before it.
func TestARecordedCallCannotBePlayedAfterARestart(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	l := newLink(t, nil, func(o *peer.ServerOptions) { o.Now = clock })
	header, body := record(t, l, clock)
	now = now.Add(time.Second)
	again := newLink(t, nil, func(o *peer.ServerOptions) { o.Now = clock })
	if w := serve(again, peer.PathAsk, header.Clone(), body); w.Code != http.StatusForbidden || len(again.questions) != 0 {
		t.Errorf("answered %d %s", w.Code, w.Body)
	}
	header, body = record(t, l, clock)
	if w := serve(again, peer.PathAsk, header.Clone(), body); w.Code != http.StatusOK {
		t.Errorf("one of the same instant: answered %d %s", w.Code, w.Body)
	}
}

func TestABodyIsTheOneThatWasSigned(t *testing.T) {
	l := newLink(t, nil, nil)
	var answered int
	swap := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = io.NopCloser(strings.NewReader(`{"from":"us-east-1","node":"e1","term":3}`))
		rec := httptest.NewRecorder()
		l.server.ServeHTTP(rec, r)
		answered = rec.Code
		w.WriteHeader(rec.Code)
	}))
	defer swap.Close()
	o := peer.DefaultClientOptions()
	o.Region, o.Peer, o.Secret, o.URL = "us-east-1", "us-west-2", secret, swap.URL
	c, err := peer.NewClient(o, quiet, l.metrics)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask(t, c, question()); err == nil || answered != http.StatusBadRequest || len(l.questions) != 0 {
		t.Errorf("answered %d: %v", answered, err)
	}
}

// untouched fails the test when somebody reads it.
type untouched struct{ t *testing.T }

func (u untouched) Read([]byte) (int, error) {
	u.t.Error("a stranger's body is read")
	return 0, io.EOF
}

func TestAStrangersBodyIsNotRead(t *testing.T) {
	l := newLink(t, nil, nil)
	r := httptest.NewRequest(http.MethodPost, peer.PathForward, untouched{t})
	r.ContentLength = 1 << 40
	w := httptest.NewRecorder()
	l.server.ServeHTTP(w, r)
	if w.Code != http.StatusForbidden || strings.TrimSpace(w.Body.String()) != "forbidden" {
		t.Errorf("answered %d %s", w.Code, w.Body)
	}
}

func TestOtherPathsAndMethodsAreNotFound(t *testing.T) {
	l := newLink(t, nil, nil)
	for _, tt := range [][2]string{{http.MethodGet, peer.PathAsk}, {http.MethodPost, peer.Prefix}, {http.MethodPost, peer.Prefix + "ask/"}, {http.MethodPost, "/"}} {
		w := httptest.NewRecorder()
		l.server.ServeHTTP(w, httptest.NewRequest(tt[0], tt[1], nil))
		if w.Code != http.StatusNotFound {
			t.Errorf("%s %s: answered %d", tt[0], tt[1], w.Code)
		}
	}
}

func TestTooManyCallsAtATimeAreRefused(t *testing.T) {
	l := newLink(t, nil, func(o *peer.ServerOptions) { o.Serving = 1 })
	l.hold()
	first := make(chan error, 1)
	go func() {
		_, err := ask(t, l.client, question())
		first <- err
	}()
	<-l.entered
	if _, err := ask(t, l.client, question()); !errors.Is(err, peer.ErrUnanswered) || !strings.Contains(err.Error(), "busy") {
		t.Errorf("the second: got %v, want none, since it is busy", err)
	}
	close(l.answers)
	if err := <-first; err != nil {
		t.Errorf("the first is answered: %v", err)
	}
}

func TestASlowBodyIsCutOff(t *testing.T) {
	l := newLink(t, nil, func(o *peer.ServerOptions) { o.BodyTimeout = 100 * time.Millisecond })
	header, _ := signedOnly(t)
	conn, err := net.Dial("tcp", l.http.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var head bytes.Buffer
	head.WriteString("POST " + peer.PathAsk + " HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n")
	if err := header.Write(&head); err != nil {
		t.Fatal(err)
	}
	head.WriteString("\r\n{")
	if _, err := conn.Write(head.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 400 ")) {
		t.Errorf("answered %q, %v", answer, err)
	}
}

// signedOnly is the header of a question that was never delivered.
func signedOnly(t *testing.T) (http.Header, []byte) {
	t.Helper()
	var header http.Header
	var body []byte
	hole := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ = io.ReadAll(r.Body)
		header = http.Header{}
		for name, values := range r.Header {
			if strings.HasPrefix(name, "Hb-Peer-") {
				header[name] = values
			}
		}
	}))
	defer hole.Close()
	l := newLink(t, func(o *peer.ClientOptions) { o.URL = hole.URL }, nil)
	if _, err := ask(t, l.client, presence.Question{From: "us-east-1"}); err == nil {
		t.Fatal("nothing is an answer")
	}
	return header, body
}
