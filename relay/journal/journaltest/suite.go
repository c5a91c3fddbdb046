package journaltest

import (
	"errors"
	"slices"
	"testing"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/journal"
	"github.com/hb-mesh/hb-mesh/relay/roster"
)

// Journal is what the suite asks of a journal.
type Journal interface {
	Incarnation() beat.Incarnation
	Acked() bool
	NoteAcked() error
	Renew() (beat.Incarnation, error)
	NextEpoch(above beat.Epoch) (beat.Epoch, error)
	EpochTop() beat.Epoch
	ReserveNumbers(above beat.Number) (from, to beat.Number, err error)
	// Append returns when the entries are on disk.
	Append(entries []journal.Entry) error
	Batch(after beat.Number, maxBytes, limit int) ([]beat.Transition, error)
	Free(through beat.Number) error
	Backlog() (depth, lost uint64)
	Hosts() ([]roster.Record, error)
	Lan() (*roster.LanRecord, error)
}

// Bench is a journal and its disk, and what befalls them.
type Bench interface {
	// Journal is that of the running process.
	Journal() Journal
	// Kill ends the process without a word, and starts another on its disk.
	Kill()
	// Fill says whether the disk takes anything.
	Fill(full bool)
	// Backup keeps a copy of the disk, and Restore starts a process on it.
	Backup()
	Restore()
	// Lose starts a process on a new disk.
	Lose()
}

// MaxEntries is the bound with which a Bench's journal is opened.
const MaxEntries = 64

