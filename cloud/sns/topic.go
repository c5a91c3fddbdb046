package sns

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
)

const maxTopicName = 256

// EnsureTopic creates a standard topic, unless it is there, and returns its ARN.
func EnsureTopic(ctx context.Context, cfg aws.Config, name string) (string, error) {
	if !topicName(name) {
		return "", fmt.Errorf("create topic: %q is no topic's name (A-Z, a-z, 0-9, _ and -)", name)
	}
	out, err := sns.NewFromConfig(cfg).CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String(name)})
	if err != nil {
		return "", fmt.Errorf("create topic %s: %w", name, err)
	}
	return aws.ToString(out.TopicArn), nil
}

// topicName says whether SNS takes the name of a standard topic.
func topicName(s string) bool {
	if len(s) == 0 || len(s) > maxTopicName {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '_' && c != '-' {
			return false
		}
	}
	return true
}
