package setting

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
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
	tokens := lexer.Tokenize(string(raw))
	if line := tooDeep(tokens); line > 0 {
		r.errs = append(r.errs, fmt.Errorf("%s:%d: more than %d levels within each other", r.name, line, maxDepth))
		return nil
	}
	file, err := parser.Parse(tokens, 0)
	if err != nil {
		var y yaml.Error
		if errors.As(err, &y) && y.GetToken() != nil {
			err = fmt.Errorf("%s:%d: %s", r.name, y.GetToken().Position.Line, y.GetMessage())
		} else {
			err = fmt.Errorf("%s: %w", r.name, err)
		}
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

// maxDepth is how many levels a file may have within each other: a stores file
// has 7. The parser calls itself for each, and a process that runs out of its
// stack says nothing that a person could use.
const maxDepth = 64

// tooDeep is the first line with more than maxDepth levels within each other; 0 is
// none. A level is a bracket, or what begins further to the right than the one
// before: a line, or on it a dash, a question mark, a tag or an anchor.
func tooDeep(tokens token.Tokens) (line int) {
	brackets, last := 0, 0
	var columns []int
	for _, t := range tokens {
		begins := false
		switch t.Type { //nolint:exhaustive // all others are no level by themselves
		case token.SequenceStartType, token.MappingStartType:
			brackets++
		case token.SequenceEndType, token.MappingEndType:
			brackets = max(0, brackets-1)
		case token.SequenceEntryType, token.MappingKeyType, token.TagType, token.AnchorType:
			begins = true
		}
		if begins || t.Position.Line != last {
			last = t.Position.Line
			for len(columns) > 0 && columns[len(columns)-1] >= t.Position.Column {
				columns = columns[:len(columns)-1]
			}
			columns = append(columns, t.Position.Column)
		}
		if brackets > maxDepth || len(columns) > maxDepth {
			return t.Position.Line
		}
	}
	return 0
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
