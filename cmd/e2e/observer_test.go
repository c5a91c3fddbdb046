//go:build linux

package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// The channels that the observer listens on: SNS, by a queue in each region
// (people subscribe to both), and a webhook.
const (
	bySNS     = "sns"
	byWebhook = "webhook"
)

// seenFor is for how many seconds SQS shows a message once: longer than any test.
const seenFor = 12 * 60 * 60

// sighting is one transition as it reached the observer.
type sighting struct {
	item
	channel string
	notice  string
	region  beat.Region // whom it is about, where it is about no store
	at      time.Time
}

// subject is what it is about: store, store/host, or "" for a region.
func (s sighting) subject() string {
	if s.Host != "" {
		return s.Store + "/" + s.Host
	}
	return s.Store
}

func (s sighting) String() string {
	return fmt.Sprintf("%s by %s: %s %s %s (%.8s k=%d, notice %s)", s.at.UTC().Format("15:04:05.000Z"), s.channel, s.Kind, s.Change, s.subject(), s.Incident, s.K, s.notice)
}

// absence is a store, or a host, that was really away.
type absence struct {
	subject  string
	from, to time.Time
	misdated bool // what is told of it may say a wrong time
}

// observer knows what was really so, hears what people are told, and judges.
type observer struct {
	t   testing.TB
	url string // the webhook

	mu       sync.Mutex // guards what follows
	seen     []sighting
	absences []*absence
	excuses  []*excuse
	troubles []trouble
	wrong    bool // the brokers' clocks are
}

// newObserver starts the webhook; read adds a region's queue.
func newObserver(t testing.TB) *observer {
	t.Helper()
	o := &observer{t: t}
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the sender died meanwhile: it will try again
		}
		o.hear(byWebhook, body)
	}))
	t.Cleanup(hook.Close)
	o.url = hook.URL
	return o
}

// read hears what comes to a queue until the test ends.
func (o *observer) read(queue *sqs.Client, url *string) {
	ctx, stop := context.WithCancel(context.Background())
	var reading sync.WaitGroup
	o.t.Cleanup(func() { stop(); reading.Wait() })
	reading.Go(func() {
		for ctx.Err() == nil {
			out, err := queue.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: 10, WaitTimeSeconds: 1, VisibilityTimeout: seenFor})
			if err != nil {
				select {
				case <-ctx.Done():
				case <-time.After(200 * time.Millisecond):
				}
				continue
			}
			for i := range out.Messages {
				o.hear(bySNS, []byte(aws.ToString(out.Messages[i].Body)))
			}
		}
	})
}

func (o *observer) hear(channel string, body []byte) {
	var e event
	if err := json.Unmarshal(body, &e); err != nil || len(e.Data.Items) == 0 {
		o.t.Errorf("no notice came by %s: %v: %s", channel, err, body)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, i := range e.Data.Items {
		s := sighting{item: i, channel: channel, notice: e.ID, at: time.Now()}
		if i.Store == "" {
			s.region = named(e.Data.Title)
		}
		o.seen = append(o.seen, s)
	}
}

// lost notes that a subject is away from now on; back that it returned.
func (o *observer) lost(subject string) *absence {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := &absence{subject: subject, from: time.Now(), misdated: o.wrong}
	o.absences = append(o.absences, out)
	return out
}

func (o *observer) back(out *absence) {
	o.mu.Lock()
	defer o.mu.Unlock()
	out.to = time.Now()
}

// misdated notes that the brokers' clocks are wrong: of what is told, the test's
// own clock says when.
func (o *observer) misdated() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.wrong = true
}

// about are the sightings of a subject, as they came.
func (o *observer) about(subject, channel string) []sighting {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(o.seen), func(s sighting) bool {
		return s.subject() != subject || s.channel != channel
	})
}

// told waits until a change of its subject was told on every channel.
func (o *observer) told(d time.Duration, out *absence, change string) {
	o.t.Helper()
	for _, ch := range []string{bySNS, byWebhook} {
		within(o.t, d, fmt.Sprintf("%s of %s is told by %s", change, out.subject, ch), func() bool {
			return slices.ContainsFunc(o.about(out.subject, ch), func(s sighting) bool { return s.Change == change && s.at.After(out.from) })
		})
	}
}

