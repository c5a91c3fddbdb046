package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// maxFilterKeys is SNS's own limit of a filter policy.
const maxFilterKeys = 5

// awsTimeout bounds one call: the SDK has no overall timeout.
const awsTimeout = 15 * time.Second

// subscribeCmd subscribes one destination to the topic of each region.
type subscribeCmd struct {
	Protocol string   `arg:"" enum:"email,sqs,https,http" help:"email, sqs, https or http."`
	Endpoint string   `arg:"" help:"The mail address, the queue's ARN, or the URL."`
	Topic    []string `help:"The ARN of a region's topic; repeat it for each region: a notice goes to the topic of the region that tells it." env:"HB_TOPICS" required:"" placeholder:"ARN"`
	AWS      []string `name:"endpoint" help:"The URL of SNS (and SQS) for each topic, in their order (default: AWS's own, or AWS_ENDPOINT_URL_SNS)." env:"HB_AWS_ENDPOINTS" placeholder:"URL"`
	Filter   string   `help:"A filter policy, such as '{\"kind\":[\"store-down\"]}'." placeholder:"JSON"`
	Raw      bool     `help:"Deliver the bare event to SQS and HTTPS, without SNS's envelope."`
}

// subscription is what the command made.
type subscription struct {
	Topic        string `json:"topic"`
	Subscription string `json:"subscription"`
	// Pending waits for the owner of the endpoint to confirm.
	Pending bool `json:"pending"`
}

// Run subscribes.
func (c *subscribeCmd) Run(s *session) error {
	if err := c.check(); err != nil {
		return err
	}
	made := make([]subscription, 0, len(c.Topic))
	for i, topic := range c.Topic {
		one, err := c.subscribe(s.ctx, i, topic)
		if err != nil {
			return &failure{
				exit: ExitFailed, what: "subscribe to " + topic, err: err,
				hint: "AWS's usual variables name credentials (AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY); it may be done again without harm",
			}
		}
		made = append(made, one)
	}
	if s.out.json {
		return s.out.value(made)
	}
	rows := make([][]string, 0, len(made))
	for _, m := range made {
		state := "subscribed"
		if m.Pending {
			state = "waits: confirm it at " + c.Endpoint
		}
		rows = append(rows, []string{m.Topic, state, m.Subscription})
	}
	return s.out.table([]string{"TOPIC", "STATE", "SUBSCRIPTION"}, rows, "")
}

func (c *subscribeCmd) check() error {
	if len(c.AWS) > 1 && len(c.AWS) != len(c.Topic) {
		return usage("give one --endpoint for each --topic, or one for all", "%d endpoints do not fit %d topics", len(c.AWS), len(c.Topic))
	}
	for _, t := range c.Topic {
		if a, err := arn.Parse(t); err != nil || a.Service != "sns" {
			return usage("a topic's ARN is arn:aws:sns:us-east-1:123456789012:hb-mesh-alerts", "%q is no ARN of a topic", t)
		}
	}
	if c.Protocol == "sqs" {
		if a, err := arn.Parse(c.Endpoint); err != nil || a.Service != "sqs" {
			return usage("a queue's ARN is arn:aws:sqs:us-east-1:123456789012:alerts", "%q is no ARN of a queue", c.Endpoint)
		}
	}
	if c.Filter == "" {
		return nil
	}
	var policy map[string]json.RawMessage
	if err := json.Unmarshal([]byte(c.Filter), &policy); err != nil || len(policy) == 0 || len(policy) > maxFilterKeys {
		return usage(`a policy has one to five of kind, severity, store, host, region, such as --filter '{"kind":["store-down"]}'`, "the filter is no policy")
	}
	return nil
}

