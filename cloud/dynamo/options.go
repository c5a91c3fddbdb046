package dynamo

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Options are the settings of a Table; start from DefaultOptions.
type Options struct {
	// Name is the table's name.
	Name string
	// Attempts is how often a call is tried in all, as long as its context lasts.
	Attempts int
	// AttemptTimeout ends one attempt: DynamoDB answers within milliseconds, so
	// a silent one is lost. The SDK itself would wait for ever.
	AttemptTimeout time.Duration
	// BackoffFirst is the longest wait before the second attempt; it doubles up
	// to BackoffCap. The wait is a random part of it (full jitter).
	BackoffFirst, BackoffCap time.Duration
	// Logger gets what an operator must know; nil is silent.
	Logger *slog.Logger
	// Metrics counts calls; nil counts nothing.
	Metrics *Metrics
}

const (
	// DefaultName is the table's name where the configuration names none.
	DefaultName = "hb-mesh"
	// Five attempts with these waits last about 1 s when the table refuses at
	// once: longer belongs to the callers, who hold the work and can say so.
	defaultAttempts       = 5
	defaultAttemptTimeout = 2 * time.Second
	defaultBackoffFirst   = 50 * time.Millisecond
	defaultBackoffCap     = time.Second
)

// DefaultOptions are those of the table DefaultName.
func DefaultOptions() Options {
	return Options{
		Name:           DefaultName,
		Attempts:       defaultAttempts,
		AttemptTimeout: defaultAttemptTimeout,
		BackoffFirst:   defaultBackoffFirst,
		BackoffCap:     defaultBackoffCap,
	}
}

func (o Options) validate() error {
	switch {
	case o.Name == "":
		return errors.New("the table has no name")
	case o.Attempts < 1:
		return fmt.Errorf("attempts is %d, want at least 1", o.Attempts)
	case o.AttemptTimeout <= 0:
		return fmt.Errorf("attempt timeout is %v, want more than 0", o.AttemptTimeout)
	case o.BackoffFirst <= 0 || o.BackoffCap < o.BackoffFirst:
		return fmt.Errorf("backoff is %v to %v, want more than 0 and rising", o.BackoffFirst, o.BackoffCap)
	}
	return nil
}
