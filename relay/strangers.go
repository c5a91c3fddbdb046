package relay

import (
	"net/netip"
	"slices"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/roster"
)

const (
	// maxStrangers is what a technician can read, and a flood cannot fill.
	maxStrangers = 16
	// strangerLasts is how long a refused host is shown after its last beat.
	strangerLasts = time.Hour
)

// stranger is a host whose beats were refused.
type stranger struct {
	host beat.HostID
	from netip.Addr
	why  roster.Ignorance
	last time.Time
}

// strangers are the last ones, the newest at the end.
type strangers struct{ all []stranger }

func (s *strangers) note(o *roster.Ignored, now time.Time) {
	s.all = slices.DeleteFunc(s.all, func(e stranger) bool { return e.host == o.Host && e.from == o.From })
	if len(s.all) >= maxStrangers {
		s.all = slices.Delete(s.all, 0, len(s.all)-maxStrangers+1)
	}
	s.all = append(s.all, stranger{o.Host, o.From, o.Why, now})
}

// refused are the hosts that were refused of late, the newest first.
func (c *core) refused() []stranger {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.clock().Wall
	out := slices.DeleteFunc(slices.Clone(c.strangers.all), func(s stranger) bool { return now.Sub(s.last) >= strangerLasts })
	slices.Reverse(out)
	return out
}
