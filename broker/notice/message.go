package notice

import (
	"errors"
	"fmt"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// The bounds of what Render makes.
const (
	// MaxTitle bounds a title, in ASCII characters: SNS wants its subject to be
	// "less than 100 characters long".
	MaxTitle = 99
	// MaxSMS bounds the line of an SMS, in ASCII characters.
	MaxSMS = 140
	// MaxEvent bounds the items of an event. Items beyond it become a count.
	MaxEvent = incident.MaxEvent
)

// Message is one notice as one channel gets it.
type Message struct {
	// ID is the notice's ULID: the same for every try.
	ID string
	// Title is one line of at most MaxTitle printable ASCII characters.
	Title string
	// Text is for a person: several lines of UTF-8.
	Text string
	// SMS is one line of at most MaxSMS printable ASCII characters.
	SMS string
	// Event is the CloudEvents 1.0 JSON.
	Event []byte
	// Severity is that of the worst item.
	Severity Severity
	// Attributes are for filters: see the package comment. No list is empty,
	// and neither is a value.
	Attributes map[string][]string
}

// RenderOptions are what the words of a notice depend on besides itself.
type RenderOptions struct {
	// Source names the sender in the event: an URI, such as /hb-mesh/us-east-1.
	Source string
	// Channel is for whom it is rendered; it is part of the event's channelKey.
	Channel incident.Channel
	// Link is the address of the dashboard, for people; "" leaves it out.
	Link string
	// Zone is the zone of the times that people read; nil is UTC.
	Zone *time.Location
}

// DefaultRenderOptions are for a region that has no dashboard to link to.
func DefaultRenderOptions(region beat.Region) RenderOptions {
	return RenderOptions{Source: "/hb-mesh/" + string(region), Zone: time.UTC}
}

var errNothing = errors.New("no id or no items")

// Render puts a notice into words. It is a function of its arguments: the same
// notice has the same words, whichever region or retry renders it. Its error is
// an ErrPermanent.
func Render(n incident.Notice, o RenderOptions) (Message, error) {
	if n.ID == "" || len(n.Items) == 0 {
		return Message{}, fmt.Errorf("render notice %q: %w: %w", n.ID, ErrPermanent, errNothing)
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	groups := group(n.Items)
	m := Message{ID: n.ID, Severity: severity(&n), Attributes: attributes(n)}
	m.Title = title(groups)
	m.Text = text(n, groups, o)
	m.SMS = sms(n, groups, o)
	var err error
	if m.Event, err = event(n, m, o); err != nil {
		return Message{}, fmt.Errorf("render notice %q: %w: %w", n.ID, ErrPermanent, err)
	}
	return m, nil
}
