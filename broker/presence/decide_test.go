package presence_test

import (
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/presence"
)

// A store that is down says why as long as nobody has another word.
func TestDownKeepsItsReason(t *testing.T) {
	f := presence.Facts{Mine: presence.ViewLost, Peer: presence.PeerSilent, Link: presence.PeerCut, SinceLoss: time.Minute, Blind: time.Minute}
	f.Was, f.Why, _ = presence.Decide(f)
	if _, why, _ := presence.Decide(f); why != presence.NoAnswerForBlind {
		t.Errorf("without another word it says %q", why)
	}
	f.Peer, f.Theirs = presence.PeerSays, presence.ViewLost
	if _, why, _ := presence.Decide(f); why != presence.LostInBoth {
		t.Errorf("with the other region's word it says %q", why)
	}
}

func TestDecide(t *testing.T) {
	const blind = time.Minute
	for _, c := range []struct {
		name     string
		facts    presence.Facts
		state    presence.State
		oneSided bool
	}{
		{"a session that is open is up", presence.Facts{Mine: presence.ViewOpen}, presence.Up, false},
		{"a session that ended is suspect within grace", presence.Facts{Mine: presence.ViewOpen, Grace: true}, presence.Suspect, false},
		{"a goodbye is no loss", presence.Facts{Mine: presence.ViewStopped}, presence.Stopped, false},
		{"a store that was never seen is unknown", presence.Facts{Mine: presence.ViewNever}, presence.Unknown, false},
		{"a store without a relay is judged by its hosts", presence.Facts{Mine: presence.ViewNever, Direct: true}, presence.DirectOnly, false},
		{"a node that settles opens nothing", presence.Facts{Mine: presence.ViewSettling}, presence.Unknown, false},
		{"a node that settles ends nothing", presence.Facts{Mine: presence.ViewSettling, Was: presence.Down}, presence.Down, false},
		{"one region alone decides alone", presence.Facts{Mine: presence.ViewLost, Peer: presence.PeerNone}, presence.Down, false},
		{"a loss waits for the other region", presence.Facts{Mine: presence.ViewLost, Peer: presence.PeerWaits, Blind: blind}, presence.Suspect, false},
		{"lost in both regions is down", presence.Facts{Mine: presence.ViewLost, Peer: presence.PeerSays, Theirs: presence.ViewLost, Blind: blind}, presence.Down, false},
		{"never seen by the other region is lost there too", presence.Facts{Mine: presence.ViewLost, Peer: presence.PeerSays, Theirs: presence.ViewNever, Blind: blind}, presence.Down, false},
		{"open in the other region: the first word waits", presence.Facts{Mine: presence.ViewLost, Peer: presence.PeerSays, Theirs: presence.ViewOpen, Opens: 1}, presence.Suspect, false},
		{"open in the other region, said twice, is a degraded path", presence.Facts{Mine: presence.ViewLost, Peer: presence.PeerSays, Theirs: presence.ViewOpen, Opens: 2}, presence.Degraded, false},
		{"stopped in the other region is stopped", presence.Facts{Mine: presence.ViewLost, Peer: presence.PeerSays, Theirs: presence.ViewStopped}, presence.Stopped, false},
		{"the other region settles: it is asked again", presence.Facts{Mine: presence.ViewLost, Peer: presence.PeerSays, Theirs: presence.ViewSettling, SinceLoss: time.Hour, Blind: blind}, presence.Suspect, false},
		{"no answer before blind waits", presence.Facts{Mine: presence.ViewLost, Peer: presence.PeerSilent, SinceLoss: blind - 1, Blind: blind}, presence.Suspect, false},
		{"no answer for blind is down, one-sided", presence.Facts{Mine: presence.ViewLost, Peer: presence.PeerSilent, SinceLoss: blind, Blind: blind}, presence.Down, true},
		{"down stays down while the other region is silent", presence.Facts{Mine: presence.ViewLost, Peer: presence.PeerSilent, Blind: blind, Was: presence.Down}, presence.Down, false},
		{"down stays down while the other region settles", presence.Facts{Mine: presence.ViewLost, Peer: presence.PeerSays, Theirs: presence.ViewSettling, Was: presence.Down}, presence.Down, false},
		{"down with a host that beats directly is a dead relay", presence.Facts{Mine: presence.ViewLost, Peer: presence.PeerSays, Theirs: presence.ViewLost, Direct: true}, presence.RelayDead, false},
		{"the link is cut: after blind it is down, one-sided", presence.Facts{Mine: presence.ViewLost, Peer: presence.PeerWaits, Link: presence.PeerCut, SinceLoss: blind, Blind: blind}, presence.Down, true},
		{"the link is cut, and the store had no session there: nobody else could know", presence.Facts{Mine: presence.ViewLost, Peer: presence.PeerWaits, Link: presence.PeerCut, NoSessionThere: true, Blind: blind}, presence.Down, true},
		{"the other region is dead: what was open here is decided here, at once", presence.Facts{Mine: presence.ViewLost, Peer: presence.PeerSilent, Link: presence.PeerDead, OpenedHere: true, Blind: blind}, presence.Down, true},
		{"the other region is dead: what only it saw is unknown", presence.Facts{Mine: presence.ViewLost, Peer: presence.PeerSays, Theirs: presence.ViewOpen, Opens: 9, Link: presence.PeerDead, SinceLoss: time.Hour, Blind: blind}, presence.Unknown, false},
		{"a region that suspects itself waits for an answer", presence.Facts{Mine: presence.ViewLost, Peer: presence.PeerSilent, Link: presence.PeerDead, OpenedHere: true, Fleet: presence.FleetSuspects, SinceLoss: time.Hour, Blind: blind}, presence.Suspect, false},
		{"a blind region knows nothing", presence.Facts{Mine: presence.ViewLost, Peer: presence.PeerSilent, Link: presence.PeerCut, Fleet: presence.FleetBlind, SinceLoss: time.Hour, Blind: blind}, presence.Unknown, false},
		{"a blind region takes an answer", presence.Facts{Mine: presence.ViewLost, Peer: presence.PeerSays, Theirs: presence.ViewLost, Fleet: presence.FleetBlind, Blind: blind}, presence.Down, false},
		{"two relays, one session: a conflict", presence.Facts{Mine: presence.ViewOpen, Conflict: true}, presence.Conflict, false},
		{"two relays, no session: the other one lives", presence.Facts{Mine: presence.ViewOpen, Grace: true, Conflict: true, Peer: presence.PeerSays, Theirs: presence.ViewLost}, presence.Suspect, false},
		{"a goodbye that expired is down at once with one region", presence.Facts{Mine: presence.ViewLost, Peer: presence.PeerNone, ByeExpired: true}, presence.Down, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			state, why, oneSided := presence.Decide(c.facts)
			if state != c.state || oneSided != c.oneSided {
				t.Fatalf("got %v (%s), one-sided %v", state, why, oneSided)
			}
			if why == "" {
				t.Fatal("a decision without a reason")
			}
		})
	}
}
