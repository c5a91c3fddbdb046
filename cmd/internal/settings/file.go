package settings

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"sort"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/hb-mesh/hb-mesh/relay/outline"
)

// maxFile bounds a configuration, in bytes: the longest that makes sense, with a
// key for each of thousands of stores, has a tenth of it.
const maxFile = 4 << 20

// readFile lays the YAML of a file over v, and returns every error in it: each
// names file, line and key.
func readFile(name string, v reflect.Value) error {
	raw, err := readBounded(name)
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	file, err := outline.Parse(name, raw)
	if err != nil {
		return err
	}
	r := &reader{name: name}
	for i, doc := range file.Docs {
		if i > 0 && doc.Body != nil {
			r.fail(doc.Body, nil, "one document is enough")
			break
		}
		r.value(doc.Body, v, nil)
	}
	return errors.Join(r.errs...)
}

func readBounded(name string) ([]byte, error) {
	f, err := os.Open(name) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	raw, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(raw) > maxFile {
		err = fmt.Errorf("%s has more than %d MiB: is it a configuration?", name, maxFile>>20)
	}
	return raw, err
}

// reader collects what is wrong in a file.
type reader struct {
	name string
	errs []error
}

func (r *reader) fail(n ast.Node, path []string, format string, a ...any) {
	where := r.name
	if t := n.GetToken(); t != nil && t.Position != nil {
		where += ":" + strconv.Itoa(t.Position.Line)
	}
	if len(path) > 0 {
		where += ": " + dotted(path)
	}
	r.errs = append(r.errs, fmt.Errorf("%s: %s", where, fmt.Sprintf(format, a...)))
}

// value reads a node into v. What is empty leaves the default.
func (r *reader) value(n ast.Node, v reflect.Value, path []string) {
	switch n := n.(type) {
	case nil, *ast.NullNode, *ast.CommentGroupNode:
		return
	case *ast.MappingNode:
		r.mapping(n, n.Values, v, path)
	case *ast.MappingValueNode:
		r.mapping(n, []*ast.MappingValueNode{n}, v, path)
	case *ast.SequenceNode:
		r.list(n, v, path)
	default:
		r.scalar(n, v, path)
	}
}

func (r *reader) mapping(at ast.Node, values []*ast.MappingValueNode, v reflect.Value, path []string) {
	if v.Kind() != reflect.Struct {
		r.fail(at, path, "want %s here, not keys", wanted(v.Type()))
		return
	}
	seen := map[string]bool{}
	for _, kv := range values {
		key := kv.Key.GetToken().Value
		way := append(append([]string{}, path...), key)
		f := member(v, key)
		switch {
		case !f.IsValid():
			r.fail(kv.Key, way, "unknown key%s", hint(v.Type(), key))
		case seen[key]:
			r.fail(kv.Key, way, "the key is there twice")
		default:
			r.value(kv.Value, f, way)
		}
		seen[key] = true
	}
}

func (r *reader) list(n *ast.SequenceNode, v reflect.Value, path []string) {
	if v.Kind() != reflect.Slice {
		r.fail(n, path, "want %s here, not a list", wanted(v.Type()))
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Values), len(n.Values)))
	for i, e := range n.Values {
		r.value(e, v.Index(i), append(append([]string{}, path...), strconv.Itoa(i)))
	}
}

func (r *reader) scalar(n ast.Node, v reflect.Value, path []string) {
	var text string
	switch n := n.(type) {
	case *ast.LiteralNode:
		text = n.Value.Value
	case *ast.StringNode:
		text = n.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		text = n.GetToken().Value
	default:
		r.fail(n, path, "write the value itself: anchors, aliases and tags are not known here")
		return
	}
	if !isScalar(v.Type()) {
		r.fail(n, path, "want %s here", wanted(v.Type()))
		return
	}
	if err := set(v, text); err != nil {
		r.fail(n, path, "%v", err)
	}
}

func wanted(t reflect.Type) string {
	switch {
	case isScalar(t):
		return "one value"
	case t.Kind() == reflect.Slice:
		return "a list"
	default:
		return "keys: " + strings.Join(keys(t), ", ")
	}
}

// hint names the key that was probably meant, or all keys of the place.
func hint(t reflect.Type, key string) string {
	for _, k := range keys(t) {
		if near(strings.ToLower(k), strings.ToLower(key)) {
			return fmt.Sprintf(": is it %s?", k)
		}
	}
	return "; known here: " + strings.Join(keys(t), ", ")
}

func keys(t reflect.Type) []string {
	var all []string
	for f := range t.Fields() {
		if k := keyOf(f); k != "" {
			all = append(all, k)
		}
	}
	sort.Strings(all)
	return all
}

// near says whether two words are alike but for two letters that were added,
// lost, changed or swapped.
func near(a, b string) bool {
	prev := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
		}
		prev = row
	}
	return prev[len(b)] <= min(2, len(a)/2)
}