// verdict is what the observer found of one property.
type verdict struct {
	property string
	judged   int
	wrong    []string
}

func (v *verdict) bad(format string, args ...any) {
	v.wrong = append(v.wrong, fmt.Sprintf(format, args...))
}

// judge holds what was told to what was so, prints a line for each property,
// and fails the test where they differ.
func (o *observer) judge() {
	o.t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, v := range []*verdict{o.noLoss(), o.noFalsity(), o.duplicates(), o.identity(), o.closure()} {
		o.t.Logf("%-12s judged %3d times, %d violations", v.property, v.judged, len(v.wrong))
		for _, w := range v.wrong {
			o.t.Errorf("%s: %s\n%s", v.property, w, o.timeline())
		}
	}
}

func (o *observer) timeline() string {
	var b strings.Builder
	for _, out := range o.absences {
		fmt.Fprintf(&b, "  %s was away from %s to %s\n", out.subject, out.from.UTC().Format("15:04:05.000Z"), out.to.UTC().Format("15:04:05.000Z"))
	}
	for _, s := range o.seen {
		fmt.Fprintf(&b, "  %v\n", s)
	}
	return b.String()
}

// during says whether a sighting falls into an absence; a recovery may come
// after it.
func (out *absence) during(s sighting) bool {
	if s.subject() != out.subject || !s.at.After(out.from) {
		return false
	}
	if out.misdated {
		return out.to.IsZero() || s.Change == "recovered" || s.at.Before(out.to)
	}
	return out.to.IsZero() || s.Since.Before(out.to)
}

func (o *observer) noLoss() *verdict {
	v := &verdict{property: "no loss"}
	for _, out := range o.absences {
		for _, ch := range []string{bySNS, byWebhook} {
			v.judged++
			if !slices.ContainsFunc(o.seen, func(s sighting) bool { return s.channel == ch && s.Change == "open" && out.during(s) }) {
				v.bad("%s was away and %s never told it", out.subject, ch)
			}
		}
	}
	return v
}

func (o *observer) noFalsity() *verdict {
	v := &verdict{property: "no falsity"}
	for _, s := range o.seen {
		v.judged++
		switch {
		case s.Store == "":
			if !slices.ContainsFunc(o.troubles, func(tr trouble) bool { return tr.explains(s) }) {
				v.bad("nothing of that kind was wrong with region %s: %v", s.region, s)
			}
		case !slices.ContainsFunc(o.absences, func(out *absence) bool { return out.during(s) }):
			v.bad("nothing was wrong: %v", s)
		}
	}
	return v
}

func (o *observer) identity() *verdict {
	v := &verdict{property: "identity"}
	type key struct {
		incident string
		k        int
	}
	of := map[key]*absence{}
	for _, s := range o.seen {
		if s.Change != "open" {
			continue
		}
		for _, out := range slices.Backward(o.absences) { // the last one that it may be about
			if !out.during(s) {
				continue
			}
			v.judged++
			k := key{s.Incident, s.K}
			if was := of[k]; was != nil && was != out {
				v.bad("one name for two absences: %v", s)
			}
			of[k] = out
			break
		}
	}
	return v
}

func (o *observer) closure() *verdict {
	v := &verdict{property: "closure"}
	type key struct{ channel, incident string }
	open := map[key]bool{}
	ended := map[key]int{}
	for _, s := range o.seen {
		k := key{s.channel, s.Incident}
		v.judged++
		switch s.Change {
		case "open":
			if n := ended[k]; n > s.K {
				v.bad("a fault after its recovery: %v", s)
			}
			open[k] = true
		case "recovered":
			if !open[k] && ended[k] == 0 {
				v.bad("a recovery without a fault: %v", s)
			}
			open[k], ended[k] = false, max(ended[k], s.K)
		}
	}
	for k, is := range open {
		if is {
			v.bad("incident %s was never closed on %s", k.incident, k.channel)
		}
	}
	return v
}
