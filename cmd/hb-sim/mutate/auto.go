package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// places are what is mutated: the pure packages, and files of joins.
var places = []string{
	"broker/presence", "broker/incident", "broker/lease", "relay/roster",
	"broker/setting/join.go", "broker/setting/fleet.go", "broker/setting/open.go", "broker/setting/hours.go",
	"broker/record/notice.go", "broker/record/history.go",
}

// spot is one place in a file that can be changed, and how.
type spot struct {
	file string
	line int
	what string
	do   func() (undo func())
}

// drawMutants draws n changes by a seed.
func drawMutants(root string, n int, seed uint64) ([]mutant, error) {
	r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a seed decides
	files, err := sources(root)
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	parsed := map[string]*ast.File{}
	var spots []spot
	for _, f := range files {
		tree, err := parser.ParseFile(set, filepath.Join(root, f), nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		parsed[f] = tree
		spots = append(spots, spotsOf(set, f, tree)...)
	}
	r.Shuffle(len(spots), func(i, k int) { spots[i], spots[k] = spots[k], spots[i] })
	var all []mutant
	for _, s := range spots[:min(n, len(spots))] {
		undo := s.do()
		var b bytes.Buffer
		err := format.Node(&b, set, parsed[s.file])
		undo()
		if err != nil {
			return nil, err
		}
		name := fmt.Sprintf("auto %s:%d %s", s.file, s.line, s.what)
		all = append(all, mutant{name: name, breaks: s.what, files: map[string]string{s.file: b.String()}, pkg: "./" + filepath.Dir(s.file)})
	}
	return all, nil
}

func sources(root string) ([]string, error) {
	var files []string
	for _, p := range places {
		if strings.HasSuffix(p, ".go") {
			files = append(files, p)
			continue
		}
		names, err := filepath.Glob(filepath.Join(root, p, "*.go"))
		if err != nil {
			return nil, err
		}
		for _, n := range names {
			if base := filepath.Base(n); !strings.HasSuffix(base, "_test.go") && base != "doc.go" && base != "explain.go" && base != "status.go" && base != "view.go" {
				files = append(files, filepath.Join(p, base))
			}
		}
	}
	slices.Sort(files)
	for _, f := range files {
		if _, err := os.Stat(filepath.Join(root, f)); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// spotsOf are the places of one file.
func spotsOf(set *token.FileSet, file string, tree *ast.File) []spot {
	var spots []spot
	add := func(at ast.Node, what string, do func() func()) {
		spots = append(spots, spot{file, set.Position(at.Pos()).Line, what, do})
	}
	for _, d := range tree.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Body == nil || fn.Name.Name == "String" || strings.HasSuffix(fn.Name.Name, "Text") {
			continue
		}
		ast.Inspect(fn.Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.IfStmt:
				add(n, "condition negated", func() func() {
					old := n.Cond
					n.Cond = &ast.UnaryExpr{Op: token.NOT, X: &ast.ParenExpr{X: old}}
					return func() { n.Cond = old }
				})
			case *ast.BinaryExpr:
				if to, ok := swaps[n.Op]; ok {
					from := n.Op
					add(n, fmt.Sprintf("%s becomes %s", from, to), func() func() {
						n.Op = to
						return func() { n.Op = from }
					})
				}
			case *ast.BlockStmt:
				dropped(n, add)
			case *ast.ReturnStmt:
				returned(n, add)
			}
			return true
		})
	}
	return spots
}

// swaps are what an operator becomes.
var swaps = map[token.Token]token.Token{
	token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR,
	token.EQL: token.NEQ, token.NEQ: token.EQL, token.LAND: token.LOR, token.LOR: token.LAND,
	token.ADD: token.SUB, token.SUB: token.ADD,
}

// dropped are the statements of a block that can be left out: calls and plain
// assignments.
func dropped(b *ast.BlockStmt, add func(ast.Node, string, func() func())) {
	for i, s := range b.List {
		switch s := s.(type) {
		case *ast.ExprStmt:
		case *ast.IncDecStmt:
		case *ast.AssignStmt:
			if s.Tok == token.DEFINE {
				continue
			}
		default:
			continue
		}
		add(s, "statement dropped", func() func() {
			b.List[i] = &ast.EmptyStmt{Semicolon: s.Pos()}
			return func() { b.List[i] = s }
		})
	}
}

// returned are returns of a truth value, which becomes the other one.
func returned(n *ast.ReturnStmt, add func(ast.Node, string, func() func())) {
	for i, x := range n.Results {
		id, ok := x.(*ast.Ident)
		if !ok || id.Name != "true" && id.Name != "false" {
			continue
		}
		other := "true"
		if id.Name == "true" {
			other = "false"
		}
		add(n, "returns "+other, func() func() {
			n.Results[i] = ast.NewIdent(other)
			return func() { n.Results[i] = x }
		})
	}
}
