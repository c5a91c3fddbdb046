//go:build linux

package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// item is one transition of a notice.
type item struct {
	Kind, Change, Store, Host, Incident string
	K                                   int
	Since                               time.Time
	DurationMs                          int64
}

func (i item) String() string {
	return fmt.Sprintf("%s %s %s/%s (%.8s %d)", i.Kind, i.Change, i.Store, i.Host, i.Incident, i.K)
}

// event is a notice as programs get it.
type event struct {
	SpecVersion, Type, Source, ID string
	Data                          struct {
		Title, Text, Severity string
		Items                 []item
	}
}

// mailbox is a queue in each region, subscribed to the region's topic. It
// checks each notice as it comes.
type mailbox struct {
	t testing.TB

	mu    sync.Mutex // guards what follows
	items []item
	ids   map[string]beat.Region
}

// newMailbox makes the queues and subscribes them with hbctl, as people do.
func newMailbox(m *mesh) *mailbox {
	m.t.Helper()
	b := &mailbox{t: m.t, ids: map[string]beat.Region{}}
	var reading sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	m.t.Cleanup(func() { stop(); reading.Wait() })
	for _, r := range m.ring.Regions() {
		queue := sqs.NewFromConfig(m.ring.Config(r))
		made, err := queue.CreateQueue(m.t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("alerts")})
		if err != nil {
			m.t.Fatal(err)
		}
		a, err := queue.GetQueueAttributes(m.t.Context(), &sqs.GetQueueAttributesInput{
			QueueUrl: made.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameQueueArn},
		})
		if err != nil {
			m.t.Fatal(err)
		}
		out := m.hbctl("subscribe", "sqs", a.Attributes["QueueArn"], "--topic", m.ring.Topic(r), "--endpoint", m.ring.Endpoint(r), "--raw", "--json")
		var subscribed []struct {
			Topic   string
			Pending bool
		}
		if err := json.Unmarshal([]byte(out), &subscribed); err != nil || len(subscribed) != 1 || subscribed[0].Pending {
			m.t.Fatalf("hbctl subscribe says %s (%v)", out, err)
		}
		reading.Go(func() { b.read(ctx, r, queue, made.QueueUrl) })
	}
	return b
}

// read empties a queue until ctx ends. The emulator may be made to fail
// meanwhile.
func (b *mailbox) read(ctx context.Context, r beat.Region, queue *sqs.Client, url *string) {
	for ctx.Err() == nil {
		out, err := queue.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl: url, MaxNumberOfMessages: 10, WaitTimeSeconds: 1, VisibilityTimeout: seenFor, MessageAttributeNames: []string{"All"},
		})
		if err != nil {
			select {
			case <-ctx.Done():
			case <-time.After(200 * time.Millisecond):
			}
			continue
		}
		for i := range out.Messages {
			b.take(r, &out.Messages[i])
		}
	}
}

func (b *mailbox) take(r beat.Region, m *sqstypes.Message) {
	var e event
	if err := json.Unmarshal([]byte(aws.ToString(m.Body)), &e); err != nil || e.Type != "hb.notice.v1" || e.SpecVersion != "1.0" || e.ID == "" || len(e.Data.Items) == 0 {
		b.t.Errorf("no notice came to the queue of %s: %v: %s", r, err, aws.ToString(m.Body))
		return
	}
	b.check(r, &e, m.MessageAttributes)
	b.mu.Lock()
	defer b.mu.Unlock()
	if from, twice := b.ids[e.ID]; twice {
		b.t.Errorf("notice %s (%v) came from %s and %s", e.ID, e.Data.Items, from, r)
	}
	b.ids[e.ID] = r
	b.items = append(b.items, e.Data.Items...)
}

// check holds the attributes to the contract: each value of the items, one as a
// String, several as a String.Array.
func (b *mailbox) check(r beat.Region, e *event, got map[string]sqstypes.MessageAttributeValue) {
	want := map[string]map[string]bool{"region": {string(r): true}, "severity": {e.Data.Severity: true}}
	for _, it := range e.Data.Items {
		for name, value := range map[string]string{"kind": it.Kind, "store": it.Store, "host": it.Host, "incident": it.Incident} {
			if value == "" {
				continue
			}
			if want[name] == nil {
				want[name] = map[string]bool{}
			}
			want[name][value] = true
		}
	}
	for name, values := range want {
		a := got[name]
		list := []string{aws.ToString(a.StringValue)}
		if aws.ToString(a.DataType) == "String.Array" {
			list = nil
			_ = json.Unmarshal([]byte(aws.ToString(a.StringValue)), &list)
		}
		if !slices.Equal(slices.Sorted(slices.Values(list)), slices.Sorted(maps.Keys(values))) {
			b.t.Errorf("notice %s: attribute %s is %s %q, want %v", e.ID, name, aws.ToString(a.DataType), aws.ToString(a.StringValue), slices.Sorted(maps.Keys(values)))
		}
	}
	if len(got) != len(want) {
		b.t.Errorf("notice %s has attributes %v, want %v", e.ID, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
}

// all are the items that came so far.
func (b *mailbox) all() []item {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.items)
}

// about are the items of a host of the store, or of the store itself ("").
func (b *mailbox) about(host string) []item {
	return slices.DeleteFunc(b.all(), func(i item) bool { return i.Store != store || i.Host != host })
}

// expect waits until the items of a host are exactly the changes, oldest first,
// in either queue.
func (b *mailbox) expect(t testing.TB, d time.Duration, host string, changes ...string) []item {
	t.Helper()
	begin := time.Now()
	within(t, d, fmt.Sprintf("%s is told as %v", host, changes), func() bool { return len(b.about(host)) >= len(changes) })
	got := b.about(host)
	slices.SortFunc(got, func(x, y item) int {
		if c := x.Since.Compare(y.Since); c != 0 {
			return c
		}
		return x.K - y.K
	})
	var told []string
	for _, i := range got {
		told = append(told, i.Kind+" "+i.Change)
	}
	if !slices.Equal(told, changes) {
		t.Fatalf("%s was told as %v, want %v", host, got, changes)
	}
	t.Logf("%s told as %s after %v", host, strings.Join(changes, ", "), time.Since(begin).Round(10*time.Millisecond))
	return got
}

// once fails for each transition that came more than once, over both queues.
func (b *mailbox) once(t testing.TB) {
	t.Helper()
	type transition struct {
		incident string
		k        int
	}
	seen := map[transition]item{}
	for _, i := range b.all() {
		key := transition{i.Incident, i.K}
		if before, twice := seen[key]; twice {
			t.Errorf("told twice: %v and %v", before, i)
		}
		seen[key] = i
	}
}
