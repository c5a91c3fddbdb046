package incident_test

import (
	"slices"
	"testing"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// A host that did not come up is one incident for people, not two.
func TestAHostThatDidNotComeUpIsListedOnce(t *testing.T) {
	of := func(id string, kind incident.Kind, host beat.HostID, open bool) incident.Incident {
		return incident.Incident{ID: incident.ID(id), Kind: kind, Store: "demo", Host: host, Open: open}
	}
	got := incident.Folded([]incident.Incident{
		of("a", incident.DidNotComeUp, "pos1", true), of("b", incident.HostMissing, "pos1", true), of("c", incident.HostFailing, "pos1", true),
		of("d", incident.HostMissing, "pos2", true), of("e", incident.HostMissing, "pos1", false), of("f", incident.DidNotComeUp, "pos2", false),
	})
	var ids []string
	for _, i := range got {
		ids = append(ids, string(i.ID))
	}
	if want := []string{"a", "c", "d", "e", "f"}; !slices.Equal(ids, want) {
		t.Errorf("got %v, want %v", ids, want)
	}
}
