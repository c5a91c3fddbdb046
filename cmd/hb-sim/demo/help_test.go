package demo_test

import (
	"strings"
	"testing"

	"github.com/hb-mesh/hb-mesh/cmd/hbctl/cli"
)

// hbctl demo unplug --help names every kind of plug that the demo has.
func TestTheHelpNamesEveryPlug(t *testing.T) {
	m := startMesh(t, nil)
	help, errs, status := m.tryHbctl("demo", "unplug", "--help")
	if status != cli.ExitOK {
		t.Fatalf("exit %d: %s", status, errs)
	}
	help = strings.Join(strings.Fields(help), " ")
	plugs := m.list("demo", "status")
	if len(plugs) < 15 {
		t.Fatalf("the demo has %d plugs", len(plugs))
	}
	for _, p := range plugs {
		kind, of, ok := strings.Cut(p.Target, "/")
		switch {
		case !ok, of == "lag":
			kind = p.Target
		case kind == "register":
			kind += "/HOST"
		case kind == "stores":
			kind += "/K"
		default:
			kind += "/REGION"
		}
		if !strings.Contains(help, kind) {
			t.Errorf("the help does not name %s: %s", kind, help)
		}
	}
}
