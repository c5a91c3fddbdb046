package record_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base32"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/lease"
	"github.com/hb-mesh/hb-mesh/broker/peer/wire"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/broker/record"
	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

var at = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func notice(items int) incident.Notice {
	n := incident.Notice{
		ID: "01JNA0000000000000000000AA", Region: "us-east-1", At: at, Rev: 1, SeenFrom: []beat.Region{"us-east-1", "us-west-2"},
		Marks: map[incident.Channel]incident.Mark{"alerts": incident.Unsent},
	}
	for i := range items {
		sum := sha256.Sum256(fmt.Append(nil, i))
		n.Items = append(n.Items, incident.Item{
			Kind: incident.StoreDown, Change: incident.Opened, Store: beat.StoreID(fmt.Sprintf("store-%05d", i)), K: 1 + i%3,
			Incident: incident.ID(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:16])),
			Since:    at.Add(-time.Duration(sum[0]) * 137 * time.Millisecond), SinceUncertaintyMs: int64(sum[1]) * 59,
			Tags: map[string]string{"brand": "burger", "district": fmt.Sprintf("d%d", i%40)},
		})
	}
	return n
}

// The largest notice fits an item, and the same notice gives the same bytes.
func TestTheLargestNoticeFits(t *testing.T) {
	n := notice(10_000)
	w := record.Notice(n, 7, time.Hour)
	if err := w.Check(); err != nil {
		t.Fatal(err)
	}
	t.Logf("10,000 items: %d bytes", w.Item.Size())
	if again := record.Notice(n, 7, time.Hour); !reflect.DeepEqual(again, w) {
		t.Error("the same notice gave other bytes")
	}
	back, why := record.ReadNotice(w.Item)
	if why != "" || !reflect.DeepEqual(back, n) {
		t.Errorf("it came back otherwise: %q", why)
	}
}

// One that does not fit loses messages and tags, and no item.
func TestATooLargeNoticeKeepsItsItems(t *testing.T) {
	n := notice(10_000)
	for i := range n.Items {
		sum := sha512.Sum512(fmt.Append(nil, i))
		n.Items[i].Message = fmt.Sprintf("%x", sum)
	}
	w := record.Notice(n, 7, time.Hour)
	if err := w.Check(); err != nil {
		t.Fatal(err)
	}
	back, why := record.ReadNotice(w.Item)
	if why != "" || len(back.Items) != len(n.Items) || n.Items[0].Message == "" {
		t.Errorf("%q, %d items", why, len(back.Items))
	}
}

func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	n := notice(2)
	if got, why := record.ReadNotice(record.Notice(n, 1, time.Hour).Item); why != "" || !reflect.DeepEqual(got, n) {
		t.Errorf("notice: %q %+v", why, got)
	}
	in := incident.Incident{ID: "X1", Kind: incident.HostMissing, Store: "demo", Host: "pos1", K: 2, EndedAt: at, Since: at, OpenedAt: at}
	if got, why := record.ReadIncident(record.Incident("us-east-1", in, time.Hour)); why != "" || !reflect.DeepEqual(got, in) {
		t.Errorf("incident: %q %+v", why, got)
	}
	for _, s := range []presence.StoreItem{{Region: "us-east-1", Store: "demo", Doc: []byte("{}")}, {Region: "us-east-1", Store: "demo", Host: "pos1", Doc: []byte("{}")}} {
		if got, why := record.ReadStore(record.Store(s)); why != "" || !reflect.DeepEqual(got, s) {
			t.Errorf("store: %q %+v", why, got)
		}
	}
	l := lease.Item{Node: "a", Term: 3, Counter: 9, Life: "x", Address: "http://a", Released: true}
	w := record.Lease("us-east-1", &lease.Write{Item: l, If: table.IfRev, Rev: 2})
	if got, why := record.ReadLease(w.Item); why != "" || got != l || w.Rev != 2 {
		t.Errorf("lease: %q %+v", why, got)
	}
	m := wire.Mail{
		From: "us-east-1", To: "us-west-2", Node: "a", Term: 3, Seq: 4, Kind: wire.Heard, Body: []byte(`{"news":null}`),
		Re: 5, ReTerm: 6, Seen: wire.Moment{Term: 1, Counter: 2},
	}
	if got, why := record.ReadMail(record.Mail(&m, at)); why != "" || !reflect.DeepEqual(got, m) {
		t.Errorf("mail: %q %+v", why, got)
	}
}

