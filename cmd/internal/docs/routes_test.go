package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/hb-mesh/hb-mesh/broker/peer"
)

// route is a method and a path; method is "" where the code takes several.
type route struct{ method, path string }

var routePattern = regexp.MustCompile(`^(?:(GET|HEAD|POST|PUT|PATCH|DELETE) )?(/\S*)$`)

func parseRoute(s string) (route, bool) {
	m := routePattern.FindStringSubmatch(s)
	if m == nil {
		return route{}, false
	}
	return route{m[1], strings.ReplaceAll(m[2], "{$}", "")}, true
}

// muxCalls are the names of the calls that take a pattern first.
var muxCalls = set("Handle", "HandleFunc", "Mount", "read", "change")

// mounted are the patterns that Go files hand to a mux.
func mounted(t *testing.T) map[route]bool {
	t.Helper()
	out := map[route]bool{}
	for _, f := range sources(t, "relay", "broker", "cmd/hb-sim/demo") {
		parsed, err := parser.ParseFile(token.NewFileSet(), f.path, f.text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) < 2 || !muxCalls[nameOf(call.Fun)] {
				return true
			}
			if lit, ok := call.Args[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
				text, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				if r, ok := parseRoute(text); ok {
					out[r] = true
				}
			}
			return true
		})
	}
	for _, call := range peer.Calls() { // below a prefix
		out[route{"POST", peer.Prefix + call}] = true
	}
	return out
}

func nameOf(f ast.Expr) string {
	switch f := f.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// Every route is on the page, and the page has no other.
func TestRoutesPage(t *testing.T) {
	p := read(t, "reference/http.md")
	documented := map[route]bool{}
	for _, line := range p.prose() {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		cell, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " |")
		if r, ok := parseRoute(code(cell)); ok && r.method != "" {
			documented[r] = true
		}
	}
	routes := mounted(t)
	for r := range routes {
		found := documented[r]
		for d := range documented {
			found = found || d.path == r.path && r.method == ""
		}
		if !found && r != (route{"", "/"}) { // where the dashboard is mounted
			t.Errorf("%s lacks %s %s", p.path, r.method, r.path)
		}
	}
	for d := range documented {
		if !routes[d] && !routes[route{"", d.path}] {
			t.Errorf("%s has %s %s, which nobody serves", p.path, d.method, d.path)
		}
	}
}
