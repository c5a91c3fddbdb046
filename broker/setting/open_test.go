package setting_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/setting"
)

// declare makes a store of a zone and the spans of a week: one text for each
// day, or "mon=…" for one; and dates as "2026-12-25=closed".
func declare(t testing.TB, zone, daily string, days map[string]string, dates map[string]string) *setting.Store {
	t.Helper()
	y := "stores:\n  s:\n    timezone: " + zone + "\n    hours:\n      daily: " + daily + "\n"
	for day, spans := range days {
		y += "      " + day + ": " + spans + "\n"
	}
	y += "    dates:\n"
	for date, spans := range dates {
		y += "      " + date + ": " + spans + "\n"
	}
	entries, err := setting.ParseFile("test.yaml", []byte(y))
	if err != nil {
		t.Fatal(err)
	}
	e := entries["s"]
	s, err := setting.NewCompiler().Compile("s", &e.Declaration)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func at(t testing.TB, text string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestOpen(t *testing.T) {
	weekend := map[string]string{"sat": "18:00-02:00", "sun": "closed"}
	for _, c := range []struct {
		says, zone, daily string
		days, dates       map[string]string
		at                string
		open              bool
		edge              string
	}{
		{"before opening", "Europe/Berlin", "06:00-23:00", nil, nil, "2026-06-01T05:59:00+02:00", false, "2026-06-01T06:00:00+02:00"},
		{"at opening", "Europe/Berlin", "06:00-23:00", nil, nil, "2026-06-01T06:00:00+02:00", true, "2026-06-01T23:00:00+02:00"},
		{"at closing", "Europe/Berlin", "06:00-23:00", nil, nil, "2026-06-01T23:00:00+02:00", false, "2026-06-02T06:00:00+02:00"},
		{"between two spans", "Europe/Berlin", "06:00-11:00,17:00-23:00", nil, nil, "2026-06-01T12:00:00+02:00", false, "2026-06-01T17:00:00+02:00"},
		{"after midnight, of the day before", "Europe/Berlin", "06:00-23:00", weekend, nil, "2026-06-07T01:59:59+02:00", true, "2026-06-07T02:00:00+02:00"},
		{"a closed Sunday", "Europe/Berlin", "06:00-23:00", weekend, nil, "2026-06-07T02:00:00+02:00", false, "2026-06-08T06:00:00+02:00"},
		{"spans that touch at midnight are one", "Europe/Berlin", "06:00-24:00", map[string]string{"tue": "00:00-10:00"}, nil, "2026-06-01T12:00:00+02:00", true, "2026-06-02T10:00:00+02:00"},
		{"always", "Europe/Berlin", "00:00-24:00", nil, nil, "2026-06-01T12:00:00+02:00", true, ""},
		{"always, by a span of a day from six", "Europe/Berlin", "06:00-06:00", nil, nil, "2026-06-01T12:00:00+02:00", true, ""},
		{"always, but Christmas", "Europe/Berlin", "00:00-24:00", nil, map[string]string{"2026-12-25": "closed"}, "2026-06-01T12:00:00+02:00", true, "2026-12-25T00:00:00+01:00"},
		{"always, and Christmas is over", "Europe/Berlin", "00:00-24:00", nil, map[string]string{"2026-12-25": "closed"}, "2026-12-26T00:00:00+01:00", true, ""},
		{"never", "Europe/Berlin", "closed", nil, nil, "2026-06-01T12:00:00+02:00", false, ""},
		{"never, but one day", "Europe/Berlin", "closed", nil, map[string]string{"2026-12-24": "10:00-12:00"}, "2026-06-01T12:00:00+02:00", false, "2026-12-24T10:00:00+01:00"},
		{"a season", "Europe/Berlin", "06:00-23:00", nil, map[string]string{"2026-11-01..2027-03-31": "closed"}, "2026-12-01T12:00:00+01:00", false, "2027-04-01T06:00:00+02:00"},
		{"a holiday after a night that goes into it", "Europe/Berlin", "18:00-02:00", nil, map[string]string{"2026-12-25": "closed"}, "2026-12-25T01:00:00+01:00", true, "2026-12-25T02:00:00+01:00"},
		{"over the year's end", "Europe/Berlin", "18:00-02:00", nil, nil, "2027-01-01T00:30:00+01:00", true, "2027-01-01T02:00:00+01:00"},
		{"the first of January has other hours", "America/New_York", "06:00-23:00", nil, map[string]string{"2026-12-31..2027-01-01": "12:00-16:00"}, "2026-12-31T16:00:00-05:00", false, "2027-01-01T12:00:00-05:00"},

		{"Berlin, the night that loses an hour: 04:00 is 02:00 UTC", "Europe/Berlin", "04:00-23:00", nil, nil, "2026-03-29T01:59:00Z", false, "2026-03-29T02:00:00Z"},
		{"Berlin, the night before: 04:00 is 03:00 UTC", "Europe/Berlin", "04:00-23:00", nil, nil, "2026-03-28T00:00:00Z", false, "2026-03-28T03:00:00Z"},
		{"Berlin, the night that gains an hour: 04:00 is 03:00 UTC", "Europe/Berlin", "04:00-23:00", nil, nil, "2026-10-25T02:30:00Z", false, "2026-10-25T03:00:00Z"},
		{"New York, the night that loses an hour: 04:00 is 08:00 UTC", "America/New_York", "04:00-23:00", nil, nil, "2026-03-08T07:59:00Z", false, "2026-03-08T08:00:00Z"},
		{"New York, the night that gains an hour: 04:00 is 09:00 UTC", "America/New_York", "04:00-23:00", nil, nil, "2026-11-01T08:00:00Z", false, "2026-11-01T09:00:00Z"},
		{"02:30 does not exist in Berlin: opens at 03:00 summer time", "Europe/Berlin", "02:30-23:00", nil, nil, "2026-03-29T00:00:00Z", false, "2026-03-29T01:00:00Z"},
		{"02:30 is twice in Berlin: opens at the first", "Europe/Berlin", "02:30-23:00", nil, nil, "2026-10-25T00:00:00Z", false, "2026-10-25T00:30:00Z"},
		{"01:30 is twice in New York: opens at the first", "America/New_York", "01:30-23:00", nil, nil, "2026-11-01T05:00:00Z", false, "2026-11-01T05:30:00Z"},
		{"open over the lost hour", "Europe/Berlin", "18:00-04:00", nil, nil, "2026-03-28T23:00:00Z", true, "2026-03-29T02:00:00Z"},
		{"open over the gained hour", "Europe/Berlin", "18:00-04:00", nil, nil, "2026-10-24T23:00:00Z", true, "2026-10-25T03:00:00Z"},
		{"a span within the lost hour is none", "Europe/Berlin", "02:10-02:50", nil, nil, "2026-03-28T23:00:00Z", false, "2026-03-30T00:10:00Z"},
		{"a midnight that does not exist", "Africa/Cairo", "00:00-10:00", nil, nil, "2026-04-23T21:59:00Z", false, "2026-04-23T22:00:00Z"},
	} {
		t.Run(c.says, func(t *testing.T) {
			s := declare(t, c.zone, c.daily, c.days, c.dates)
			open, edge := s.Open(at(t, c.at))
			var want time.Time
			if c.edge != "" {
				want = at(t, c.edge)
			}
			if open != c.open || !edge.Equal(want) {
				t.Errorf("open %v until %s; want %v until %s", open, edge, c.open, want.UTC())
			}
		})
	}
}

func TestOpensAndOpened(t *testing.T) {
	s := declare(t, "Europe/Berlin", "04:00-23:00", map[string]string{"sun": "closed"}, nil)
	for _, c := range []struct{ at, opens, opened string }{
		{"2026-06-01T12:00:00+02:00", "2026-06-02T04:00:00+02:00", "2026-06-01T04:00:00+02:00"},
		{"2026-06-01T04:00:00+02:00", "2026-06-02T04:00:00+02:00", "2026-06-01T04:00:00+02:00"},
		{"2026-06-01T03:59:59+02:00", "2026-06-01T04:00:00+02:00", "2026-05-30T04:00:00+02:00"},
		{"2026-06-07T12:00:00+02:00", "2026-06-08T04:00:00+02:00", "2026-06-06T04:00:00+02:00"},
	} {
		now := at(t, c.at)
		if got := s.Opens(now); !got.Equal(at(t, c.opens)) {
			t.Errorf("at %s opens %s, want %s", c.at, got, c.opens)
		}
		if got := s.Opened(now); !got.Equal(at(t, c.opened)) {
			t.Errorf("at %s opened %s, want %s", c.at, got, c.opened)
		}
	}
	night := declare(t, "America/New_York", "20:00-06:00", map[string]string{"tue": "06:00-10:00,20:00-06:00"}, nil)
	if got := night.Opened(at(t, "2026-06-02T09:00:00-04:00")); !got.Equal(at(t, "2026-06-01T20:00:00-04:00")) {
		t.Errorf("spans that touch: opened %s", got)
	}
	for _, daily := range []string{"00:00-24:00", "closed"} {
		s := declare(t, "UTC", daily, nil, nil)
		if now := at(t, "2026-06-01T12:00:00Z"); !s.Opens(now).IsZero() || !s.Opened(now).IsZero() {
			t.Errorf("%s: opens %s, opened %s", daily, s.Opens(now), s.Opened(now))
		}
	}
}

func TestAStoreOfWhichNothingIsSaid(t *testing.T) {
	var s *setting.Store
	now := at(t, "2026-06-01T23:30:00Z")
	open, edge := s.Open(now)
	until, ended := s.Maintenance(now)
	if !open || !edge.IsZero() || !s.Opens(now).IsZero() || !s.Opened(now).IsZero() || !until.IsZero() || !ended.IsZero() ||
		s.Date(now) != 20260601 || s.Declared("pos1") != nil {
		t.Error("a nil store is not simply open")
	}
	if d := declare(t, "Europe/Berlin", "06:00-23:00", nil, nil).Date(now); d != 20260602 {
		t.Errorf("in Berlin it is %d", d)
	}
}

// Between two edges nothing changes, and at each it does; Opens and Opened are
// the edges at which a store opens.
func TestOpenFlipsExactlyAtEdges(t *testing.T) {
	const seed = 7
	r := rand.New(rand.NewPCG(seed, 1))
	zones := []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kathmandu", "America/Santiago", "Pacific/Apia"}
	for n := range 300 {
		days := map[string]string{}
		for _, day := range []string{"mon", "wed", "sat", "sun"} {
			days[day] = randomSpans(r)
		}
		first := time.Date(2026, time.Month(1+r.IntN(12)), 1+r.IntN(28), 0, 0, 0, 0, time.UTC)
		dates := map[string]string{
			first.Format(time.DateOnly): randomSpans(r),
			first.AddDate(0, 0, 1).Format(time.DateOnly) + ".." + first.AddDate(0, 0, 3).Format(time.DateOnly): randomSpans(r),
		}
		s := declare(t, zones[n%len(zones)], randomSpans(r), days, dates)
		now := first.Add(-3*24*time.Hour + time.Duration(r.IntN(1440))*time.Minute)
		if n%3 == 0 { // around the change nights too
			now = time.Date(2026, []time.Month{3, 4, 10, 11}[r.IntN(4)], r.IntN(30), 0, 0, 0, 0, time.UTC)
		}
		follow(t, s, now, fmt.Sprint("seed ", seed, ", case ", n))
	}
}

func randomSpans(r *rand.Rand) string {
	switch a := r.IntN(24); r.IntN(5) {
	case 0:
		return "closed"
	case 1:
		return "00:00-24:00"
	case 2:
		return fmt.Sprintf("%02d:30-%02d:15", a, r.IntN(24))
	case 3:
		return fmt.Sprintf("%02d:00-%02d:30,%02d:30-%02d:00", a/2, a/2, a/2+1, a/2+3)
	default:
		return fmt.Sprintf("%02d:00-%02d:00", a, a)
	}
}

func follow(t *testing.T, s *setting.Store, now time.Time, name string) {
	t.Helper()
	for range 20 {
		open, edge := s.Open(now)
		if edge.IsZero() {
			return
		}
		if !edge.After(now) {
			t.Fatalf("%s: at %s the next edge is %s", name, now, edge)
		}
		for step := now; step.Before(edge); step = step.Add(max(7*time.Minute, edge.Sub(now)/50)) {
			if o, e := s.Open(step); o != open || !e.Equal(edge) {
				t.Fatalf("%s: at %s open %v until %s, at %s open %v until %s", name, now, open, edge, step, o, e)
			}
		}
		last, next := edge.Add(-time.Second), edge
		if o, _ := s.Open(last); o != open {
			t.Fatalf("%s: flips before %s", name, edge)
		}
		if o, _ := s.Open(next); o == open {
			t.Fatalf("%s: does not flip at %s", name, edge)
		}
		if !open {
			opens, opened := s.Opens(last), s.Opened(edge)
			if edge.Sub(last) < 31*24*time.Hour && !opens.Equal(edge) || !opened.Equal(edge) || !s.Opened(last).Before(edge) {
				t.Fatalf("%s: opens at %s, but Opens %s, Opened %s, before %s", name, edge, opens, opened, s.Opened(last))
			}
		}
		now = edge
	}
}

func BenchmarkOpen(b *testing.B) {
	s := declare(b, "Europe/Berlin", "06:00-11:00,17:00-23:00", nil, map[string]string{"2026-12-25": "closed"})
	now := at(b, "2026-06-01T12:00:00+02:00")
	b.ReportAllocs()
	for b.Loop() {
		s.Open(now)
	}
}
