package notice

import (
	"strings"
	"unicode"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

const ellipsis = "..."

// plain makes s printable ASCII: whatever else it holds becomes a question mark.
// Ids are that already; it is the last guard of titles and SMS.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}

// cut shortens ASCII text to width characters.
func cut(s string, width int) string {
	if len(s) <= width {
		return s
	}
	if width <= len(ellipsis) {
		return s[:max(width, 0)]
	}
	return s[:width-len(ellipsis)] + ellipsis
}

// quote makes a hostile word (what a host says of itself) fit to be shown: one
// line of at most n bytes in quotes, without control characters and without the
// invisible ones that turn text around, and with its links defused, since mail
// programs make them clickable.
func quote(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '"':
			return '\''
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	s = strings.Join(strings.Fields(s), " ")
	s = strings.ReplaceAll(s, "://", "[:]//")
	if len(s) > n {
		s = beat.CutText(s, n-len(ellipsis)) + ellipsis
	}
	return `"` + s + `"`
}
