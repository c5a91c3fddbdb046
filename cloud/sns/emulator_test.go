package sns_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssns "github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/hb-mesh/hb-mesh/broker/notice"
	"github.com/hb-mesh/hb-mesh/cloud/sns"
	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/ring"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

const east = beat.Region("us-east-1")

// emulator runs SNS and SQS of one region, behind a proxy that injects faults.
func emulator(t *testing.T) *ring.Ring {
	t.Helper()
	o := ring.TestOptions()
	o.Regions, o.Ports = []beat.Region{east}, []int{0}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := ring.Start(ctx, o)
	if err != nil {
		t.Fatal(err) // says how to install what is missing
	}
	t.Cleanup(r.Stop)
	return r
}

// topicChannel publishes to the ring's topic.
func topicChannel(t *testing.T, r *ring.Ring) *sns.Channel {
	t.Helper()
	o := sns.DefaultOptions()
	o.TopicARN = r.Topic(east)
	c, err := sns.New(o, r.Config(east))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// subscriber is a queue that is subscribed to the topic.
type subscriber struct {
	client *sqs.Client
	url    *string
}

func subscribe(t *testing.T, cfg aws.Config, topicARN, name string, attributes map[string]string) subscriber {
	t.Helper()
	client := sqs.NewFromConfig(cfg)
	q, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String(name)})
	if err != nil {
		t.Fatal(err)
	}
	a, err := client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: q.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameQueueArn},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = awssns.NewFromConfig(cfg).Subscribe(t.Context(), &awssns.SubscribeInput{
		TopicArn: aws.String(topicARN), Protocol: aws.String("sqs"), Endpoint: aws.String(a.Attributes["QueueArn"]), Attributes: attributes,
	})
	if err != nil {
		t.Fatal(err)
	}
	return subscriber{client, q.QueueUrl}
}

// receive waits for n messages, and a moment for one too many.
func (s subscriber) receive(t *testing.T, n int) []sqstypes.Message {
	t.Helper()
	var got []sqstypes.Message
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	for {
		wait := int32(5)
		if len(got) >= n {
			wait = 1
		}
		out, err := s.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl: s.url, MaxNumberOfMessages: 10, WaitTimeSeconds: wait, VisibilityTimeout: 60, MessageAttributeNames: []string{"All"},
		})
		if err != nil {
			t.Fatalf("received %d, want %d: %v", len(got), n, err)
		}
		got = append(got, out.Messages...)
		if len(got) >= n && len(out.Messages) == 0 {
			return got
		}
	}
}

func TestSubscribersOfATopicGetTheNotice(t *testing.T) {
	r := emulator(t)
	cfg, topicARN, ctx := r.Config(east), r.Topic(east), t.Context()
	if again, err := sns.EnsureTopic(ctx, cfg, ring.DefaultTopic); err != nil || again != topicARN {
		t.Fatalf("a topic that is there is found: %q, %v, want %q", again, err, topicARN)
	}
	if _, err := sns.EnsureTopic(ctx, cfg, "a b"); err == nil {
		t.Error("a topic of a bad name is created")
	}
	all := subscribe(t, cfg, topicARN, "all", nil)
	raw := subscribe(t, cfg, topicARN, "raw", map[string]string{"RawMessageDelivery": "true"})
	one := subscribe(t, cfg, topicARN, "one", map[string]string{"RawMessageDelivery": "true", "FilterPolicy": `{"store":["second"]}`})

	c := topicChannel(t, r)
	single, digest := message(t, item("demo", "pos3")), message(t, item("first", "pos1"), item("second", "pos2"))
	for _, m := range []notice.Message{single, digest} {
		if err := c.Publish(ctx, m); err != nil {
			t.Fatal(err)
		}
	}

	envelopes := all.receive(t, 2)
	if len(envelopes) != 2 || !slices.ContainsFunc(envelopes, func(m sqstypes.Message) bool { return isEnvelope(m, single) }) {
		t.Errorf("the queue got %v, want each once, with its attributes", bodies(envelopes))
	}
	events := raw.receive(t, 2)
	i := slices.IndexFunc(events, func(m sqstypes.Message) bool { return aws.ToString(m.Body) == string(single.Event) })
	if len(events) != 2 || i < 0 {
		t.Fatalf("the queue with raw delivery got %v, want the events", bodies(events))
	}
	for name, want := range map[string]string{
		"kind": "host-missing", "severity": "error", "store": "demo", "host": "pos3", "region": "us-east-1", "incident": "inc-pos3",
	} {
		if a := events[i].MessageAttributes[name]; aws.ToString(a.StringValue) != want {
			t.Errorf("attribute %s is %v, want %s", name, aws.ToString(a.StringValue), want)
		}
	}
	if got := one.receive(t, 1); len(got) != 1 || aws.ToString(got[0].Body) != string(digest.Event) {
		t.Errorf("a filter on a store of the digest got %v, want the digest", bodies(got))
	}
}

func TestAPublishWhoseAnswerIsLostMayArrive(t *testing.T) {
	r := emulator(t)
	queue := subscribe(t, r.Config(east), r.Topic(east), "all", map[string]string{"RawMessageDelivery": "true"})
	c, m := topicChannel(t, r), message(t, item("demo", "pos3"))
	for _, tt := range []struct {
		says    string
		fault   ring.Kind
		unknown bool
	}{
		{"throttled", ring.Throttle, false},
		{"broken at work", ring.Fail, true},
		{"lost on the way there", ring.LostRequest, true},
		{"lost on the way back", ring.LostAnswer, true},
	} {
		r.Proxy(east).Inject(ring.Fault{Kind: tt.fault, Ops: []string{"Publish"}, Times: 1})
		if err := c.Publish(t.Context(), m); err == nil || errors.Is(err, notice.ErrUnknown) != tt.unknown || errors.Is(err, notice.ErrPermanent) {
			t.Errorf("%s: got %v", tt.says, err)
		}
	}
	if got := queue.receive(t, 1); len(got) != 1 || aws.ToString(got[0].Body) != string(m.Event) {
		t.Errorf("got %v, want the one whose answer was lost", bodies(got))
	}
}

// isEnvelope says whether a queue's message is SNS's envelope of m.
func isEnvelope(got sqstypes.Message, m notice.Message) bool {
	var e struct {
		Subject           string
		Message           string
		MessageAttributes map[string]struct{ Type, Value string }
	}
	if json.Unmarshal([]byte(aws.ToString(got.Body)), &e) != nil {
		return false
	}
	return e.Subject == m.Title && e.Message == string(m.Event) && e.MessageAttributes["host"].Value == "pos3" && e.MessageAttributes["host"].Type == "String"
}

func bodies(messages []sqstypes.Message) []string {
	var out []string
	for _, m := range messages {
		out = append(out, aws.ToString(m.Body))
	}
	return out
}
