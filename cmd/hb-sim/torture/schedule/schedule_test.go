package schedule_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/torture/schedule"
)

func TestAScheduleIsItsText(t *testing.T) {
	for seed := range uint64(3000) {
		var s schedule.Schedule
		schedule.Generate(seed, &s)
		text := s.String()
		again, err := schedule.Parse(strings.NewReader(text))
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, text)
		}
		if again.String() != text || again.End != s.End || again.Quiet != s.Quiet {
			t.Fatalf("seed %d is read otherwise:\n%s\n%s", seed, text, again)
		}
	}
}

func TestASeedIsOneSchedule(t *testing.T) {
	var a, b schedule.Schedule
	schedule.Generate(7, &b)
	schedule.Generate(42, &a)
	schedule.Generate(42, &b)
	if a.String() != b.String() || !reflect.DeepEqual(a.Stores, b.Stores) {
		t.Fatal("the same seed made two schedules")
	}
}

func TestSeedsStrikeEverything(t *testing.T) {
	var seen [schedule.Kinds]int
	var quiet, many int
	var s schedule.Schedule
	for seed := range uint64(3000) {
		schedule.Generate(seed, &s)
		for _, f := range s.Faults {
			seen[f.Kind]++
		}
		if len(s.Faults) == 0 {
			quiet++
		}
		if len(s.Stores) >= 12 {
			many++
		}
	}
	for k := schedule.Kind(1); k < schedule.Kinds; k++ {
		if seen[k] == 0 {
			t.Errorf("%s never strikes", k)
		}
	}
	if quiet < 50 || many < 500 {
		t.Errorf("%d quiet schedules, %d with many stores", quiet, many)
	}
}

func TestShrinkFindsWhatMatters(t *testing.T) {
	var s schedule.Schedule
	for seed := uint64(1); ; seed++ {
		schedule.Generate(seed, &s)
		if len(s.Stores) < 12 || len(s.Faults) < 5 {
			continue
		}
		break
	}
	kind := s.Faults[len(s.Faults)/2].Kind
	least := schedule.Shrink(&s, func(c *schedule.Schedule) bool {
		for _, f := range c.Faults {
			if f.Kind == kind {
				return true
			}
		}
		return false
	})
	if len(least.Faults) != 1 || len(least.Stores) != 1 || len(least.Stores[0].Hosts) != 1 {
		t.Fatalf("what is left is not least:\n%s", least)
	}
}

func TestWhatCannotBeReadIsRefused(t *testing.T) {
	for _, text := range []string{
		"", "seed x", "store", "store s1 fax:5s", "seed 1\nstore s1 mqtt:5s\nat 1s nothing",
		"seed 1\nstore s1 mqtt:5s\nat 1s host-crash s2/pos1", "seed 1\nstore s1 mqtt:5s\nat 1s host-crash s1/pos1 for 1s more",
		"seed 1\nstore s1 mqtt:5s\nfrom 1s on 1. dream node-kill here-a", "what",
		"seed 1\nclock noon\nstore s1 mqtt:5s", "seed 1\nstore s1 open:Europe/Berlin mqtt:5s",
		"seed 1\nstore s1 open:Europe/Berlin:04:00-23:00 mqtt:5s\nat 80s hours s1 us-east-1",
	} {
		if _, err := schedule.Parse(strings.NewReader(text)); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}
