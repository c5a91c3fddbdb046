package settings

import (
	"fmt"
	"io"
	"log/slog"
)

// Logging is how a program logs, as its configuration says.
type Logging struct {
	Level  string `yaml:"level" help:"debug, info, warn or error"`
	Format string `yaml:"format" help:"text or json"`
}

// DefaultLogging is for people who read along.
func DefaultLogging() Logging { return Logging{Level: "info", Format: "text"} }

// Logger writes to w; its error names the key at fault.
func (l Logging) Logger(w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.Level)); err != nil {
		return nil, fmt.Errorf("log.level: %q is not debug, info, warn or error", l.Level)
	}
	o := &slog.HandlerOptions{Level: level}
	switch l.Format {
	case "text":
		return slog.New(slog.NewTextHandler(w, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, o)), nil
	default:
		return nil, fmt.Errorf("log.format: %q is not text or json", l.Format)
	}
}
