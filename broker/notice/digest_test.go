package notice_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/notice"
)

// A part of a digest has at most 700 items so that its event names them all.
func TestAPartOfADigestIsNamedWhole(t *testing.T) {
	for _, change := range []incident.Change{incident.Opened, incident.Recovered} {
		var items []incident.Item
		for i := range 700 {
			it := item(incident.StoreDown, change, fmt.Sprintf("store-%06d", i), "")
			it.Incident, it.SinceUncertaintyMs = incident.ID(fmt.Sprintf("01KAV7Z9Q4R3VB2M6D8Y%06d", i)), 15_000
			it.Tags = map[string]string{"area": "north", "chain": "bread & co"}
			items = append(items, it)
		}
		var e notice.Event
		if err := json.Unmarshal(render(t, of(items...)).Event, &e); err != nil || len(e.Data.Items) != len(items) || e.Data.More != 0 {
			t.Errorf("%s: %d items are named and %d counted, want %d named: %v", change, len(e.Data.Items), e.Data.More, len(items), err)
		}
	}
}
