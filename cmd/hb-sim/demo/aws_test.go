package demo_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/demo"
	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/ring"
)

func TestTheDemoRunsOnDynamoDBAndSNS(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	o := ring.DefaultOptions()
	o.Ports = []int{0, 0}
	r, err := ring.Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Stop)
	m := startMesh(t, func(o *demo.Options) {
		for _, region := range r.Regions() {
			o.AWS = append(o.AWS, r.Endpoint(region))
		}
	})
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	queue := subscribeQueue(ctx, t, m, r)
	m.in(10*time.Second, "eight hosts are up", func() bool { return len(m.list("hosts", "--state", "up")) == 8 })

	m.unplug("register/pos3")
	m.expect(10*time.Second, "demo", "pos3", "host-missing open")
	var got []item
	m.in(10*time.Second, "the queue gets the notice", func() bool {
		got = append(got, queue()...)
		return len(got) > 0
	})
	m.plug("register/pos3")
	m.expect(10*time.Second, "demo", "pos3", "host-missing open", "host-missing recovered")
	m.in(10*time.Second, "the queue gets the recovery", func() bool {
		got = append(got, queue()...)
		return len(got) > 1
	})
	if len(got) != 2 || got[0].Host != "pos3" || got[0].Change != "open" || got[1].Change != "recovered" {
		t.Errorf("the queue got %v", got)
	}
}

// subscribeQueue makes a queue, lets hbctl subscribe it to the topic of the
// region that tells, and returns what reads it.
func subscribeQueue(ctx context.Context, t *testing.T, m *mesh, r *ring.Ring) func() []item {
	t.Helper()
	east := r.Regions()[0]
	client := sqs.NewFromConfig(r.Config(east))
	made, err := client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("alerts")})
	if err != nil {
		t.Fatal(err)
	}
	m.hbctl("subscribe", "sqs", "arn:aws:sqs:us-east-1:000000000000:alerts", "--raw",
		"--topic", r.Topic(east), "--endpoint", r.Endpoint(east), "--filter", `{"kind": ["host-missing"]}`)
	return func() []item {
		out, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: made.QueueUrl, MaxNumberOfMessages: 10})
		if err != nil {
			t.Fatal(err)
		}
		var items []item
		for _, msg := range out.Messages {
			var e event
			if err := json.Unmarshal([]byte(aws.ToString(msg.Body)), &e); err != nil {
				t.Fatal(err)
			}
			items = append(items, e.Data.Items...)
			if _, err := client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: made.QueueUrl, ReceiptHandle: msg.ReceiptHandle}); err != nil {
				t.Fatal(err)
			}
		}
		return items
	}
}