// The lease of a version before this one has no counter: it is held, and its
// revision is the term.
func TestAnOlderLeaseIsHeld(t *testing.T) {
	got, why := record.ReadLease(table.Item{Key: table.LeaseKey("us-east-1"), Doc: []byte(`{"node":"us-east-1","since":"2026-01-01T00:00:00Z"}`), Rev: 12})
	if why != "" || got.Node != "us-east-1" || got.Term != 12 {
		t.Errorf("%q %+v", why, got)
	}
}

func TestWhatIsNotItsKeysIsSetAside(t *testing.T) {
	good := record.Notice(notice(1), 1, time.Hour).Item
	moved := func(key table.Key) table.Item { return table.Item{Key: key, Doc: good.Doc} }
	doc := func(s string) table.Item { return table.Item{Key: good.Key, Doc: []byte(s)} }
	for _, tt := range []struct {
		says string
		item table.Item
		want record.Reason
	}{
		{"another writer", moved(table.NoticeKey("us-west-2", at, notice(1).ID)), record.Misplaced},
		{"another hour", moved(table.NoticeKey("us-east-1", at.Add(time.Hour), notice(1).ID)), record.Misplaced},
		{"no document", doc(""), record.Unreadable},
		{"half a document", doc(`{"id":`), record.Unreadable},
		{"a compressed one that is torn", doc("\x01\xff\xff"), record.Unreadable},
		{"a newer version's", doc(`{"v":2,"id":["x"]}`), record.Newer},
		{"another shape", doc(`[1]`), record.Unreadable},
	} {
		if _, got := record.ReadNotice(tt.item); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.says, got, tt.want)
		}
	}
}

// A letter is no older for a region whose clock is days ahead: what it is dated by
// is what it names of the leases.
func TestALetterIsReadByAnotherClock(t *testing.T) {
	it := record.Mail(&wire.Mail{From: "us-east-1", To: "us-west-2", Term: 1, Seq: 1, Kind: wire.Heard, Body: []byte(`{"news":null}`)}, at)
	if it.Expired(at.AddDate(0, 0, 10)) || !it.Expired(at.AddDate(0, 1, 0)) {
		t.Errorf("it expires at %v, and was posted at %v", it.Expires, at)
	}
}

// Both regions' items make one history, in any order.
func TestHistoryIsJoinedInAnyOrder(t *testing.T) {
	j := &presence.Journal{ID: beat.Identity{Store: "demo", Relay: "r1"}, Incarnation: beat.Incarnation{1}}
	for i := range 3 {
		j.Entries = append(j.Entries, beat.Transition{Number: beat.Number(i + 1), Host: "pos1", State: beat.Missing})
		j.Dated = append(j.Dated, at.Add(time.Duration(i)*time.Minute))
	}
	east, _ := record.History("us-east-1", j, time.Hour)
	for i := range j.Dated { // each region dates by its own clock
		j.Dated[i] = j.Dated[i].Add(-time.Second)
	}
	west, _ := record.History("us-west-2", j, time.Hour)
	bad := table.Item{Key: table.Key{PK: "hist#demo#x", SK: "us-east-1#nothing"}}
	a, aside := record.JoinHistory(append(append([]table.Item{bad}, east...), west[:2]...))
	b, _ := record.JoinHistory(append(append([]table.Item{}, west[:2]...), east...))
	if !reflect.DeepEqual(a, b) || len(a) != 3 || aside != 1 || len(a[0].Regions) != 2 || len(a[2].Regions) != 1 || !a[0].At.Equal(at) {
		t.Errorf("%d set aside\n%+v\n%+v", aside, a, b)
	}
}

