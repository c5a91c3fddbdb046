package settings

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// maxIndexed is how many elements of a list of structs have names in the
// environment and as flags.
const maxIndexed = 4

// field is one setting: a scalar, or a list of scalars.
type field struct {
	path []string // the yaml keys and indices that lead to it
	help string
	typ  reflect.Type
}

// fields are all settings under t, lists of structs with the first indices.
func fields(t reflect.Type, path []string) []field {
	var all []field
	for f := range t.Fields() {
		key := keyOf(f)
		if key == "" {
			continue
		}
		at := append(append([]string{}, path...), key)
		switch {
		case isScalar(f.Type), isScalars(f.Type):
			all = append(all, field{path: at, help: f.Tag.Get("help"), typ: f.Type})
		case f.Type.Kind() == reflect.Struct:
			all = append(all, fields(f.Type, at)...)
		case f.Type.Kind() == reflect.Slice:
			for n := range maxIndexed {
				all = append(all, fields(f.Type.Elem(), append(append([]string{}, at...), strconv.Itoa(n)))...)
			}
		}
	}
	return all
}

// keyOf is the field's name in a file; "" for one that is no setting.
func keyOf(f reflect.StructField) string {
	key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	if key == "-" || !f.IsExported() {
		return ""
	}
	return key
}

// indexed says whether an element of a list is on the way, beyond the first:
// help and example show the first only.
func (f *field) indexed() bool {
	for _, p := range f.path {
		if p != "0" && isIndex(p) {
			return true
		}
	}
	return false
}

func isIndex(p string) bool { return p != "" && p[0] >= '0' && p[0] <= '9' }

// flag is the setting's name on a command line, env in the environment.
func (f *field) flag() string { return kebab(strings.Join(f.path, "-")) }
func (f *field) env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(f.flag(), "-", "_"))
}

const envPrefix = "HB_"

// kebab parts words where a capital follows another letter: memoryMB is
// memory-mb.
func kebab(s string) string {
	var b strings.Builder
	after := true // a capital, or the beginning
	for _, c := range s {
		upper := unicode.IsUpper(c)
		if upper && !after {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(c))
		after = upper
	}
	return b.String()
}

// dotted is the way to a setting as errors name it: regions[0].address.
func dotted(path []string) string {
	var b strings.Builder
	for i, p := range path {
		switch {
		case isIndex(p):
			b.WriteString("[" + p + "]")
		case i > 0:
			b.WriteString("." + p)
		default:
			b.WriteString(p)
		}
	}
	return b.String()
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
)

func isScalar(t reflect.Type) bool {
	if reflect.PointerTo(t).Implements(textType) {
		return true
	}
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int64, reflect.Uint64, reflect.Float64:
		return true
	default:
		return false
	}
}

func isScalars(t reflect.Type) bool { return t.Kind() == reflect.Slice && isScalar(t.Elem()) }

// find walks to a setting. It lengthens a list by one where path says so.
func find(v reflect.Value, path []string) (reflect.Value, error) {
	for i, p := range path {
		switch {
		case v.Kind() == reflect.Struct:
			f := member(v, p)
			if !f.IsValid() {
				return reflect.Value{}, fmt.Errorf("unknown setting %s", dotted(path[:i+1]))
			}
			v = f
		case v.Kind() == reflect.Slice:
			n, err := strconv.Atoi(p)
			if err != nil || n > v.Len() {
				return reflect.Value{}, fmt.Errorf("%s: element %d comes first", dotted(path[:i+1]), v.Len())
			}
			if n == v.Len() {
				v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
			}
			v = v.Index(n)
		}
	}
	return v, nil
}

// member is the field of a struct that has the key.
func member(v reflect.Value, key string) reflect.Value {
	for i := range v.NumField() {
		if k := keyOf(v.Type().Field(i)); k != "" && k == key {
			return v.Field(i)
		}
	}
	return reflect.Value{}
}

// set reads a text into a scalar, or texts that are parted by commas into a list.
func set(v reflect.Value, text string) error {
	if isScalars(v.Type()) {
		list := reflect.MakeSlice(v.Type(), 0, 1)
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part == "" {
				continue
			}
			e := reflect.New(v.Type().Elem()).Elem()
			if err := set(e, part); err != nil {
				return err
			}
			list = reflect.Append(list, e)
		}
		v.Set(list)
		return nil
	}
	if u, ok := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr()); ok {
		return u.UnmarshalText([]byte(text))
	}
	return setKind(v, text)
}

func setKind(v reflect.Value, text string) error {
	switch {
	case v.Type() == durationType:
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%q is no duration: write a number and ms, s, m or h, for example 15s", text)
		}
		v.SetInt(int64(d))
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		v.SetBool(b)
	case v.CanInt():
		n, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			return fmt.Errorf("%q is no whole number", text)
		}
		v.SetInt(n)
	case v.CanUint():
		n, err := strconv.ParseUint(text, 10, v.Type().Bits())
		if err != nil {
			return fmt.Errorf("%q is no whole number of 0 or more", text)
		}
		v.SetUint(n)
	default:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return fmt.Errorf("%q is no number", text)
		}
		v.SetFloat(n)
	}
	return nil
}
