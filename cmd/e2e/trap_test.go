//go:build linux

package e2e_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// step is an instant in the life of a notice: before or after DynamoDB or SNS
// did what it was asked to do.
type step struct {
	call  call
	after bool
}

type call uint8

const (
	noCall call = iota
	claim       // the notice's item is written for the first time
	publish
	mark // it is written again
)

func (c call) String() string { return [...]string{"", "claim", "publish", "mark"}[c] }

// unmarked are the channels that may have taken the notice when the broker dies
// at this step, while no mark says so. Traps see SNS alone: before its publish,
// and after the first mark, the webhook may have it; before the first mark both may.
func (s step) unmarked() []string {
	switch {
	case s.call == claim:
		return nil
	case s == step{publish, false}:
		return []string{byWebhook}
	default:
		return []string{bySNS, byWebhook}
	}
}

func (s step) String() string {
	if s.after {
		return "after " + s.call.String()
	}
	return "before " + s.call.String()
}

// trap stands before a region's DynamoDB and SNS. When the broker reaches the
// step that is set, something happens to it first.
type trap struct {
	server  *httptest.Server
	refused atomic.Int64 // requests that were signed at another time

	mu     sync.Mutex // guards what follows
	step   step
	spring func() bool
}

func newTrap(t testing.TB, target string) *trap {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	p := &trap{}
	through := httputil.NewSingleHostReverseProxy(u)
	through.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // its sender is dead
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if refuseUntimely(w, r) {
			p.refused.Add(1)
			return
		}
		c := callOf(r, string(body))
		if p.reach(step{c, false}) {
			return // its sender died before it left
		}
		through.ServeHTTP(&lateWriter{ResponseWriter: w, before: func() { p.reach(step{c, true}) }}, r)
	}))
	t.Cleanup(p.server.Close)
	return p
}

// refuseUntimely does what AWS does, and the emulators do not: it takes no
// signature that is more than five minutes old, or of the future.
func refuseUntimely(w http.ResponseWriter, r *http.Request) bool {
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil || time.Since(at).Abs() <= 5*time.Minute {
		return false
	}
	if strings.HasPrefix(r.Header.Get("X-Amz-Target"), "DynamoDB") {
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"__type": "com.amazon.coral.service#InvalidSignatureException", "message": "Signature expired"}`)
		return true
	}
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(http.StatusForbidden)
	_, _ = io.WriteString(w, `<ErrorResponse><Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code><Message>Signature expired</Message></Error></ErrorResponse>`)
	return true
}

func (p *trap) address() string { return strings.TrimPrefix(p.server.URL, "http://") }

// set arms it, once: spring says whether it killed the broker.
func (p *trap) set(s step, spring func() bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.step, p.spring = s, spring
}

// reach springs the trap that is set for a step, and says whether the broker is
// dead now.
func (p *trap) reach(s step) bool {
	p.mu.Lock()
	spring := p.spring
	if spring == nil || s != p.step {
		p.mu.Unlock()
		return false
	}
	p.spring = nil
	p.mu.Unlock()
	return spring()
}

// callOf says what a request of a broker does to a notice.
func callOf(r *http.Request, body string) call {
	op := r.Header.Get("X-Amz-Target")
	switch {
	case strings.Contains(body, "Action=Publish&") || strings.HasSuffix(body, "Action=Publish"):
		return publish
	case !strings.Contains(body, `"notice#`), strings.HasSuffix(op, ".Query"):
		return noCall
	case strings.Contains(body, "attribute_not_exists(#pk)"):
		return claim
	default:
		return mark
	}
}

// lateWriter does something before the answer goes.
type lateWriter struct {
	http.ResponseWriter
	before func()
}

func (w *lateWriter) WriteHeader(status int) {
	w.before()
	w.ResponseWriter.WriteHeader(status)
}

// A broker that is killed between claim, publish and mark loses no notice, and
// doubles one only where the kill fell between a send and its mark.
func TestABrokerKilledAroundAPublishLosesNoNotice(t *testing.T) {
	fields, rounds := 1, 6
	if *chaos {
		fields, rounds = 4, 50
	}
	for n := range fields {
		t.Run(fmt.Sprintf("field %d", n+1), func(t *testing.T) {
			t.Parallel() // it mostly waits
			killAround(newField(t, "shop"), rounds)
		})
	}
}

// killAround kills brokers for some rounds: in each, a host goes missing and
// comes back, and the broker that tells of it dies at a step.
func killAround(f *field, rounds int) {
	f.up()
	relay := f.relays["shop"]
	killed := map[step]int{}
	for n := range rounds {
		s := step{[]call{claim, publish, mark}[n/2%3], n%2 == 1}
		host := fmt.Sprintf("pos%d", n)
		beat := func(intervalMs int) {
			if status, answer := relay.post("/v1/heartbeat", "", fmt.Sprintf(`{"hostId": %q, "intervalMs": %d}`, host, intervalMs)); status != http.StatusOK {
				f.t.Fatalf("a beat: %d %s", status, answer)
			}
		}
		died := make(chan *server, 1)
		var first sync.Once // the other region may come there too, in its place
		for _, r := range regions {
			f.traps[r].set(s, func() (dead bool) {
				first.Do(func() {
					dead = true
					if by := s.unmarked(); len(by) > 0 {
						f.seen.excuse("shop/"+host, len(by), by...)
					}
					f.brokers[r].kill()
					died <- f.brokers[r]
				})
				return dead
			})
		}
		beat(1000)
		out := f.seen.lost("shop/" + host)
		select {
		case b := <-died:
			killed[s]++
			b.start()
		case <-time.After(2 * patience):
			f.t.Fatalf("no broker came to the step %v", s)
		}
		for _, r := range regions {
			f.traps[r].set(step{}, nil)
		}
		f.seen.told(patienceWounded, out, "open")
		beat(43_200_000) // it is not to be missed again while the test lasts
		f.seen.back(out)
		f.seen.told(patienceWounded, out, "recovered")
		f.healed()
	}
	f.t.Logf("brokers killed: %v", killed)
	time.Sleep(12 * time.Second)
	f.seen.judge()
}
