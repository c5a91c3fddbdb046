package sns_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssns "github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/hb-mesh/hb-mesh/broker/notice"
	"github.com/hb-mesh/hb-mesh/cloud/sns"
)

// emulator starts ministack (SNS and SQS in one process) and returns its
// endpoint. make test makes its venv; HB_MINISTACK names another program.
func emulator(t *testing.T) string {
	t.Helper()
	program := os.Getenv("HB_MINISTACK")
	if program == "" {
		program = filepath.Join("..", "..", ".venv", "bin", "ministack")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().(*net.TCPAddr)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	program, err = filepath.Abs(program)
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(address.String())
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), "BIND_HOST=127.0.0.1", "GATEWAY_PORT="+port)
	cmd.Dir = t.TempDir()
	if err := cmd.Start(); err != nil {
		t.Fatalf("start ministack (make .venv makes it): %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	endpoint := "http://" + address.String()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if healthy(endpoint) {
			return endpoint
		}
	}
	t.Fatal("ministack did not become ready within 30 s")
	return ""
}

func healthy(endpoint string) bool {
	resp, err := http.Get(endpoint + "/_ministack/health")
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
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
	cfg := config(emulator(t))
	ctx := t.Context()
	topicARN, err := sns.EnsureTopic(ctx, cfg, "hb-mesh-alerts")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := sns.EnsureTopic(ctx, cfg, "hb-mesh-alerts"); err != nil || again != topicARN {
		t.Fatalf("a topic that is there is found: %q, %v, want %q", again, err, topicARN)
	}
	if _, err := sns.EnsureTopic(ctx, cfg, "a b"); err == nil {
		t.Error("a topic of a bad name is created")
	}
	all := subscribe(t, cfg, topicARN, "all", nil)
	raw := subscribe(t, cfg, topicARN, "raw", map[string]string{"RawMessageDelivery": "true"})
	one := subscribe(t, cfg, topicARN, "one", map[string]string{"RawMessageDelivery": "true", "FilterPolicy": `{"store":["second"]}`})

	o := sns.DefaultOptions()
	o.TopicARN = topicARN
	c, err := sns.New(o, cfg)
	if err != nil {
		t.Fatal(err)
	}
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
