package incident

import (
	"slices"

	"github.com/hb-mesh/hb-mesh/broker/presence"
)

// apply takes a verdict, our own presence's or the other region's, and says
// whether it changed an incident.
func (b *Book) apply(v *presence.Verdict, own bool) bool {
	if kind, ok := faultKind(v); ok {
		ended := v.Condition == presence.HostFailing && b.endsAll(v, own, missingClass, comeUpClass, neverClass)
		return b.fault(v, kind, own) || ended
	}
	switch v.Condition {
	case presence.Well, presence.StoreStopped, presence.HostStopped, presence.HostForgotten:
		if v.Host == "" {
			return b.endsAll(v, own, storeClass, neverClass)
		}
		if v.Condition == presence.HostForgotten {
			return b.endsAll(v, own, missingClass, failingClass, comeUpClass, neverClass, flapClass)
		}
		return b.endsAll(v, own, missingClass, failingClass, comeUpClass, neverClass)
	case presence.LanWell:
		return b.endsAll(v, own, lanClass)
	case presence.ConflictOver:
		return b.endsAll(v, own, conflictClass)
	case presence.HostCalm:
		return b.endsAll(v, own, flapClass)
	case presence.RegionWell:
		// A region says of itself that its path is well, and of the other one
		// that it lives: neither word is about the other fault.
		if slices.Contains(v.SeenFrom, v.Region) {
			return b.endsAll(v, own, pathClass)
		}
		return b.endsAll(v, own, regionClass)
	default:
		return false
	}
}

// faultKind is the kind of incident that a verdict opens, if it does.
func faultKind(v *presence.Verdict) (Kind, bool) {
	switch v.Condition {
	case presence.StoreDown:
		return StoreDown, true
	case presence.StoreRelayDead:
		return RelayDead, true
	case presence.HostMissing:
		return HostMissing, true
	case presence.HostFailing:
		return HostFailing, true
	case presence.StoreLan:
		return StoreLan, true
	case presence.StoreConflict:
		return Conflict, true
	case presence.HostFlaps:
		return Flapping, true
	case presence.HostNeverSeen:
		return NeverSeen, true
	case presence.RegionDown:
		return RegionDown, true
	case presence.RegionPath:
		return RegionPath, true
	case presence.RegionBlind:
		return RegionBlind, true
	default:
		return "", false
	}
}

func (b *Book) endsAll(v *presence.Verdict, own bool, classes ...class) bool {
	ended := false
	for _, c := range classes {
		ended = b.ends(v, own, c) || ended
	}
	return ended
}
