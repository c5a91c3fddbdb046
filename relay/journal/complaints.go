package journal

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
)

// complaints is Badger's logger. What Badger calls an error while it opens is a
// part of the folder that it means to go without; later it is worth a warning.
type complaints struct {
	log *slog.Logger

	mu   sync.Mutex // guards what follows
	said string
	open bool
}

func (c *complaints) first() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.said
}

func (c *complaints) opened() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open = true
}

func (c *complaints) Errorf(format string, args ...any) {
	text := strings.TrimSpace(fmt.Sprintf(format, args...))
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.open && c.said == "" {
		c.said = text
	}
	c.log.Warn("badger reports an error", "error", text)
}

func (c *complaints) Warningf(format string, args ...any) {
	c.log.Warn("badger warns", "warning", strings.TrimSpace(fmt.Sprintf(format, args...)))
}

func (*complaints) Infof(string, ...any)  {}
func (*complaints) Debugf(string, ...any) {}
