package mutant

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
)

// spot is one place of a file that can be changed, and how.
type spot struct {
	file, fn string
	// from and to are what goes, in bytes of the file; by is what comes.
	from, to int
	by       string
	// what says it to people: what there was, and what there is.
	what string
	// nth counts equal changes in one function, from 0.
	nth int
}

// finder looks for the spots of one file.
type finder struct {
	file, fn string
	text     string
	set      *token.FileSet
	spots    []spot
	seen     map[string]int
}

// spotsOf are the places of one file: what is in its functions, and its
// constants. What is only words for people is left out.
func spotsOf(file, text string) ([]spot, error) {
	f := finder{file: file, text: text, set: token.NewFileSet(), seen: map[string]int{}}
	tree, err := parser.ParseFile(f.set, file, text, 0)
	if err != nil {
		return nil, err
	}
	for _, d := range tree.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Body == nil || d.Name.Name == "String" || strings.HasSuffix(d.Name.Name, "Text") {
				continue
			}
			f.fn = d.Name.Name
			ast.Inspect(d.Body, f.visit)
		case *ast.GenDecl:
			if d.Tok == token.CONST {
				f.constants(d)
			}
		}
	}
	return f.spots, nil
}

func (f *finder) source(n ast.Node) string { return f.text[f.at(n.Pos()):f.at(n.End())] }

func (f *finder) at(p token.Pos) int { return f.set.Position(p).Offset }

// add notes that what stands at [from, to) becomes by; of is the whole that it
// is part of.
func (f *finder) add(from, to token.Pos, by string, of ast.Node) {
	a, b := f.at(from), f.at(to)
	lo, hi := f.at(of.Pos()), f.at(of.End())
	was := f.text[lo:hi]
	is := f.text[lo:a] + by + f.text[b:hi]
	what := fmt.Sprintf("`%s` → `%s`", short(was), short(is))
	if by == "" {
		what = fmt.Sprintf("`%s` dropped", short(was))
	}
	id := f.fn + what
	f.spots = append(f.spots, spot{f.file, f.fn, a, b, by, what, f.seen[id]})
	f.seen[id]++
}

// short is code in one line, not too long for a table.
func short(code string) string {
	const most = 90
	code = strings.ReplaceAll(strings.Join(strings.Fields(code), " "), "|", "¦")
	if r := []rune(code); len(r) > most {
		code = string(r[:most]) + "…"
	}
	return strings.ReplaceAll(code, "`", "'")
}

func (f *finder) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.IfStmt:
		f.add(n.Cond.Pos(), n.Cond.End(), "!("+f.source(n.Cond)+")", n.Cond)
	case *ast.BinaryExpr:
		if to, ok := swaps[n.Op]; ok {
			f.add(n.OpPos, n.OpPos+token.Pos(len(n.Op.String())), to.String(), n)
		}
	case *ast.BlockStmt:
		f.dropped(n.List)
	case *ast.CaseClause:
		f.dropped(n.Body)
	case *ast.ReturnStmt:
		f.returned(n)
	case *ast.BasicLit:
		f.literal(n, n)
	}
	return true
}

// swaps are what an operator becomes.
var swaps = map[token.Token]token.Token{
	token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR,
	token.EQL: token.NEQ, token.NEQ: token.EQL, token.LAND: token.LOR, token.LOR: token.LAND,
	token.ADD: token.SUB, token.SUB: token.ADD,
}

// dropped are the statements that can be left out: calls and plain assignments.
func (f *finder) dropped(list []ast.Stmt) {
	for _, s := range list {
		switch s := s.(type) {
		case *ast.ExprStmt, *ast.IncDecStmt:
		case *ast.AssignStmt:
			if s.Tok == token.DEFINE {
				continue
			}
		default:
			continue
		}
		f.add(s.Pos(), s.End(), "", s)
	}
}

// returned are returns of a truth value, which becomes the other one.
func (f *finder) returned(n *ast.ReturnStmt) {
	for _, x := range n.Results {
		id, ok := x.(*ast.Ident)
		switch {
		case !ok:
		case id.Name == "true":
			f.add(id.Pos(), id.End(), "false", n)
		case id.Name == "false":
			f.add(id.Pos(), id.End(), "true", n)
		}
	}
}

// literal is a number, which becomes another one: twice as much, or 1 for 0.
func (f *finder) literal(n *ast.BasicLit, of ast.Node) {
	if n.Kind != token.INT {
		return
	}
	v, err := strconv.ParseInt(strings.ReplaceAll(n.Value, "_", ""), 0, 64)
	if err != nil {
		return
	}
	by := 2 * v
	if v == 0 {
		by = 1
	}
	f.add(n.Pos(), n.End(), strconv.FormatInt(by, 10), of)
}

// constants are the numbers of a file's constants. Where they count by
// themselves, another start changes nothing.
func (f *finder) constants(d *ast.GenDecl) {
	for _, s := range d.Specs {
		v, ok := s.(*ast.ValueSpec)
		if !ok || strings.Contains(f.source(v), "iota") {
			continue
		}
		f.fn = "constant"
		for _, x := range v.Values {
			ast.Inspect(x, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok {
					f.literal(lit, v)
				}
				return true
			})
		}
	}
}
