package sns

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/notice"
)

// DefaultTimeout bounds one publish; SNS answers within a second, or is ill.
const DefaultTimeout = 5 * time.Second

const (
	protocolDefault = "default"
	protocolEmail   = "email"
	protocolSMS     = "sms"

	typeString = "String"
	typeArray  = "String.Array"

	fifo = ".fifo"
)

// Options are a Channel's settings.
type Options struct {
	// Name is the channel's, the same in both regions though each has a topic
	// of its own.
	Name incident.Channel
	// TopicARN is a standard topic in the region of the AWS configuration.
	TopicARN string
	Timeout  time.Duration
}

// DefaultOptions have everything but a topic.
func DefaultOptions() Options { return Options{Name: "sns", Timeout: DefaultTimeout} }

func (o Options) validate(region string) error {
	a, err := arn.Parse(o.TopicARN)
	switch {
	case err != nil || a.Service != "sns" || !topicName(strings.TrimSuffix(a.Resource, fifo)):
		return fmt.Errorf("sns: topic %q is no topic's ARN (arn:aws:sns:REGION:ACCOUNT:NAME)", o.TopicARN)
	case strings.HasSuffix(a.Resource, fifo):
		return fmt.Errorf("sns: topic %q is FIFO, which reaches neither email nor SMS: use a standard topic", o.TopicARN)
	case region != a.Region:
		return fmt.Errorf("sns: topic %q is not in region %q", o.TopicARN, region)
	case o.Name == "":
		return errors.New("sns: a channel needs a name")
	case o.Timeout <= 0:
		return fmt.Errorf("sns: timeout %v is not positive", o.Timeout)
	}
	return nil
}

// Channel publishes to one topic.
type Channel struct {
	o      Options
	client *sns.Client
}

var _ notice.Channel = (*Channel)(nil)

// New checks the options; nothing is sent. Endpoint and credentials are cfg's.
func New(o Options, cfg aws.Config) (*Channel, error) {
	if err := o.validate(cfg.Region); err != nil {
		return nil, err
	}
	return &Channel{o: o, client: client(cfg)}, nil
}

// client has no retries of its own: see the package comment.
func client(cfg aws.Config) *sns.Client {
	return sns.NewFromConfig(cfg, func(o *sns.Options) { o.Retryer = aws.NopRetryer{} })
}

// Name is the channel's.
func (c *Channel) Name() incident.Channel { return c.o.Name }

// Publish publishes once.
func (c *Channel) Publish(ctx context.Context, m notice.Message) error {
	in, err := c.input(m)
	if err != nil {
		return fmt.Errorf("publish to %s: %w: %w", c.o.TopicARN, notice.ErrPermanent, err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	if _, err := c.client.Publish(ctx, in); err != nil {
		return fmt.Errorf("publish to %s: %w", c.o.TopicARN, classify(err))
	}
	return nil
}

func (c *Channel) input(m notice.Message) (*sns.PublishInput, error) {
	body, err := encode(map[string]string{protocolDefault: string(m.Event), protocolEmail: m.Text, protocolSMS: m.SMS})
	if err != nil {
		return nil, err
	}
	in := &sns.PublishInput{
		TopicArn: aws.String(c.o.TopicARN), Subject: aws.String(m.Title),
		Message: aws.String(body), MessageStructure: aws.String("json"),
		MessageAttributes: make(map[string]types.MessageAttributeValue, len(m.Attributes)),
	}
	for name, values := range m.Attributes {
		if in.MessageAttributes[name], err = attribute(values); err != nil {
			return nil, err
		}
	}
	return in, check(in)
}

// attribute is a String where there is one value, else a String.Array: a filter
// policy matches any of its values.
func attribute(values []string) (types.MessageAttributeValue, error) {
	if len(values) == 1 {
		return types.MessageAttributeValue{DataType: aws.String(typeString), StringValue: aws.String(values[0])}, nil
	}
	list, err := encode(values)
	if err != nil {
		return types.MessageAttributeValue{}, err
	}
	return types.MessageAttributeValue{DataType: aws.String(typeArray), StringValue: aws.String(list)}, nil
}

// encode is JSON without the escapes that only a page needs.
func encode(v any) (string, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "", fmt.Errorf("encode: %w", err)
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}
