//go:build linux

package e2e_test

import (
	"slices"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// excuse is something after which a message may come again (I4): a crash, or a
// pause, between the lease check and the mark. It excuses who was told about then,
// and nobody else.
type excuse struct {
	subject  string   // whose messages; "": anybody's
	channels []string // by which they may come again
	from, to time.Time
	copies   int // how many messages in all
}

const (
	// unmarked is how long before a crash a message may have left whose mark was
	// not written yet: a table call and its retry.
	unmarked = 10 * time.Second
	// late is how long a message may take to the observer.
	late = 15 * time.Second
)

// excuse notes that a broker dies, or stops, now.
func (o *observer) excuse(subject string, copies int, channels ...string) *excuse {
	o.mu.Lock()
	defer o.mu.Unlock()
	e := &excuse{subject: subject, channels: channels, from: time.Now(), to: time.Now(), copies: copies}
	o.excuses = append(o.excuses, e)
	return e
}

// lasts notes that what an excuse is about lasted until now.
func (o *observer) lasts(e *excuse) {
	o.mu.Lock()
	defer o.mu.Unlock()
	e.to = time.Now()
}

// covers says whether it excuses that a message, which came as before, came
// again.
func (e *excuse) covers(before, again sighting) bool {
	return e.copies > 0 && (e.subject == "" || e.subject == again.subject()) && slices.Contains(e.channels, again.channel) &&
		before.at.After(e.from.Add(-unmarked)) && before.at.Before(e.to.Add(late)) && again.at.After(e.from)
}

// duplicates: a key is told once on a channel; again only where an excuse of
// that key, at that time, is not used up.
func (o *observer) duplicates() *verdict {
	v := &verdict{property: "duplicates"}
	type key struct {
		channel, incident string
		k                 int
	}
	last := map[key]sighting{}
	excused := 0
	for _, s := range o.seen {
		k := key{s.channel, s.Incident, s.K}
		before, again := last[k]
		last[k] = s
		if !again {
			continue
		}
		i := slices.IndexFunc(o.excuses, func(e *excuse) bool { return e.covers(before, s) })
		if i < 0 {
			v.bad("%v came again, and nothing excuses it", s)
			continue
		}
		o.excuses[i].copies--
		excused++
	}
	v.judged = len(last)
	o.t.Logf("%-12s %d messages came again and are excused, by %d crashes and pauses", "", excused, len(o.excuses))
	return v
}

// trouble is what was done to a region: a notice of that kind about it is true.
type trouble struct {
	kind   string
	region beat.Region
	from   time.Time
}

func (tr trouble) explains(s sighting) bool {
	return tr.kind == s.Kind && tr.region == s.region && s.at.After(tr.from)
}

// trouble notes that from now on a region is in trouble of a kind.
func (o *observer) trouble(r beat.Region, kind string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.troubles = append(o.troubles, trouble{kind, r, time.Now()})
}

// named is the region that a notice's title names.
func named(title string) beat.Region {
	for _, r := range regions {
		if strings.Contains(title, "["+string(r)+"]") {
			return r
		}
	}
	return ""
}

// The kinds of a region's own notices.
const (
	regionDown = "region-down"
	regionPath = "region-path"
)
