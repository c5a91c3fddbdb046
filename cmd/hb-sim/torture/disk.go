package torture

import (
	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/journal/journaltest"
	"github.com/hb-mesh/hb-mesh/relay/roster"
)

// maxEntries bounds the entries of a journal, as the shipped one does.
const maxEntries = 50_000

// disk is a relay's, with the journal on it: the twin that passes the journal's
// own suite. The relay hands it what was synced, a little after it was put.
type disk struct {
	*journaltest.Twin
	rng  *chance
	full bool
}

func newDisk(rng *chance) *disk {
	random := func() beat.Incarnation { return beat.Incarnation(rng.bits()) }
	return &disk{Twin: journaltest.NewTwin(random, maxEntries), rng: rng}
}

// clone is a copy of what is on it.
func (d *disk) clone() *disk {
	c := newDisk(d.rng)
	c.Restore(d.Copy())
	return c
}

// fill says whether it takes anything.
func (d *disk) fill(full bool) {
	d.full = full
	d.Fill(full)
}

// load is what the journal remembers.
func (r *relay) load() *roster.Loaded {
	hosts, err := r.disk.Hosts()
	if err != nil {
		r.w.fail("the journal's hosts cannot be read: " + err.Error())
	}
	lan, err := r.disk.Lan()
	if err != nil {
		r.w.fail("the journal's LAN cannot be read: " + err.Error())
	}
	return &roster.Loaded{Hosts: hosts, Lan: lan}
}