// Run runs the suite; open makes a bench whose journal is new.
func Run(t *testing.T, open func(t *testing.T) Bench) {
	for name, test := range map[string]func(*testing.T, Bench){
		"epochs and numbers are never given twice, over kills":        neverTwice,
		"epochs and numbers exceed what a region knows":               exceeds,
		"what was appended survives a kill, in order":                 survives,
		"what was freed stays freed":                                  frees,
		"entries out of order are refused":                            ordered,
		"the oldest are shed as one counted range":                    sheds,
		"a full disk refuses, counts, and accounts for it afterwards": fills,
		"an incarnation is noted, renewed, and new with a new disk":   incarnations,
		"a restored copy goes on where it was taken":                  restores,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// entry is a host's transition n.
func entry(n beat.Number) journal.Entry {
	host := beat.HostID([]byte{'p', 'o', 's', '0' + byte(n%8)})
	return journal.Entry{
		Transition: beat.Transition{Number: n, Host: host, State: beat.Missing, Reason: beat.Deadline, Boot: beat.Boot{1}, MonoMs: uint64(n)},
		Record:     roster.Record{Host: host, State: beat.Missing, Number: n},
	}
}

func appendTo(t *testing.T, j Journal, from, to beat.Number) {
	t.Helper()
	for n := from; n <= to; n++ {
		must(t, j.Append([]journal.Entry{entry(n)}))
	}
}

// numbers are those of the entries that are held; a range shows as both its ends.
func numbers(t *testing.T, j Journal) []beat.Number {
	t.Helper()
	all, err := j.Batch(0, 1<<20, 1<<20)
	must(t, err)
	var out []beat.Number
	for _, e := range all {
		out = append(out, e.Number)
		if e.Reason == beat.Shed {
			out = append(out, e.Until)
		}
	}
	return out
}

func wantNumbers(t *testing.T, j Journal, want ...beat.Number) {
	t.Helper()
	if got := numbers(t, j); !slices.Equal(got, want) {
		t.Fatalf("entries %v, want %v", got, want)
	}
}

func neverTwice(t *testing.T, b Bench) {
	var epoch beat.Epoch
	var number beat.Number
	for i := range 150 {
		e, err := b.Journal().NextEpoch(0)
		must(t, err)
		from, to, err := b.Journal().ReserveNumbers(0)
		must(t, err)
		if e <= epoch || from <= number || to != from+numberBlock-1 || e > b.Journal().EpochTop() {
			t.Fatalf("epoch %d after %d of %d, numbers %d to %d after %d", e, epoch, b.Journal().EpochTop(), from, to, number)
		}
		if epoch, number = e, to; i%7 == 0 {
			b.Kill()
		}
	}
	if epoch > 150+23*epochBlock {
		t.Fatalf("150 epochs and 22 kills took %d", epoch)
	}
}

func exceeds(t *testing.T, b Bench) {
	j := b.Journal()
	if e, err := j.NextEpoch(5000); err != nil || e != 5001 {
		t.Fatalf("epoch %d, %v", e, err)
	}
	if from, to, err := j.ReserveNumbers(7000); err != nil || from != 7001 || to != 8024 {
		t.Fatalf("numbers %d to %d, %v", from, to, err)
	}
	if _, err := j.NextEpoch(maxCounter); !errors.Is(err, journal.ErrRange) {
		t.Fatalf("an epoch above all: %v", err)
	}
	if _, _, err := j.ReserveNumbers(maxCounter); !errors.Is(err, journal.ErrRange) {
		t.Fatalf("numbers above all: %v", err)
	}
	b.Kill()
	if e, err := b.Journal().NextEpoch(0); err != nil || e <= 5001 {
		t.Fatalf("after a kill: epoch %d, %v", e, err)
	}
}

func survives(t *testing.T, b Bench) {
	appendTo(t, b.Journal(), 1, 9)
	must(t, b.Journal().Append([]journal.Entry{{Transition: beat.Transition{Number: 10, Host: "pos1", Reason: beat.Forgotten, Boot: beat.Boot{1}}, Forget: true}}))
	lan := roster.LanRecord{Dead: true, Number: 11, From: 2, Reason: beat.LanDead}
	must(t, b.Journal().Append([]journal.Entry{{Transition: beat.Transition{Number: 11, State: beat.Missing, Reason: beat.LanDead, Boot: beat.Boot{1}}, Lan: &lan}}))
	must(t, b.Journal().Append([]journal.Entry{{Record: roster.Record{Host: "pos2", State: beat.Missing, Number: 2, IntervalMs: 99}}}))
	b.Kill()
	j := b.Journal()
	wantNumbers(t, j, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
	hosts, err := j.Hosts()
	must(t, err)
	var names []beat.HostID
	for _, h := range hosts {
		names = append(names, h.Host)
	}
	if !slices.Equal(names, []beat.HostID{"pos0", "pos2", "pos3", "pos4", "pos5", "pos6", "pos7"}) || hosts[1].IntervalMs != 99 {
		t.Fatalf("hosts %+v", hosts)
	}
	if got, err := j.Lan(); err != nil || got == nil || *got != lan {
		t.Fatalf("LAN %+v, %v", got, err)
	}
	if got, err := j.Batch(2, 1<<20, 3); err != nil || len(got) != 3 || got[0] != entry(3).Transition {
		t.Fatalf("a batch above 2 of 3: %+v, %v", got, err)
	}
	if got, err := j.Batch(0, 1, 3); err != nil || len(got) != 0 {
		t.Fatalf("a batch of one byte: %+v, %v", got, err)
	}
}

func frees(t *testing.T, b Bench) {
	appendTo(t, b.Journal(), 1, 9)
	must(t, b.Journal().Free(4))
	must(t, b.Journal().Free(3)) // an older ack
	wantNumbers(t, b.Journal(), 5, 6, 7, 8, 9)
	b.Kill()
	wantNumbers(t, b.Journal(), 5, 6, 7, 8, 9)
	if depth, lost := b.Journal().Backlog(); depth != 5 || lost != 0 {
		t.Fatalf("depth %d, lost %d", depth, lost)
	}
}

func ordered(t *testing.T, b Bench) {
	appendTo(t, b.Journal(), 5, 5)
	for _, n := range []beat.Number{5, 4} {
		if err := b.Journal().Append([]journal.Entry{entry(n)}); !errors.Is(err, journal.ErrOrder) {
			t.Fatalf("number %d after 5: %v", n, err)
		}
	}
	must(t, b.Journal().Free(5))
	b.Kill() // the host's record still knows number 5
	if err := b.Journal().Append([]journal.Entry{entry(5)}); !errors.Is(err, journal.ErrOrder) {
		t.Fatalf("number 5 after a kill: %v", err)
	}
}

func sheds(t *testing.T, b Bench) {
	const all = 5 * MaxEntries
	appendTo(t, b.Journal(), 1, all)
	check := func() {
		t.Helper()
		j := b.Journal()
		held, err := j.Batch(0, 1<<20, 1<<20)
		must(t, err)
		depth, lost := j.Backlog()
		first := held[0]
		if depth > MaxEntries || int(depth) != len(held) || first.Reason != beat.Shed || first.Number != 1 || lost != uint64(first.Until) ||
			held[1].Number != first.Until+1 || held[len(held)-1].Number != all || lost+depth-1 != all {
			t.Fatalf("%d held, %d lost, first %+v, then %d, last %d", depth, lost, first, held[1].Number, held[len(held)-1].Number)
		}
	}
	check()
	b.Kill()
	check()
	must(t, b.Journal().Free(10)) // a part of the range
	if got := numbers(t, b.Journal()); got[0] != 11 {
		t.Fatalf("after an ack within the range: %v", got[:2])
	}
}

func fills(t *testing.T, b Bench) {
	appendTo(t, b.Journal(), 1, 2)
	epoch, err := b.Journal().NextEpoch(0)
	must(t, err)
	b.Fill(true)
	for n := beat.Number(3); n <= 5; n++ {
		if err := b.Journal().Append([]journal.Entry{entry(n)}); !errors.Is(err, journal.ErrNoSpace) {
			t.Fatalf("number %d on a full disk: %v", n, err)
		}
	}
	if next, err := b.Journal().NextEpoch(0); err != nil || next <= epoch {
		t.Fatalf("an epoch that is reserved: %d, %v", next, err)
	}
	if _, lost := b.Journal().Backlog(); lost != 3 {
		t.Fatalf("%d lost, want 3", lost)
	}
	b.Fill(false)
	appendTo(t, b.Journal(), 6, 6)
	b.Kill()
	wantNumbers(t, b.Journal(), 1, 2, 3, 5, 6) // 3 to 5 is a range
	hosts, err := b.Journal().Hosts()
	must(t, err)
	if depth, lost := b.Journal().Backlog(); depth != 4 || lost != 3 || len(hosts) != 6 || hosts[4].Number != 5 {
		t.Fatalf("depth %d, lost %d, hosts %+v", depth, lost, hosts)
	}
}

func incarnations(t *testing.T, b Bench) {
	first := b.Journal().Incarnation()
	if first.IsZero() || b.Journal().Acked() {
		t.Fatal("want a new incarnation that nobody acked")
	}
	must(t, b.Journal().NoteAcked())
	appendTo(t, b.Journal(), 1, 2)
	b.Kill()
	if b.Journal().Incarnation() != first || !b.Journal().Acked() {
		t.Fatal("a kill changed the incarnation, or its ack")
	}
	second, err := b.Journal().Renew()
	if err != nil || second == first || b.Journal().Acked() || b.Journal().Incarnation() != second {
		t.Fatalf("renewed: %v after %v, %v", second, first, err)
	}
	b.Kill()
	wantNumbers(t, b.Journal(), 1, 2)
	b.Lose()
	if third := b.Journal().Incarnation(); third == second || third.IsZero() || b.Journal().Acked() {
		t.Fatalf("a new disk has incarnation %v", third)
	}
	wantNumbers(t, b.Journal())
}

func restores(t *testing.T, b Bench) {
	must(t, b.Journal().NoteAcked())
	appendTo(t, b.Journal(), 1, 3)
	old, err := b.Journal().NextEpoch(0)
	must(t, err)
	inc := b.Journal().Incarnation()
	b.Backup()
	appendTo(t, b.Journal(), 4, 6)
	far, err := b.Journal().NextEpoch(1000)
	must(t, err)
	b.Restore()
	j := b.Journal()
	wantNumbers(t, j, 1, 2, 3)
	next, err := j.NextEpoch(0)
	must(t, err)
	if next <= old || next >= far || j.Incarnation() != inc || !j.Acked() {
		t.Fatalf("epoch %d after a copy taken at %d; acked %v", next, old, j.Acked())
	}
}
