package docs_test

import (
	"testing"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/schedule"
	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/truth"
)

// Every fault and every property of the simulation is on its page, and no
// other.
func TestSimulationPage(t *testing.T) {
	p := read(t, "explanation/simulation.md")
	kinds, faults := map[string]bool{}, map[string]bool{}
	for k := schedule.Kind(1); k < schedule.Kinds; k++ {
		kinds[k.String()] = true
	}
	for _, row := range p.rows(t, "The faults") {
		for _, name := range codes(row[1]) {
			faults[name] = true
		}
	}
	same(t, p.path+", the faults", kinds, faults)
	properties, documented := map[string]bool{}, map[string]bool{}
	for i := truth.Property(1); i < truth.Properties; i++ {
		properties[i.String()] = true
	}
	for _, row := range p.rows(t, "The twelve properties") {
		documented[row[0]] = true
	}
	same(t, p.path+", the properties", properties, documented)
}
