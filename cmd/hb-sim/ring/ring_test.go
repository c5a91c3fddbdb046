package ring_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/cloud/dynamo"
	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/ring"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

const (
	east = beat.Region("us-east-1")
	west = beat.Region("us-west-2")

	patience  = 30 * time.Second
	partition = "test#1"
)

func start(t *testing.T, o ring.Options) *ring.Ring {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := ring.Start(ctx, o)
	if err != nil {
		t.Fatal(err) // says how to install what is missing
	}
	t.Cleanup(r.Stop)
	return r
}

func tableOf(t *testing.T, r *ring.Ring, region beat.Region) table.Table {
	t.Helper()
	tb, err := dynamo.New(r.Config(region), dynamo.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	return tb
}

func put(t *testing.T, tb table.Table, sk, doc string) {
	t.Helper()
	it := table.Item{Key: table.Key{PK: partition, SK: sk}, Doc: []byte(doc)}
	if err := tb.Put(t.Context(), []table.Item{it}); err != nil {
		t.Fatal(err)
	}
}

// awaits polls a table until it holds just these items.
func awaits(t *testing.T, tb table.Table, want ...string) {
	t.Helper()
	var got []string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		items, err := table.QueryAll(t.Context(), tb, partition, "")
		if err != nil {
			t.Fatal(err)
		}
		got = nil
		for _, it := range items {
			got = append(got, fmt.Sprintf("%s=%s", it.SK, it.Doc))
		}
		if slices.Equal(got, want) {
			return
		}
	}
	t.Fatalf("waited for %q, saw %q", want, got)
}

func TestCutHoldsOneDirectionUntilItIsHealed(t *testing.T) {
	r := start(t, ring.TestOptions())
	a, b := tableOf(t, r, east), tableOf(t, r, west)
	r.Cut(east)
	put(t, a, "a#1", "from east")
	put(t, b, "b#1", "from west")
	awaits(t, a, "a#1=from east", "b#1=from west")
	awaits(t, b, "b#1=from west")
	r.Heal(east)
	awaits(t, b, "a#1=from east", "b#1=from west")
}

func TestLagIsPerItem(t *testing.T) {
	o := ring.TestOptions()
	o.Passage = func(c ring.Change) ring.Passage {
		if c.Key.SK == "held" {
			return ring.Passage{Lag: time.Hour}
		}
		return ring.Passage{}
	}
	r := start(t, o)
	put(t, tableOf(t, r, east), "held", "x")
	put(t, tableOf(t, r, east), "later", "x")
	awaits(t, tableOf(t, r, west), "later=x")
}

// The last writer of a key wins in both regions, also when the regions hear of
// each other in another order than they wrote.
func TestLastWriterWinsAfterACut(t *testing.T) {
	r := start(t, ring.TestOptions())
	a, b := tableOf(t, r, east), tableOf(t, r, west)
	r.Cut(east)
	r.Cut(west)
	for i, tb := range []table.Table{a, b, a, b} {
		put(t, tb, "shared", strconv.Itoa(i))
		time.Sleep(5 * time.Millisecond) // the stream's clock has milliseconds
	}
	put(t, b, "deleted", "x")
	time.Sleep(5 * time.Millisecond)
	put(t, a, "deleted", "y")
	if err := a.Delete(t.Context(), []table.Key{{PK: partition, SK: "deleted"}}); err != nil {
		t.Fatal(err)
	}
	r.Heal(west)
	r.Heal(east)
	awaits(t, a, "shared=3")
	awaits(t, b, "shared=3")
}