// What cannot be written is set aside, and the rest is written: nothing that a
// relay or the other region says ends the process.
func TestWhatCannotBeWrittenIsSetAside(t *testing.T) {
	never := time.Date(-1199, 2, 3, 0, 0, 0, 0, time.UTC)
	j := &presence.Journal{
		ID: beat.Identity{Store: "demo", Relay: "r1"}, Incarnation: beat.Incarnation{1},
		Entries: []beat.Transition{{Number: 1, Host: "pos1"}, {Number: 2, Host: "pos1"}}, Dated: []time.Time{never, at},
	}
	if items, aside := record.History("us-east-1", j, time.Hour); aside != 1 || len(items) != 1 || items[0].Rev != 2 {
		t.Errorf("%d set aside, %v", aside, items)
	}
	n := notice(1)
	n.Items[0].Since = never
	for what, it := range map[string]table.Item{
		"a notice":    record.Notice(n, 1, time.Hour).Item,
		"an incident": record.Incident("us-east-1", incident.Incident{ID: "X", Store: "demo", K: 1, Since: never}, time.Hour),
		"a letter":    record.Mail(&wire.Mail{From: "us-east-1", To: "us-west-2", Term: 1, Seq: 1, Kind: wire.Ask, Body: []byte("{")}, at),
	} {
		if err := it.Check(); !errors.Is(err, table.ErrInvalid) {
			t.Errorf("%s is taken: %v", what, err)
		}
	}
}

// FuzzDecode: no item ends the process, and what is accepted is its key's and
// survives the way back.
func FuzzDecode(f *testing.F) {
	add := func(it table.Item) { f.Add(it.PK, it.SK, it.Doc) }
	add(record.Notice(notice(1), 1, time.Hour).Item)
	add(record.Notice(notice(40), 1, time.Hour).Item)
	add(record.Incident("us-east-1", incident.Incident{ID: "X", Store: "demo", K: 1}, time.Hour))
	add(record.Store(presence.StoreItem{Region: "us-east-1", Store: "demo", Host: "a", Doc: []byte("{}")}))
	add(record.Lease("us-east-1", &lease.Write{Item: lease.Item{Node: "a", Term: 1}}).Item)
	add(record.Mail(&wire.Mail{From: "us-east-1", To: "us-west-2", Term: 1, Seq: 1, Kind: wire.Ask, Body: []byte("{}")}, at))
	f.Add("hist#demo#2026-03-01", "us-east-1#00#00000000000000000001", []byte(`{"v":1}`))
	f.Fuzz(func(t *testing.T, pk, sk string, doc []byte) {
		it := table.Item{Key: table.Key{PK: pk, SK: sk}, Doc: doc, Rev: 1}
		if n, why := record.ReadNotice(it); why == "" && record.Notice(n, 1, time.Hour).Item.Key != it.Key {
			t.Error("a notice moved")
		}
		if i, why := record.ReadIncident(it); why == "" && record.Incident(it.Writer(), i, time.Hour).Key != it.Key {
			t.Error("an incident moved")
		}
		if s, why := record.ReadStore(it); why == "" && record.Store(s).Key != it.Key {
			t.Error("a store moved")
		}
		if m, why := record.ReadMail(it); why == "" && record.Mail(&m, at).Key != it.Key {
			t.Error("a letter moved")
		}
		if l, why := record.ReadLease(it); why == "" && l.Term != it.Rev {
			t.Error("a lease has another term than its item")
		}
		record.Leases([]table.Item{it}, "us-east-1")
		record.JoinHistory([]table.Item{it})
	})
}

// A node that starts reads the notices of a day, of the hour now and of the next one:
// the clock that dated one may be ahead.
func TestTheNoticesOfADayAreRead(t *testing.T) {
	pks := record.NoticePKs(at)
	want := map[string]bool{}
	for h := -24; h <= 1; h++ {
		want[table.NoticePK(at.Add(time.Duration(h)*time.Hour))] = true
	}
	for _, pk := range pks {
		delete(want, pk)
	}
	if len(pks) != 26 || len(want) != 0 {
		t.Errorf("%d partitions %v, and not %v", len(pks), pks, want)
	}
}

// Of the two leases in the table each region knows its own.
func TestEachRegionKnowsItsOwnLease(t *testing.T) {
	var items []table.Item
	for i, r := range []beat.Region{"us-east-1", "us-west-2"} {
		items = append(items, record.Lease(r, &lease.Write{Item: lease.Item{Node: string(r), Term: int64(1 + i)}}).Item)
	}
	for i, r := range []beat.Region{"us-east-1", "us-west-2"} {
		ours, theirs, aside := record.Leases(items, r)
		if aside != 0 || ours == nil || theirs == nil || ours.Term != int64(1+i) || theirs.Term != int64(2-i) {
			t.Errorf("%s: ours %+v, theirs %+v, %d aside", r, ours, theirs, aside)
		}
	}
}
