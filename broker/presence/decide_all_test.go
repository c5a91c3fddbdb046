package presence_test

import (
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/presence"
)

// everyFact calls f with every combination of facts.
func everyFact(f func(presence.Facts)) {
	const blind = time.Minute
	yes := []bool{false, true}
	for _, mine := range []presence.View{presence.ViewNever, presence.ViewOpen, presence.ViewLost, presence.ViewStopped, presence.ViewSettling} {
		for _, grace := range yes {
			for _, conflict := range yes {
				for peer := presence.PeerNone; peer <= presence.PeerSays; peer++ {
					for _, theirs := range []presence.View{"", presence.ViewNever, presence.ViewOpen, presence.ViewLost, presence.ViewStopped, presence.ViewSettling} {
						for opens := range 3 {
							base := presence.Facts{Mine: mine, Grace: grace, Conflict: conflict, Peer: peer, Theirs: theirs, Opens: opens, Blind: blind}
							everyRegionFact(base, f)
						}
					}
				}
			}
		}
	}
}

func everyRegionFact(base presence.Facts, f func(presence.Facts)) {
	yes := []bool{false, true}
	for link := presence.PeerLives; link <= presence.PeerSettles; link++ {
		for fleet := presence.FleetWell; fleet <= presence.FleetBlind; fleet++ {
			for _, since := range []time.Duration{0, base.Blind - 1, base.Blind} {
				for was := presence.Unknown; was <= presence.Conflict; was++ {
					for flags := range 64 {
						g := base
						g.Link, g.Fleet, g.SinceLoss, g.Was = link, fleet, since, was
						g.OpenedHere, g.NoSessionThere = yes[flags&1], yes[flags>>1&1]
						g.ByeExpired, g.Direct = yes[flags>>2&1], yes[flags>>3&1]
						g.Deaf, g.GoesWithIt = yes[flags>>4&1], yes[flags>>5&1]
						f(g)
					}
				}
			}
		}
	}
}

// What every row of the table keeps, each a sentence.
func TestDecideKeepsItsWord(t *testing.T) {
	rows := 0
	everyFact(func(f presence.Facts) {
		rows++
		state, why, oneSided := presence.Decide(f)
		isDown := state == presence.Down || state == presence.RelayDead
		wasDown := f.Was == presence.Down || f.Was == presence.RelayDead
		says := f.Peer == presence.PeerSays
		lostThere := says && (f.Theirs == presence.ViewLost || f.Theirs == presence.ViewNever)
		dead := f.Link == presence.PeerDead
		alone := f.Fleet == presence.FleetWell &&
			(dead && f.OpenedHere || !dead && (f.Link == presence.PeerCut || f.Peer == presence.PeerSilent) &&
				(f.SinceLoss >= f.Blind || f.Link == presence.PeerCut && f.NoSessionThere))
		for _, rule := range []struct {
			broken bool
			says   string
		}{
			{why == "" || state > presence.Conflict, "there is a state and a reason for everything"},
			{isDown && !wasDown && f.Mine != presence.ViewLost, "nothing goes down that is not lost here"},
			{isDown && !wasDown && f.Peer != presence.PeerNone && !lostThere && !alone, "nothing goes down without a second view, or a reason to do without"},
			{oneSided && !isDown, "one-sided says down"},
			{oneSided && (lostThere || wasDown || f.Peer == presence.PeerNone), "one-sided says that nobody else had a word"},
			{isDown && !wasDown && f.Peer != presence.PeerNone && !lostThere && !oneSided, "down without a second view is one-sided"},
			{f.Fleet != presence.FleetWell && isDown && !wasDown && !lostThere && f.Peer != presence.PeerNone, "who suspects itself tells no store without an answer"},
			{dead && f.Mine == presence.ViewLost && state == presence.Degraded, "a dead region sees nothing"},
			{dead && f.Mine == presence.ViewLost && state == presence.Stopped, "a dead region's goodbye is void"},
			{dead && isDown && !wasDown && !lostThere && !f.OpenedHere && f.Peer != presence.PeerNone, "what only a dead region saw is never down"},
			{f.GoesWithIt && f.Link == presence.PeerCut && oneSided, "what goes with a region that is about to be called dead is not down before"},
			{f.Deaf && oneSided && !dead, "who hears nobody waits"},
			{f.Mine == presence.ViewOpen && isDown, "what is open here is not down"},
			{f.Mine == presence.ViewSettling && isDown && !wasDown, "a node that settles opens nothing"},
			{isDown && f.Mine == presence.ViewLost && f.Direct != (state == presence.RelayDead), "a dead relay has hosts that beat directly"},
			{says && f.Theirs == presence.ViewOpen && f.Mine == presence.ViewLost && isDown && !dead, "what is open there is not down"},
		} {
			if rule.broken {
				t.Fatalf("%s: %+v is %v (%s), one-sided %v", rule.says, f, state, why, oneSided)
			}
		}
	})
	t.Logf("%d rows", rows)
}