func TestForeignItemsOfAnyTypeAreReplicatedWhole(t *testing.T) {
	r := start(t, ring.TestOptions())
	item := map[string]types.AttributeValue{
		"pk": &types.AttributeValueMemberS{Value: partition}, "sk": &types.AttributeValueMemberS{Value: "foreign"},
		"bool": &types.AttributeValueMemberBOOL{Value: true},
		"null": &types.AttributeValueMemberNULL{Value: true},
		"set":  &types.AttributeValueMemberSS{Value: []string{"one", "two"}},
		"nums": &types.AttributeValueMemberNS{Value: []string{"1"}},
		"bins": &types.AttributeValueMemberBS{Value: [][]byte{{0, 1}}},
		"map": &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{
			"list": &types.AttributeValueMemberL{Value: []types.AttributeValue{&types.AttributeValueMemberN{Value: "7"}}},
		}},
	}
	name := dynamo.DefaultName
	if _, err := dynamodb.NewFromConfig(r.Config(east)).PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &name, Item: item}); err != nil {
		t.Fatal(err)
	}
	client := dynamodb.NewFromConfig(r.Config(west))
	var got map[string]types.AttributeValue
	for deadline := time.Now().Add(patience); len(got) == 0 && time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		out, err := client.GetItem(t.Context(), &dynamodb.GetItemInput{
			TableName: &name, Key: map[string]types.AttributeValue{"pk": item["pk"], "sk": item["sk"]},
		})
		if err != nil {
			t.Fatal(err)
		}
		got = out.Item
	}
	for attr, want := range item {
		if fmt.Sprintf("%#v", text(got[attr])) != fmt.Sprintf("%#v", text(want)) {
			t.Errorf("%s arrived as %#v, want %#v", attr, text(got[attr]), text(want))
		}
	}
}

// text flattens a value, so that two can be compared.
func text(v types.AttributeValue) string {
	switch v := v.(type) {
	case *types.AttributeValueMemberM:
		var all []string
		for k, e := range v.Value {
			all = append(all, k+":"+text(e))
		}
		slices.Sort(all)
		return fmt.Sprint(all)
	case *types.AttributeValueMemberL:
		var all []string
		for _, e := range v.Value {
			all = append(all, text(e))
		}
		return fmt.Sprint(all)
	case nil:
		return "absent"
	default:
		return fmt.Sprintf("%T %+v", v, v)
	}
}

func TestKilledRegionIsFilledAgainAtItsRestart(t *testing.T) {
	r := start(t, ring.TestOptions())
	a, b := tableOf(t, r, east), tableOf(t, r, west)
	put(t, a, "a#1", "from east")
	put(t, b, "b#1", "from west")
	both := []string{"a#1=from east", "b#1=from west"}
	awaits(t, a, both...)
	awaits(t, b, both...)
	r.Kill(west)
	put(t, a, "a#2", "meanwhile")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	_, err := b.Query(ctx, partition, "", "", 1)
	cancel()
	if !errors.Is(err, table.ErrUnavailable) {
		t.Errorf("a query of the killed region: error %v, want unavailable", err)
	}
	if err := r.Restart(t.Context(), west); err != nil {
		t.Fatal(err)
	}
	all := []string{"a#1=from east", "a#2=meanwhile", "b#1=from west"}
	awaits(t, b, all...)
	put(t, b, "b#2", "again")
	awaits(t, a, append(all, "b#2=again")...)
}

func TestTopicReachesAQueueThroughTheProxy(t *testing.T) {
	r := start(t, ring.TestOptions())
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	queues, topics := sqs.NewFromConfig(r.Config(east)), sns.NewFromConfig(r.Config(east), func(o *sns.Options) { o.Retryer = aws.NopRetryer{} })
	queue, err := queues.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("alerts")})
	if err != nil {
		t.Fatal(err)
	}
	attrs, err := queues.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: queue.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{"QueueArn"}})
	if err != nil {
		t.Fatal(err)
	}
	topic := r.Topic(east)
	if _, err := topics.Subscribe(ctx, &sns.SubscribeInput{
		TopicArn: &topic, Protocol: aws.String("sqs"), Endpoint: aws.String(attrs.Attributes["QueueArn"]),
	}); err != nil {
		t.Fatal(err)
	}
	publish := func(text string) error {
		_, err := topics.Publish(ctx, &sns.PublishInput{TopicArn: &topic, Message: &text})
		return err
	}
	proxy := r.Proxy(east)
	for _, f := range []struct {
		kind ring.Kind
		text string
		fail bool
	}{
		{ring.Throttle, "never 1", true},
		{ring.Fail, "never 2", true},
		{ring.LostRequest, "never 3", true},
		{ring.LostAnswer, "unknown to its sender", true},
		{ring.Slow, "late", false},
	} {
		proxy.Inject(ring.Fault{Kind: f.kind, Ops: []string{"Publish"}, Times: 1, Delay: 50 * time.Millisecond})
		if err := publish(f.text); (err != nil) != f.fail {
			t.Errorf("publish %q: error %v", f.text, err)
		}
	}
	var got []string
	for len(got) < 2 && ctx.Err() == nil {
		out, err := queues.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: queue.QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range out.Messages {
			got = append(got, aws.ToString(m.Body))
		}
	}
	all := strings.Join(got, "\n")
	if len(got) != 2 || !strings.Contains(all, "unknown to its sender") || !strings.Contains(all, "late") {
		t.Errorf("the queue got %q, want the lost answer's and the late one", got)
	}
}

