package journal_test

import (
	"testing"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/journal"
	"github.com/hb-mesh/hb-mesh/relay/roster"
)

// The LAN's state survives as a host's does, and its number is never given again.
func TestTheLanSurvivesARestart(t *testing.T) {
	o := options(t.TempDir())
	j := open(t, o)
	if lan, err := j.Lan(); lan != nil || err != nil {
		t.Fatalf("a new journal knows %+v, %v", lan, err)
	}
	want := roster.LanRecord{Dead: true, Number: 7, From: 3, Reason: beat.LanDead, SinceMs: 99}
	dead := beat.Transition{Number: 7, State: beat.Missing, Reason: beat.LanDead, Boot: beat.Boot{1}}
	if err := j.Append(t.Context(), []journal.Entry{{Transition: dead, Lan: &want}}); err != nil {
		t.Fatal(err)
	}
	if err := j.Free(7); err != nil {
		t.Fatal(err)
	}
	j = reopen(t, j, o)
	if lan, err := j.Lan(); err != nil || lan == nil || *lan != want {
		t.Fatalf("after a restart: %+v, %v", lan, err)
	}
	if hosts, err := j.Hosts(); err != nil || len(hosts) != 0 {
		t.Fatalf("the LAN became a host: %+v, %v", hosts, err)
	}
	if err := j.Append(t.Context(), []journal.Entry{entry(7)}); err == nil {
		t.Fatal("number 7 was taken twice")
	}
}
