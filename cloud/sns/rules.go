package sns

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
)

// The rules of SNS's Publish, from its API reference, 2025.
const (
	// MaxSubject is "less than 100 characters long".
	MaxSubject = 99
	// MaxBytes bounds a message with its attributes: 256 KiB.
	MaxBytes = 256 << 10
	// MaxSMS is what one SMS holds; SNS would split a longer one and bill each
	// part.
	MaxSMS = 140
	// MaxAttributes is SQS's, for subscriptions with raw delivery: it drops a
	// message that has more.
	MaxAttributes = 10

	maxAttributeName = 256
)

// ErrRule is a message that SNS, or one of its protocols, would refuse.
var ErrRule = errors.New("against SNS's rules")

// check says which rule a publish breaks, if any.
func check(in *sns.PublishInput) error {
	if err := checkSubject(aws.ToString(in.Subject)); err != nil {
		return err
	}
	if err := checkBody(aws.ToString(in.Message)); err != nil {
		return err
	}
	if len(in.MessageAttributes) > MaxAttributes {
		return fmt.Errorf("%w: %d attributes, at most %d", ErrRule, len(in.MessageAttributes), MaxAttributes)
	}
	size := len(aws.ToString(in.Message))
	for name, a := range in.MessageAttributes {
		if err := checkAttribute(name, a); err != nil {
			return err
		}
		size += len(name) + len(aws.ToString(a.DataType)) + len(aws.ToString(a.StringValue))
	}
	if size > MaxBytes {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrRule, size, MaxBytes)
	}
	return nil
}

// checkSubject: ASCII that begins with a letter, number or punctuation mark,
// without line breaks and control characters.
func checkSubject(s string) error {
	if len(s) == 0 || len(s) > MaxSubject {
		return fmt.Errorf("%w: a subject of %d characters, want 1 to %d", ErrRule, len(s), MaxSubject)
	}
	if s[0] == ' ' {
		return fmt.Errorf("%w: a subject that begins with a space", ErrRule)
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return fmt.Errorf("%w: a subject with byte %#02x, want printable ASCII", ErrRule, s[i])
		}
	}
	return nil
}

// checkBody: a JSON object of texts with a default, in UTF-8.
func checkBody(s string) error {
	var body map[string]string
	if !utf8.ValidString(s) || json.Unmarshal([]byte(s), &body) != nil {
		return fmt.Errorf("%w: the message is no JSON object of texts", ErrRule)
	}
	if body[protocolDefault] == "" {
		return fmt.Errorf("%w: the message has no default", ErrRule)
	}
	for protocol, text := range body {
		if text == "" {
			return fmt.Errorf("%w: nothing for %s", ErrRule, protocol)
		}
	}
	if n := len(body[protocolSMS]); n > MaxSMS {
		return fmt.Errorf("%w: an SMS of %d characters, at most %d", ErrRule, n, MaxSMS)
	}
	return nil
}

// checkAttribute: a name of A-Z, a-z, 0-9, _, - and single dots inside, that is
// not reserved; and a value that is not empty.
func checkAttribute(name string, a types.MessageAttributeValue) error {
	low := strings.ToLower(name)
	switch {
	case len(name) == 0 || len(name) > maxAttributeName:
		return fmt.Errorf("%w: an attribute name of %d characters", ErrRule, len(name))
	case strings.HasPrefix(low, "aws.") || strings.HasPrefix(low, "amazon."):
		return fmt.Errorf("%w: attribute name %q is reserved", ErrRule, name)
	case name[0] == '.' || name[len(name)-1] == '.' || strings.Contains(name, ".."):
		return fmt.Errorf("%w: attribute name %q has a dot too many", ErrRule, name)
	case aws.ToString(a.StringValue) == "" || !utf8.ValidString(aws.ToString(a.StringValue)):
		return fmt.Errorf("%w: attribute %q is empty or no UTF-8", ErrRule, name)
	}
	for i := range len(name) {
		c := name[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '_' && c != '-' && c != '.' {
			return fmt.Errorf("%w: attribute name %q", ErrRule, name)
		}
	}
	return nil
}
