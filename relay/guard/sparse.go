package guard

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
)

const (
	// linesPerMinute is how much a stranger may write into a door's log.
	linesPerMinute = 10
	// maxLogged is how much of a text of a client's choice is logged.
	maxLogged = 64
)

// Sparse logs lines that a client can cause as often as it likes: some a
// minute. The others are counted, and the count is said with the next line.
type Sparse struct {
	log *slog.Logger

	mu           sync.Mutex // guards what follows
	since        time.Time
	said, unsaid int
}

// NewSparse logs to log.
func NewSparse(log *slog.Logger) *Sparse { return &Sparse{log: log} }

// Log logs the line, or counts it.
func (s *Sparse) Log(level slog.Level, text string, args ...any) {
	s.mu.Lock()
	now := time.Now()
	if now.Sub(s.since) >= time.Minute {
		s.since, s.said = now, 0
	}
	if s.said++; s.said > linesPerMinute {
		s.unsaid++
		s.mu.Unlock()
		return
	}
	if s.unsaid > 0 {
		args = append(args, "unsaid_before", s.unsaid)
		s.unsaid = 0
	}
	if s.said == linesPerMinute {
		args = append(args, "note", "more of these are only counted for a minute")
	}
	s.mu.Unlock()
	s.log.Log(context.Background(), level, text, args...) //nolint:sloglint // the callers' texts are constant
}

// Clip is a text of a client's choice as it may be logged.
func Clip(text string) string {
	if len(text) <= maxLogged {
		return text
	}
	return strings.ToValidUTF8(text[:maxLogged], "") + "…"
}
