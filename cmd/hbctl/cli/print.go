package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// printer is stdout: a table for people, or one JSON value for programs.
type printer struct {
	w    io.Writer
	json bool
	now  time.Time
}

// value prints v as the one JSON value of the run.
func (p *printer) value(v any) error {
	enc := json.NewEncoder(p.w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}

// line prints one line for people.
func (p *printer) line(format string, args ...any) error {
	if _, err := fmt.Fprintln(p.w, clean(fmt.Sprintf(format, args...))); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}

// table prints aligned columns, or the word for none where there are no rows.
func (p *printer) table(head []string, rows [][]string, none string) error {
	if len(rows) == 0 {
		return p.line("%s", none)
	}
	tw := tabwriter.NewWriter(p.w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, strings.Join(head, "\t"))
	for _, row := range rows {
		for i := range row {
			if row[i] = clean(row[i]); row[i] == "" {
				row[i] = "-"
			}
		}
		fmt.Fprintln(tw, strings.Join(row, "\t"))
	}
	if err := tw.Flush(); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}

// sheet prints names and values, aligned.
func (p *printer) sheet(lines [][2]string) error {
	tw := tabwriter.NewWriter(p.w, 0, 0, 2, ' ', 0)
	for _, l := range lines {
		fmt.Fprintln(tw, clean(l[0])+"\t"+clean(l[1]))
	}
	if err := tw.Flush(); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}

// show prints items as they came, or as a table of what row makes of each.
func show[T any](p *printer, items []json.RawMessage, head []string, none string, row func(T) []string) error {
	if p.json {
		return p.value(items)
	}
	rows := make([][]string, 0, len(items))
	for _, raw := range items {
		var v T
		if err := json.Unmarshal(raw, &v); err != nil {
			return &failure{exit: ExitFailed, what: "read the answer", err: err, hint: "is the region of another version? --json shows what it says"}
		}
		rows = append(rows, row(v))
	}
	return p.table(head, rows, none)
}

// clean keeps what hosts say of themselves from steering the terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && (unicode.IsControl(r) || unicode.In(r, unicode.Cf)) {
			return ' '
		}
		return r
	}, s)
}

// ago is how long before now t was, in two units at most: "3m 20s ago".
func (p *printer) ago(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	d := p.now.Sub(t)
	if d < time.Second {
		return "now"
	}
	return span(d) + " ago"
}

// span is a duration in two units at most.
func span(d time.Duration) string {
	units := []struct {
		name string
		size time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}}
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	for i, u := range units {
		if d < u.size {
			continue
		}
		text := fmt.Sprintf("%d%s", d/u.size, u.name)
		if i+1 < len(units) {
			if rest := d % u.size / units[i+1].size; rest > 0 {
				text += fmt.Sprintf(" %d%s", rest, units[i+1].name)
			}
		}
		return text
	}
	return "0s"
}

// millis is an interval in ms, for people.
func millis(ms int64) string {
	if ms == 0 {
		return ""
	}
	return span(time.Duration(ms) * time.Millisecond)
}
