package broker

import (
	"time"

	"github.com/hb-mesh/hb-mesh/broker/dashboard"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// keepActivity bounds the lines that people see on the dashboard.
const keepActivity = 100

// activityLog is what happened lately, for people: a ring, oldest first.
type activityLog struct {
	lines []dashboard.Activity
	next  int
}

func (a *activityLog) add(at time.Time, kind string, store beat.StoreID, host beat.HostID, text string) {
	line := dashboard.Activity{At: at.UTC(), Kind: kind, Store: store, Host: host, Text: text}
	if len(a.lines) < keepActivity {
		a.lines = append(a.lines, line)
		return
	}
	a.lines[a.next] = line
	a.next = (a.next + 1) % keepActivity
}

// newest are the lines, newest first.
func (a *activityLog) newest() []dashboard.Activity {
	out := make([]dashboard.Activity, 0, len(a.lines))
	for i := range a.lines {
		out = append(out, a.lines[(a.next+len(a.lines)-1-i)%len(a.lines)])
	}
	return out
}
