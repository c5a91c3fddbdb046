package settings

import (
	"encoding"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Show writes v, a pointer to a struct, as YAML that Load reads; secrets are
// masked.
func Show(w io.Writer, v any) error { return write(w, v, &printer{}) }

// Explain is Show with the help of each setting above it. Its v is an example:
// what stands in for a secret is shown.
func Explain(w io.Writer, v any) error { return write(w, v, &printer{explain: true}) }

func write(w io.Writer, v any, p *printer) error {
	p.structure(reflect.ValueOf(v).Elem(), "", "")
	_, err := io.WriteString(w, p.b.String())
	return err
}

type printer struct {
	b       strings.Builder
	explain bool
	quiet   bool // what comes was explained before
}

// structure writes the keys of a struct; the first line begins with lead
// (a list's dash), the others with indent.
func (p *printer) structure(v reflect.Value, lead, indent string) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		key := keyOf(f)
		if key == "" {
			continue
		}
		if p.explain && indent == "" && i > 0 {
			p.b.WriteByte('\n')
		}
		if help := f.Tag.Get("help"); p.explain && help != "" && !p.quiet {
			for line := range strings.SplitSeq(help, "\n") {
				p.b.WriteString(indent + "# " + line + "\n")
			}
		}
		start := indent
		if lead != "" {
			start, lead = lead, ""
		}
		p.setting(v.Field(i), start+key+":", indent)
	}
}

func (p *printer) setting(v reflect.Value, head, indent string) {
	switch {
	case isScalar(v.Type()):
		p.b.WriteString(head + " " + p.scalar(v) + "\n")
	case v.Kind() == reflect.Struct:
		p.b.WriteString(head + "\n")
		p.structure(v, "", indent+"  ")
	case v.Len() == 0:
		p.b.WriteString(head + " []\n")
	default:
		p.b.WriteString(head + "\n")
		for i := range v.Len() {
			if e := v.Index(i); isScalar(e.Type()) {
				p.b.WriteString(indent + "  - " + p.scalar(e) + "\n")
			} else {
				p.structure(e, indent+"  - ", indent+"    ")
				p.quiet = true // one element explains the others
			}
		}
		p.quiet = false
	}
}

func (p *printer) scalar(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Duration:
		return shortDuration(x)
	case Secret:
		if p.explain {
			return quote(string(x))
		}
		return strconv.Quote(x.String())
	case encoding.TextMarshaler:
		if text, err := x.MarshalText(); err == nil {
			return strconv.Quote(string(text))
		}
	}
	if v.Kind() == reflect.String {
		return quote(v.String())
	}
	return fmt.Sprint(v.Interface())
}

// quote leaves plain words as they are: a file for people.
func quote(s string) string {
	plain := s != ""
	for i := range len(s) {
		c := s[i]
		plain = plain && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || i > 0 && strings.IndexByte("0123456789.-/_:", c) >= 0)
	}
	switch strings.ToLower(s) {
	case "true", "false", "yes", "no", "on", "off", "null", "y", "n":
		plain = false
	}
	if !plain || strings.HasSuffix(s, ":") {
		return strconv.Quote(s)
	}
	return s
}

// shortDuration is 5m instead of 5m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}