func TestFaultsStrikeOnlyWhatTheyName(t *testing.T) {
	r := start(t, ring.TestOptions())
	proxy := r.Proxy(east)
	o := dynamo.DefaultOptions()
	o.Attempts = 1
	tb, err := dynamo.New(r.Config(east), o)
	if err != nil {
		t.Fatal(err)
	}
	proxy.Inject(ring.Fault{Kind: ring.Throttle, Ops: []string{"Query"}, Times: 2})
	put(t, tb, "a#1", "x")
	for i := range 3 {
		_, err := tb.Query(t.Context(), partition, "", "", 1)
		if struck := i < 2; (err != nil) != struck {
			t.Errorf("query %d: error %v", i, err)
		}
	}
	if n := proxy.Seen("Query"); n != 3 {
		t.Errorf("%d queries were seen, want 3", n)
	}
}

func TestStartSaysWhatIsMissing(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("PATH", t.TempDir())
	_, err := ring.Start(t.Context(), ring.TestOptions())
	if !errors.Is(err, ring.ErrNotInstalled) || !strings.Contains(err.Error(), "make tools") {
		t.Errorf("error %v, want how to install ministack", err)
	}
}

func TestStartNamesAUsedPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	port := l.Addr().(*net.TCPAddr).Port
	for _, proxy := range []bool{false, true} {
		o := ring.TestOptions()
		o.Ports[1], o.Proxy = port, proxy
		r, err := ring.Start(t.Context(), o)
		if err == nil {
			r.Stop()
		}
		if err == nil || !strings.Contains(err.Error(), strconv.Itoa(port)) {
			t.Errorf("error %v, want one that names port %d", err, port)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for name, change := range map[string]func(*ring.Options){
		"no region":      func(o *ring.Options) { o.Regions, o.Ports = nil, nil },
		"too few ports":  func(o *ring.Options) { o.Ports = o.Ports[:1] },
		"a region twice": func(o *ring.Options) { o.Regions = []beat.Region{east, east} },
		"a bad region":   func(o *ring.Options) { o.Regions = []beat.Region{east, "US West"} },
		"a port twice":   func(o *ring.Options) { o.Ports = []int{4566, 4566} },
		"no such port":   func(o *ring.Options) { o.Ports = []int{0, 70000} },
		"no topic":       func(o *ring.Options) { o.Topic = "" },
	} {
		o := ring.TestOptions()
		change(&o)
		if r, err := ring.Start(t.Context(), o); err == nil {
			r.Stop()
			t.Errorf("options with %s were taken", name)
		}
	}
}

// output is what Run printed, while it runs.
type output struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func TestRunPrintsTheEnvironmentAndEndsWithItsContext(t *testing.T) {
	o := ring.DefaultOptions()
	o.Ports = []int{0, 0}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out output
	done := make(chan error, 1)
	go func() { done <- ring.Run(ctx, &out, o) }()
	for !strings.Contains(out.String(), "us-west-2 AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:") {
		select {
		case err := <-done:
			t.Fatalf("it ended: %v; it printed %s", err, out.String())
		case <-time.After(10 * time.Millisecond):
		}
	}
	for _, want := range []string{"AWS_ACCESS_KEY_ID=", "AWS_ENDPOINT_URL_SNS=", ":hb-mesh-alerts", "us-east-1"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not print %q: %s", want, out.String())
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// A free port that somebody else takes before the emulator does is no failure:
// it gets another one.
func TestATakenPortIsGivenUp(t *testing.T) {
	program, err := ring.FindProgram()
	if err != nil {
		t.Fatal(err)
	}
	o, dir := ring.TestOptions(), t.TempDir()
	o.Program = filepath.Join(dir, "taken-at-first")
	script := fmt.Sprintf("#!/bin/sh\nmkdir %s/first 2>/dev/null && exit 1\nexec %s\n", dir, program)
	if err := os.WriteFile(o.Program, []byte(script), 0o700); err != nil { //nolint:gosec // it is run
		t.Fatal(err)
	}
	start(t, o)
}
