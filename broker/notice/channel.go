package notice

import (
	"context"
	"errors"
	"log/slog"

	"github.com/hb-mesh/hb-mesh/broker/incident"
)

// What Publish says about a notice that it could not bring, by errors.Is. An
// error that is none of these was not taken, and a retry may help.
var (
	// ErrUnknown is a publish whose answer was lost: it may have been taken. A
	// retry may bring it twice.
	ErrUnknown = errors.New("the answer was lost: it may have been taken")
	// ErrPermanent is a notice that this channel will never take.
	ErrPermanent = errors.New("the channel will never take it")
)

// Channel is a destination of notices.
type Channel interface {
	// Name is the channel's, the same in both regions.
	Name() incident.Channel
	// Publish tries once to bring the message, and ends with ctx. nil means
	// that the channel took it. It is called concurrently.
	Publish(ctx context.Context, m Message) error
}

// A Channel that has a method Local() bool and says true reaches nobody by
// itself: what only such channels took is not told, unless there are no others.

// Log is the channel that writes notices to a log: it takes all of them.
type Log struct {
	name incident.Channel
	log  *slog.Logger
}

var _ Channel = (*Log)(nil)

// NewLog makes the channel.
func NewLog(name incident.Channel, log *slog.Logger) *Log { return &Log{name: name, log: log} }

// Name is the channel's.
func (l *Log) Name() incident.Channel { return l.name }

// Local says that a log reaches nobody by itself.
func (l *Log) Local() bool { return true }

// Publish writes one line.
func (l *Log) Publish(ctx context.Context, m Message) error {
	l.log.InfoContext(ctx, "notice", "title", m.Title, "severity", string(m.Severity),
		"store", m.Attributes[attrStore], "notice", m.ID, "text", m.SMS)
	return nil
}
