package broker_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker"
	"github.com/hb-mesh/hb-mesh/broker/credential"
	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/notice"
	"github.com/hb-mesh/hb-mesh/broker/table"
)

// slow is a channel that takes its time.
type slow struct {
	began chan struct{}
	took  atomic.Int32
}

func (s *slow) Name() incident.Channel { return "slow" }

func (s *slow) Publish(context.Context, notice.Message) error {
	if s.took.Add(1) == 1 {
		close(s.began)
	}
	time.Sleep(200 * time.Millisecond)
	return nil
}

// lives runs a region until the function that it returns is called.
func lives(t *testing.T, tb table.Table, ch notice.Channel) (b *broker.Broker, stop func()) {
	t.Helper()
	o := broker.DefaultOptions()
	o.Region, o.Table, o.Channels = "us-east-1", tb, []notice.Channel{ch}
	o.MQTTAddr, o.HTTPAddr, o.Gather, o.Settle = "127.0.0.1:0", "127.0.0.1:0", 0, 0
	o.Keys = []credential.Static{{Request: credential.Request{Roles: []credential.Role{credential.Beat, credential.Admin}}, Text: "key"}}
	b, err := broker.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	<-b.Ready()
	return b, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// A node that stops while a channel takes a notice marks it before it ends:
// the next start does not send it again.
func TestCleanStopMarksWhatWasSent(t *testing.T) {
	store := inMemory(t)
	ch := &slow{began: make(chan struct{})}
	b, stop := lives(t, store.Region("us-east-1"), ch)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+b.HTTPAddr().String()+"/ping/pos1/fail", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("x-api-key", "key")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	<-ch.began
	stop()
	_, stop = lives(t, store.Region("us-east-1"), ch)
	time.Sleep(1500 * time.Millisecond) // past the first retry of a notice that was left unsent
	stop()
	if n := ch.took.Load(); n != 1 {
		t.Fatalf("the channel took the notice %d times", n)
	}
}
