package setting

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/hb-mesh/hb-mesh/relay/outline"
)

// maxErrors is how many errors of one file are told.
const maxErrors = 20

// yamlReader walks a YAML file, and collects what is wrong in it.
type yamlReader struct {
	name string
	errs []error
}

// parse returns the file's only document; nil after an error.
func (r *yamlReader) parse(raw []byte) ast.Node {
	file, err := outline.Parse(r.name, raw)
	if err != nil {
		r.errs = append(r.errs, err)
		return nil
	}
	var body ast.Node
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil:
		case body != nil:
			r.fail(doc.Body, nil, "one document is enough")
		default:
			body = doc.Body
		}
	}
	if body == nil {
		r.errs = append(r.errs, fmt.Errorf("%s: the file is empty", r.name))
	}
	return body
}

func (r *yamlReader) fail(n ast.Node, way []string, format string, a ...any) {
	if len(r.errs) == maxErrors {
		return
	}
	where := r.name
	if n != nil && n.GetToken() != nil && n.GetToken().Position != nil {
		where += ":" + strconv.Itoa(n.GetToken().Position.Line)
	}
	if len(way) > 0 {
		where += ": " + strings.Join(way, ".")
	}
	r.errs = append(r.errs, fmt.Errorf("%s: %s", where, fmt.Sprintf(format, a...)))
}

// pairs are a mapping's, each key once; an empty value has none.
func (r *yamlReader) pairs(n ast.Node, way []string) []*ast.MappingValueNode {
	var all []*ast.MappingValueNode
	switch n := n.(type) {
	case nil, *ast.NullNode, *ast.CommentGroupNode:
		return nil
	case *ast.MappingNode:
		all = n.Values
	case *ast.MappingValueNode:
		all = []*ast.MappingValueNode{n}
	default:
		r.fail(n, way, "want keys here")
		return nil
	}
	seen := make(map[string]bool, len(all))
	var out []*ast.MappingValueNode
	for _, kv := range all {
		key := kv.Key.GetToken().Value
		if seen[key] {
			r.fail(kv.Key, join(way, key), "the key is there twice")
			continue
		}
		seen[key] = true
		out = append(out, kv)
	}
	return out
}

// keys are a mapping's pairs, of which only some names are known.
func (r *yamlReader) keys(n ast.Node, way []string, known ...string) map[string]*ast.MappingValueNode {
	values := map[string]*ast.MappingValueNode{}
	for _, kv := range r.pairs(n, way) {
		key := kv.Key.GetToken().Value
		if !slices.Contains(known, key) {
			r.fail(kv.Key, join(way, key), "unknown key; known here: %s", strings.Join(known, ", "))
			continue
		}
		values[key] = kv
	}
	return values
}

// text is one value, as it is written.
func (r *yamlReader) text(n ast.Node, way []string) (string, bool) {
	switch n := n.(type) {
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.StringNode:
		return n.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, true
	case nil, *ast.NullNode, *ast.CommentGroupNode:
		r.fail(n, way, "a value is missing here")
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
		r.fail(n, way, "write the value itself: anchors, aliases and tags are not known here")
	default:
		r.fail(n, way, "want one value here")
	}
	return "", false
}

// checked is a value that check takes.
func (r *yamlReader) checked(n ast.Node, way []string, check func(string) error) string {
	text, ok := r.text(n, way)
	if !ok {
		return ""
	}
	if err := check(text); err != nil {
		r.fail(n, way, "%v", err)
	}
	return text
}

func (r *yamlReader) truth(n ast.Node, way []string) *bool {
	var yes bool
	r.checked(n, way, func(text string) error {
		if text != "true" && text != "false" {
			return fmt.Errorf("%q is neither true nor false", clip(text))
		}
		yes = text == "true"
		return nil
	})
	return &yes
}

// join is a longer way; it never shares memory with another.
func join(way []string, key string) []string { return append(slices.Clone(way), clip(key)) }
