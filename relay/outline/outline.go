// Package outline parses the YAML that people write, a configuration or a stores
// file, into its tree, within bounds. JSON is YAML too.
package outline

import (
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// MaxDepth is how many levels a file may have within each other: a stores file
// has 7. The parser calls itself for each, and a process that runs out of its
// stack says nothing that a person could use.
const MaxDepth = 64

// Parse returns the documents of a file. Its error names the file, and the line
// where there is one.
func Parse(name string, raw []byte) (*ast.File, error) {
	tokens := lexer.Tokenize(string(raw))
	if line := tooDeep(tokens); line > 0 {
		return nil, fmt.Errorf("%s:%d: more than %d levels within each other", name, line, MaxDepth)
	}
	file, err := parser.Parse(tokens, 0)
	if err != nil {
		var y yaml.Error
		if errors.As(err, &y) && y.GetToken() != nil {
			return nil, fmt.Errorf("%s:%d: %s", name, y.GetToken().Position.Line, y.GetMessage())
		}
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return file, nil
}

// tooDeep is the first line with more than MaxDepth levels within each other; 0 is
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
		if brackets > MaxDepth || len(columns) > MaxDepth {
			return t.Position.Line
		}
	}
	return 0
}