func (c *subscribeCmd) subscribe(ctx context.Context, i int, topic string) (subscription, error) {
	ctx, cancel := context.WithTimeout(ctx, awsTimeout)
	defer cancel()
	parsed, err := arn.Parse(topic)
	if err != nil {
		return subscription{}, err
	}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(parsed.Region))
	if err != nil {
		return subscription{}, fmt.Errorf("read the AWS configuration: %w", err)
	}
	var base *string
	if len(c.AWS) > 0 {
		base = aws.String(c.AWS[min(i, len(c.AWS)-1)])
	}
	if c.Protocol == "sqs" {
		if err := c.admit(ctx, cfg, base, topic); err != nil {
			return subscription{}, err
		}
	}
	attributes := map[string]string{}
	if c.Filter != "" {
		attributes["FilterPolicy"] = c.Filter
	}
	if c.Raw {
		attributes["RawMessageDelivery"] = "true"
	}
	client := sns.NewFromConfig(cfg, func(o *sns.Options) { o.BaseEndpoint = orElse(base, o.BaseEndpoint) })
	out, err := client.Subscribe(ctx, &sns.SubscribeInput{
		TopicArn: &topic, Protocol: &c.Protocol, Endpoint: &c.Endpoint,
		Attributes: attributes, ReturnSubscriptionArn: true,
	})
	if err != nil {
		return subscription{}, err
	}
	return subscription{Topic: topic, Subscription: aws.ToString(out.SubscriptionArn), Pending: c.Protocol != "sqs"}, nil
}

// admit lets the topic write to the queue: without such a statement in the
// queue's policy SNS drops each message, and nobody learns of it.
func (c *subscribeCmd) admit(ctx context.Context, cfg aws.Config, base *string, topic string) error {
	queue, err := arn.Parse(c.Endpoint)
	if err != nil {
		return err
	}
	client := sqs.NewFromConfig(cfg, func(o *sqs.Options) { o.Region, o.BaseEndpoint = queue.Region, orElse(base, o.BaseEndpoint) })
	found, err := client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &queue.Resource})
	if err != nil {
		return fmt.Errorf("find the queue: %w", err)
	}
	const name = sqstypes.QueueAttributeNamePolicy
	had, err := client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: found.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{name}})
	if err != nil {
		return fmt.Errorf("read the queue's policy: %w", err)
	}
	policy, changed, err := admitting(had.Attributes[string(name)], c.Endpoint, topic)
	if err != nil || !changed {
		return err
	}
	_, err = client.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: found.QueueUrl, Attributes: map[string]string{string(name): policy}})
	if err != nil {
		return fmt.Errorf("let the topic write to the queue: %w", err)
	}
	return nil
}

// admitting is a queue's policy with a statement that lets the topic write. What
// stands in it already stays.
func admitting(policy, queue, topic string) (string, bool, error) {
	doc := map[string]any{"Version": "2012-10-17"}
	if strings.TrimSpace(policy) != "" {
		if err := json.Unmarshal([]byte(policy), &doc); err != nil {
			return "", false, fmt.Errorf("read the queue's policy: %w", err)
		}
	}
	statements, ok := doc["Statement"].([]any)
	if one, single := doc["Statement"].(map[string]any); single {
		statements, ok = []any{one}, true
	}
	if doc["Statement"] != nil && !ok {
		return "", false, errors.New("read the queue's policy: its Statement is no list")
	}
	id := "hb-mesh " + topic
	for _, s := range statements {
		if m, ok := s.(map[string]any); ok && m["Sid"] == sid(id) {
			return policy, false, nil
		}
	}
	doc["Statement"] = append(statements, map[string]any{
		"Sid": sid(id), "Effect": "Allow", "Principal": map[string]any{"Service": "sns.amazonaws.com"},
		"Action": "sqs:SendMessage", "Resource": queue,
		"Condition": map[string]any{"ArnEquals": map[string]any{"aws:SourceArn": topic}},
	})
	out, err := json.Marshal(doc)
	return string(out), true, err
}

// sid keeps what a statement's id may hold: letters and digits.
func sid(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, s)
}

func orElse(a, b *string) *string {
	if a != nil {
		return a
	}
	return b
}
