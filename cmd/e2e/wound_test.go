//go:build linux

package e2e_test

import (
	"hash/fnv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/ring"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// wound is a fault of the regions, and how it heals.
type wound struct {
	says       string
	hurt, heal func(*field)
	// dead is the region that dies of it: that is told, and a message of it may
	// come again, in the other region's place. "": none.
	dead beat.Region
	// untold says that the region that is left has no table either.
	untold bool
}

// wounds are those of the short form; of the long one, each the other way
// round as well, and what else may happen to items on their way.
func wounds() []wound {
	all := append(woundsOf(west, east), lettersLag)
	if *chaos {
		all = append(all, woundsOf(east, west)...)
		all = append(all, itemsScattered, itemsHeld)
	}
	return all
}

// woundsOf kill a region, cut the link, cut the other one's table, and all three.
func woundsOf(dead, left beat.Region) []wound {
	killed := wound{
		says: string(dead) + " killed", dead: dead,
		hurt: func(f *field) { f.brokers[dead].kill() }, heal: func(f *field) { f.brokers[dead].up(f.t) },
	}
	link := wound{
		says: "region link cut", hurt: func(f *field) { f.link[left].cut(); f.link[dead].cut() }, heal: func(f *field) { f.link[left].heal(); f.link[dead].heal() },
	}
	table := wound{says: "table of " + string(left) + " cut", hurt: func(f *field) { f.table[left].cut() }, heal: func(f *field) { f.table[left].heal() }}
	three := together("all three, "+string(dead)+" killed", link, table, killed)
	three.dead, three.untold = dead, true
	return []wound{killed, link, table, three}
}

func together(says string, all ...wound) wound {
	return wound{says: says, hurt: func(f *field) {
		for _, w := range all {
			w.hurt(f)
		}
	}, heal: func(f *field) {
		for _, w := range all {
			w.heal(f)
		}
	}}
}

// What may happen to items on their way between two regional tables.
var (
	// itemsScattered: each item takes a time of its own, so that what was written
	// later arrives earlier.
	itemsScattered = onTheirWay("each item lags by itself", func(c ring.Change) ring.Passage {
		return ring.Passage{Lag: scatter(c, 3*time.Second)}
	})
	// itemsHeld: what a region remembers of stores, incidents and notices, marks
	// too, stays where it was written; leases and letters pass.
	itemsHeld = onTheirWay("presence, incidents and notices are held", func(c ring.Change) ring.Passage { return ring.Passage{Held: remembered(c)} })
	// lettersLag: the same while the link is cut, so that the regions speak by
	// letters alone, and each of those lags by itself.
	lettersLag = together("link cut, letters lag, presence, incidents and notices are held", woundsOf(west, east)[1],
		onTheirWay("", func(c ring.Change) ring.Passage {
			return ring.Passage{Held: remembered(c), Lag: scatter(c, time.Second)}
		}))
)

func onTheirWay(says string, of func(ring.Change) ring.Passage) wound {
	return wound{says: says, hurt: func(f *field) { f.ring.SetPassage(of) }, heal: func(f *field) { f.ring.SetPassage(nil) }}
}

// remembered says whether an item is of a store, an incident or a notice.
func remembered(c ring.Change) bool {
	kind, _, _ := strings.Cut(c.Key.PK, "#")
	return kind == "presence" || kind == "direct" || kind == "inc" || kind == "notice"
}

// scatter is a lag of the item's own, the same for all its versions.
func scatter(c ring.Change, most time.Duration) time.Duration {
	h := fnv.New64a()
	_, _ = h.Write([]byte(c.Key.PK + "/" + c.Key.SK))
	return time.Duration(h.Sum64() % uint64(most)) //nolint:gosec // below most
}

// converges waits until both tables hold the same: leases and letters aside,
// which are never at rest.
func (f *field) converges() {
	f.t.Helper()
	within(f.t, patience, "both tables hold the same", func() bool {
		here, there := remembers(f.t, f.ring, east), remembers(f.t, f.ring, west)
		if len(here) != len(there) || len(here) == 0 {
			return false
		}
		for k, doc := range here {
			if there[k] != doc {
				return false
			}
		}
		return true
	})
}

// remembers are a region's items, by key.
func remembers(t testing.TB, r *ring.Ring, region beat.Region) map[key]string {
	t.Helper()
	all := map[key]string{}
	pages := dynamodb.NewScanPaginator(dynamodb.NewFromConfig(r.Config(region)), &dynamodb.ScanInput{TableName: aws.String("hb-mesh"), ConsistentRead: aws.Bool(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range page.Items {
			pk, _ := i["pk"].(*types.AttributeValueMemberS)
			sk, _ := i["sk"].(*types.AttributeValueMemberS)
			doc, _ := i["doc"].(*types.AttributeValueMemberB)
			if pk == nil || sk == nil || pk.Value == "lease" || strings.HasPrefix(pk.Value, "mail#") {
				continue
			}
			k := key{pk.Value, sk.Value}
			all[k] = ""
			if doc != nil {
				all[k] = string(doc.Value)
			}
		}
	}
	return all
}
