package wan_test

import (
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/wan"
)

const (
	east, west = 0, 1
	timeout    = 10 * time.Second
)

func courier() *wan.Courier {
	return wan.NewCourier([]beat.Region{"us-east-1", "us-west-2"}, timeout)
}

// turn is whose turn it is at an instant: a link, or -1.
func turn(c *wan.Courier, at time.Duration) int {
	for _, l := range []int{west, east} {
		if due, _ := c.Due(l, at); due {
			return l
		}
	}
	return -1
}

func TestTheJournalGoesHomeFirst(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(*wan.Courier)
		at   time.Duration
		want int
	}{
		"nothing leaves before an ack":               {func(*wan.Courier) {}, 0, -1},
		"home gets it":                               {both, 0, west},
		"the other gets it if home is not open":      {func(c *wan.Courier) { c.Opened(east, "us-west-2") }, 0, east},
		"nobody while one batch is in flight":        {func(c *wan.Courier) { both(c); c.Left(west, 9, 0) }, timeout - 1, -1},
		"the other after 10 s without an ack":        {func(c *wan.Courier) { both(c); c.Left(west, 9, 0) }, timeout, east},
		"home again once the batch is taken":         {func(c *wan.Courier) { both(c); c.Left(west, 9, 0); c.Taken(west, 9) }, 1, west},
		"an ack of a part leaves the rest in flight": {func(c *wan.Courier) { both(c); c.Left(west, 9, 0); c.Taken(west, 8) }, 1, -1},
		"any region's ack ends the flight":           {func(c *wan.Courier) { both(c); c.Left(west, 9, 0); c.Taken(east, 9) }, 1, west},
		"the other at once if home's link ends":      {func(c *wan.Courier) { both(c); c.Left(west, 9, 0); c.Closed(west) }, 1, east},
		"the other while home is blocked":            {func(c *wan.Courier) { both(c); c.Block(west, time.Minute) }, 1, east},
		"home when the block is over":                {func(c *wan.Courier) { both(c); c.Block(west, time.Minute) }, time.Minute, west},
		"nobody after a new incarnation":             {func(c *wan.Courier) { both(c); c.Reset() }, 1, -1},
	} {
		co := courier()
		c.do(co)
		if got := turn(co, c.at); got != c.want {
			t.Errorf("%s: link %d, want %d", name, got, c.want)
		}
	}
}

func both(c *wan.Courier) {
	c.Opened(east, "us-west-2")
	c.Opened(west, "us-west-2")
}

// Two regions that both fail to ack get the batch in turns.
func TestTwoRegionsWithoutATableTakeTurns(t *testing.T) {
	c := courier()
	both(c)
	var got []int
	for at := time.Duration(0); at < 6*timeout; at += timeout {
		l := turn(c, at)
		got = append(got, l)
		c.Left(l, 9, at)
	}
	for i, l := range got {
		if want := (i + 1) % 2; l != want {
			t.Fatalf("turns %v, want west and east in turns", got)
		}
	}
}

func TestAnOverdueBatchIsToldOnce(t *testing.T) {
	c := courier()
	both(c)
	c.Left(west, 9, 0)
	if at, ok := c.Next(); !ok || at != timeout {
		t.Fatalf("next %v %v", at, ok)
	}
	if _, overdue := c.Due(east, timeout); overdue != west {
		t.Fatalf("overdue is %d", overdue)
	}
	if _, overdue := c.Due(east, timeout); overdue != -1 {
		t.Fatal("told twice")
	}
}
