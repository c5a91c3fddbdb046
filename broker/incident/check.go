package incident

import (
	"slices"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Version is the newest version of a notice or an incident that this software
// reads, and the one that it writes.
const Version = 1

// Reason is why a word, or an item of the table, was set aside.
type Reason string

// The reasons.
const (
	// NewerVersion is an item of a newer software, or of a kind of it.
	NewerVersion Reason = "it has a newer version"
	NoSubject    Reason = "it is about nothing that can be"
	ForeignWord  Reason = "it names a region that is not of this cell"
	BadCount     Reason = "its k, its mark or its revision cannot be"
	BadTime      Reason = "its time cannot be"
	TooLong      Reason = "it lists too much"
	WrongLength  Reason = "the answer does not fit the question"
)

func (b *Book) ignore(why Reason, id string) {
	b.emit(&Ignored{Reason: why, ID: id})
}

// checkSubject: a store, a host of one, or a region of this cell.
func (b *Book) checkSubject(store beat.StoreID, host beat.HostID, region beat.Region) Reason {
	switch {
	case region != "" && (store != "" || host != ""):
		return NoSubject
	case region != "" && !slices.Contains(b.opt.Regions, region):
		return ForeignWord
	case region != "":
		return ""
	}
	if _, err := beat.ParseStoreID(string(store)); err != nil {
		return NoSubject
	}
	if host == "" {
		return ""
	}
	if _, err := beat.ParseHostID(string(host)); err != nil {
		return NoSubject
	}
	return ""
}

// checkTime: JSON has years of four digits, in every zone.
func checkTime(at time.Time) Reason {
	if y := at.Year(); y < 1 || y > 9998 {
		return BadTime
	}
	return ""
}

// checkVerdict looks at a word of the other region before it counts.
func (b *Book) checkVerdict(v *presence.Verdict) Reason {
	if v.Condition.String() == "" {
		return NewerVersion
	}
	if why := b.checkSubject(v.Store, v.Host, v.Region); why != "" {
		return why
	}
	needs := needsOf(v.Condition)
	switch {
	case needs == aRegion && v.Region == "", needs != aRegion && v.Region != "", needs == aHost && v.Host == "", needs == aStore && v.Host != "":
		return NoSubject
	case v.Uncertainty < 0:
		return BadTime
	case len(v.Lost) > maxLost || len(v.SeenFrom) > len(b.opt.Regions):
		return TooLong
	case slices.ContainsFunc(v.SeenFrom, func(r beat.Region) bool { return !slices.Contains(b.opt.Regions, r) }):
		return ForeignWord
	}
	if why := checkTime(v.At); why != "" {
		return why
	}
	return checkTime(v.Since)
}

// maxLost bounds the stores that a region's fault lists: those of a cell.
const maxLost = 100_000

// needs is what a condition is said of.
type needs uint8

const (
	aStoreOrHost needs = iota
	aStore
	aHost
	aRegion
)

func needsOf(c presence.Condition) needs {
	switch c {
	case presence.HostMissing, presence.HostFailing, presence.HostStopped, presence.HostForgotten:
		return aHost
	case presence.StoreDown, presence.StoreRelayDead, presence.StoreStopped, presence.StoreLan, presence.LanWell, presence.StoreConflict, presence.ConflictOver:
		return aStore
	case presence.RegionDown, presence.RegionPath, presence.RegionBlind, presence.RegionWell:
		return aRegion
	default: // well, flapping and never seen are said of either
		return aStoreOrHost
	}
}

// checkIncident looks at an incident of the table.
func (b *Book) checkIncident(i *Incident) Reason {
	switch {
	case i.V > Version || classOf(i.Kind) == 0 || i.ToldAs != "" && classOf(i.ToldAs) != classOf(i.Kind):
		return NewerVersion
	case i.ID == "":
		return NoSubject
	case i.K < 1 || i.V < 0:
		return BadCount
	case i.Teller != "" && !slices.Contains(b.opt.Regions, i.Teller):
		return ForeignWord
	}
	for _, at := range []time.Time{i.Since, i.OpenedAt, i.EndedAt} {
		if why := checkTime(at); why != "" {
			return why
		}
	}
	return b.checkSubject(i.Store, i.Host, i.Region)
}

// checkNotice looks at a notice of the table.
func (b *Book) checkNotice(n *Notice) Reason {
	switch {
	case n.V > Version:
		return NewerVersion
	case n.ID == "":
		return NoSubject
	case n.Rev < 1 || n.V < 0:
		return BadCount
	case len(n.Items) > maxItems:
		return TooLong
	case !slices.Contains(b.opt.Regions, n.Region):
		return ForeignWord
	}
	for _, m := range n.Marks {
		if m > Sent {
			return BadCount
		}
	}
	if why := checkTime(n.At); why != "" {
		return why
	}
	for k := range n.Items {
		if why := b.checkItem(&n.Items[k]); why != "" {
			return why
		}
	}
	return ""
}

func (b *Book) checkItem(i *Item) Reason {
	switch {
	case classOf(i.Kind) == 0:
		return NewerVersion
	case i.Change != Opened && i.Change != Recovered && i.Change != Changed:
		return NewerVersion
	case i.Incident == "":
		return NoSubject
	case i.K < 1:
		return BadCount
	}
	if why := checkTime(i.Since); why != "" {
		return why
	}
	return b.checkSubject(i.Store, i.Host, i.Region)
}
