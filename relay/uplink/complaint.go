package uplink

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"
)

// sameComplaint is how long the log hears an error once only: a region that is
// away for a day must not fill a disk.
const sameComplaint = time.Minute

// refusedError is a region that does not take the relay's user or password.
// twin says that it may take them, and not this relay: another one of its name,
// a clone of its disk for example, has the session.
type refusedError struct {
	user string
	twin bool
}

func (e *refusedError) Error() string {
	if e.twin {
		return fmt.Sprintf("the region refuses user %s: check regions[].user and password, and whether another relay of this name is at work", e.user)
	}
	return fmt.Sprintf("the region refuses user %s: check regions[].user and password", e.user)
}

// complaints tells the log why there is no connection. It belongs to its
// link's goroutine.
type complaints struct {
	told map[string]time.Time // by error
}

// tell logs the error, if it was not told for a minute.
func (c *complaints) tell(log *slog.Logger, now time.Time, err error) {
	for key, at := range c.told {
		if now.Sub(at) >= sameComplaint {
			delete(c.told, key)
		}
	}
	key := complaint(err)
	if _, told := c.told[key]; told {
		return
	}
	if c.told == nil {
		c.told = map[string]time.Time{}
	}
	c.told[key] = now
	if refused := (*refusedError)(nil); errors.As(err, &refused) {
		log.Warn("the region refuses the user: check regions[].user and password", "user", refused.user)
		return
	}
	log.Info("no connection to the region", "err", err)
}

// complaint is what makes two errors the same: the port of this end does not.
func complaint(err error) string {
	if op := (*net.OpError)(nil); errors.As(err, &op) && op.Err != nil {
		return op.Op + ": " + op.Err.Error()
	}
	return err.Error()
}

// settle forgets what was told: the region is there, so that its next failure is news.
func (c *complaints) settle() { clear(c.told) }
