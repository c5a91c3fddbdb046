package setting

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	dayMinutes  = 24 * 60
	weekMinutes = 7 * dayMinutes
	// maxSpans bounds a day, maxDates a store's exceptions.
	maxSpans = 8
	maxDates = 400
	// maxSeason is how many days one exception may last, maxExcepted all of them.
	maxSeason   = 366
	maxExcepted = 3 * maxSeason
)

// Span is an opening within a day, in minutes after its midnight: From in
// [0, 1440), To in (From, From+1440]. Beyond 1440 it goes over midnight.
type Span struct{ From, To int }

// ParseSpan reads 06:00-23:00, or 18:00-02:00 over midnight. An end that
// equals the start, and 24:00 after 00:00, is a whole day later.
func ParseSpan(text string) (Span, error) {
	from, to, ok := strings.Cut(text, "-")
	a, okA := parseClock(strings.TrimSpace(from))
	b, okB := parseClock(strings.TrimSpace(to))
	if !ok || !okA || !okB || a == dayMinutes {
		return Span{}, fmt.Errorf("%q is no span: write from-to on a 24-hour clock, for example 06:00-23:00 or 18:00-02:00", clip(text))
	}
	if b <= a {
		b += dayMinutes
	}
	return Span{a, b}, nil
}

func (s Span) String() string {
	to := s.To
	if to > dayMinutes {
		to -= dayMinutes
	}
	return fmt.Sprintf("%02d:%02d-%02d:%02d", s.From/60, s.From%60, to/60, to%60)
}

// parseClock reads hh:mm up to 24:00.
func parseClock(text string) (int, bool) {
	h, m, ok := strings.Cut(text, ":")
	hour, errH := strconv.ParseUint(h, 10, 8)
	minute, errM := strconv.ParseUint(m, 10, 8)
	if !ok || errH != nil || errM != nil || len(m) != 2 || len(h) > 2 || minute > 59 || hour*60+minute > dayMinutes {
		return 0, false
	}
	return int(hour*60 + minute), true
}

// Dates are hours for the days From to To, both included, in place of the
// week's: no spans are a closed day. A span of the day before that goes over
// midnight still ends as it would.
type Dates struct {
	// From and To are dates, in days since 1970-01-01.
	From, To int64
	Spans    []Span
}

// ParseDates reads 2026-12-25 or 2026-12-27..2027-01-03.
func ParseDates(text string) (from, to int64, err error) {
	first, last, ranged := strings.Cut(text, "..")
	a, errA := time.Parse(time.DateOnly, strings.TrimSpace(first))
	b, errB := a, error(nil)
	if ranged {
		b, errB = time.Parse(time.DateOnly, strings.TrimSpace(last))
	}
	if errA != nil || errB != nil {
		return 0, 0, fmt.Errorf("%q is no date: write 2026-12-25, or 2026-12-27..2027-01-03", clip(text))
	}
	from, to = a.Unix()/daySeconds, b.Unix()/daySeconds
	if to < from || to-from >= maxSeason || from < 0 {
		return 0, 0, fmt.Errorf("%q must go forward, by at most %d days", clip(text), maxSeason)
	}
	return from, to, nil
}

func (d Dates) String() string {
	from := time.Unix(d.From*daySeconds, 0).UTC().Format(time.DateOnly)
	if d.From == d.To {
		return from
	}
	return from + ".." + time.Unix(d.To*daySeconds, 0).UTC().Format(time.DateOnly)
}

// Hours are a store's opening hours. They are immutable, and may be shared.
type Hours struct {
	zone  *time.Location
	week  [7][]Span
	dates []Dates
	// always and never are of the week alone, without dates.
	always, never bool
}

// NewHours checks and takes over a week (Sunday first, as time.Weekday has it)
// and its exceptions, in any order.
func NewHours(zone *time.Location, week [7][]Span, dates []Dates) (*Hours, error) {
	if zone == nil {
		return nil, errors.New("opening hours need a time zone")
	}
	h := &Hours{zone: zone, week: week, dates: slices.Clone(dates), never: true}
	for i := range h.week {
		if err := sortSpans(h.week[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", dayNames[i], err)
		}
		h.never = h.never && len(h.week[i]) == 0
	}
	if len(h.dates) > maxDates {
		return nil, fmt.Errorf("%d exceptions, at most %d are known", len(h.dates), maxDates)
	}
	slices.SortFunc(h.dates, func(a, b Dates) int { return cmp.Compare(a.From, b.From) })
	days := int64(0)
	for i := range h.dates {
		if days += h.dates[i].To - h.dates[i].From + 1; days > maxExcepted {
			return nil, fmt.Errorf("the exceptions are of more than %d days", maxExcepted)
		}
		if i > 0 && h.dates[i].From <= h.dates[i-1].To {
			return nil, fmt.Errorf("%s and %s overlap", h.dates[i-1], h.dates[i])
		}
		if err := sortSpans(h.dates[i].Spans); err != nil {
			return nil, fmt.Errorf("%s: %w", h.dates[i], err)
		}
	}
	h.always = covers(&h.week)
	return h, nil
}

// sortSpans orders one day's spans, which must not overlap.
func sortSpans(spans []Span) error {
	if len(spans) > maxSpans {
		return fmt.Errorf("%d spans, at most %d are known", len(spans), maxSpans)
	}
	slices.SortFunc(spans, func(a, b Span) int { return cmp.Compare(a.From, b.From) })
	for i := 1; i < len(spans); i++ {
		if spans[i].From < spans[i-1].To {
			return fmt.Errorf("%s and %s overlap", spans[i-1], spans[i])
		}
	}
	return nil
}

// covers says whether a week has no closed minute.
func covers(week *[7][]Span) bool {
	// Saturday's last span may reach into Sunday.
	end := 0
	if late := week[time.Saturday]; len(late) > 0 {
		end = max(0, late[len(late)-1].To-dayMinutes)
	}
	for day, spans := range week {
		for _, s := range spans {
			if day*dayMinutes+s.From > end {
				return false
			}
			end = max(end, day*dayMinutes+s.To)
		}
	}
	return end >= weekMinutes
}

// Zone is the store's time zone.
func (h *Hours) Zone() *time.Location { return h.zone }

// on are the spans that begin on a day.
func (h *Hours) on(day int64) []Span {
	if i := h.exception(day); i < len(h.dates) && h.dates[i].From <= day {
		return h.dates[i].Spans
	}
	// 1970-01-01 was a Thursday.
	return h.week[(day%7+7+int64(time.Thursday))%7]
}

// exception is the index of the first exception that ends on a day or later.
func (h *Hours) exception(day int64) int {
	i, _ := slices.BinarySearchFunc(h.dates, day, func(d Dates, day int64) int { return cmp.Compare(d.To, day) })
	return i
}

// clip bounds what an error repeats.
func clip(text string) string {
	if len(text) > 40 {
		return text[:40] + "…"
	}
	return text
}
