package fuzzed_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../../.."

// folder is what one package of relay or broker decodes, and what it fuzzes.
type folder struct {
	decoders []string
	targets  []string
	uses     map[string]bool // the names that its fuzz tests use
}

// What a package decodes for others, from bytes or from an item of the table, is
// used by a fuzz test of that package.
func TestEveryDecoderIsFuzzed(t *testing.T) {
	n := 0
	for path, f := range folders(t) {
		for _, name := range f.decoders {
			if n++; !f.uses[name] {
				t.Errorf("%s: no fuzz test uses %s", path, name)
			}
		}
	}
	if n < 15 {
		t.Errorf("%d decoders were found", n)
	}
}

// What make fuzz runs is every fuzz test of the tree.
func TestMakeFuzzRunsEveryTarget(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), filepath.Join(root, ".ci/fuzz"), "-l").Output()
	if err != nil {
		t.Fatalf(".ci/fuzz -l: %v", err)
	}
	listed := strings.Split(strings.TrimSpace(string(out)), "\n")
	slices.Sort(listed)
	var want []string
	for path, f := range folders(t) {
		for _, target := range f.targets {
			want = append(want, "./"+path+" "+target)
		}
	}
	slices.Sort(want)
	if !slices.Equal(listed, want) || len(want) < 10 {
		t.Errorf(".ci/fuzz lists\n%s\nwant\n%s", strings.Join(listed, "\n"), strings.Join(want, "\n"))
	}
}

// folders are the packages of the tree, by their path from its root.
func folders(t *testing.T) map[string]*folder {
	t.Helper()
	all := map[string]*folder{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() != ".." && strings.HasPrefix(d.Name(), ".") && path != root:
			return fs.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".go":
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		at, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		if all[at] == nil {
			all[at] = &folder{uses: map[string]bool{}}
		}
		all[at].read(file, strings.HasSuffix(path, "_test.go"), strings.HasPrefix(at, "relay/") || strings.HasPrefix(at, "broker/"))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var decoder = regexp.MustCompile(`^(Decode|(Parse|Read)[A-Z])`)

// read takes what a file decodes, if that is to be fuzzed, or what it fuzzes.
func (f *folder) read(file *ast.File, test, judged bool) {
	for _, d := range file.Decls {
		fn, ok := d.(*ast.FuncDecl)
		switch {
		case !ok:
		case test && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Fuzz"):
			f.targets = append(f.targets, fn.Name.Name)
			ast.Inspect(fn, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok {
					f.uses[id.Name] = true
				}
				return true
			})
		case !test && judged && decoder.MatchString(fn.Name.Name) && slices.ContainsFunc(fn.Type.Params.List, foreign):
			f.decoders = append(f.decoders, fn.Name.Name)
		}
	}
}

// foreign says whether a parameter is bytes, or an item of the table.
func foreign(p *ast.Field) bool {
	switch x := p.Type.(type) {
	case *ast.ArrayType:
		elem, ok := x.Elt.(*ast.Ident)
		return ok && elem.Name == "byte"
	case *ast.SelectorExpr:
		pkg, ok := x.X.(*ast.Ident)
		return ok && pkg.Name == "table" && x.Sel.Name == "Item"
	}
	return false
}
