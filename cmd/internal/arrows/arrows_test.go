package arrows_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/hb-mesh/hb-mesh/"

// imports are the direct imports of every package of the project, tests apart.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	all := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		all[strings.TrimPrefix(words[0], module)] = words[1:]
	}
	if len(all) < 20 {
		t.Fatalf("go list knows %d packages only", len(all))
	}
	return all
}

func below(pkg, folder string) bool { return pkg == folder || strings.HasPrefix(pkg, folder+"/") }

// What is below a folder imports nothing below those that it must not know.
func TestArrows(t *testing.T) {
	for _, rule := range []struct {
		folder string
		never  []string
		why    string
	}{
		{"relay/beat", []string{module}, "the vocabulary imports nothing of ours"},
		{"relay", []string{module + "broker", module + "cloud", module + "cmd", "github.com/aws"}, "the appliance knows no broker, no cloud and no command"},
		{"relay/roster", []string{module + "relay/journal", module + "relay/uplink", module + "relay/ingress", module + "relay/guard"}, "the roster is pure"},
		{"relay/wan", []string{module + "relay/roster", module + "relay/journal", module + "relay/uplink", module + "relay/ingress", module + "relay/guard"}, "what decides about reports is pure"},
		{"relay/guard", []string{module + "relay/roster", module + "relay/journal", module + "relay/uplink", module + "relay/ingress"}, "the armour knows no host"},
		{"broker", []string{module + "cloud", module + "cmd", "github.com/aws"}, "the cloud implements what the broker declares"},
		{"broker", []string{module + "relay/roster", module + "relay/journal", module + "relay/uplink", module + "relay/ingress"}, "the broker knows the relay's words, not its parts"},
		{"broker/lease", []string{module + "broker/presence", module + "broker/incident", module + "broker/gate", module + "broker/notice"}, "the lease knows no store"},
		{"broker/node", []string{module + "broker/gate", module + "broker/notice"}, "a node decides; its shell does"},
		{"broker/record", []string{module + "broker/gate", module + "broker/notice", module + "broker/node"}, "a codec decides nothing"},
		{"broker/presence", []string{module + "broker/incident", module + "broker/gate", module + "broker/peer", module + "broker/notice"}, "presence does not know who is told"},
		{"broker/incident", []string{module + "broker/gate", module + "broker/peer", module + "broker/notice"}, "incidents do not know how they are told"},
		{"broker/table", []string{module + "broker/presence", module + "broker/incident"}, "the table knows no meaning"},
		{"cmd/hb-sim/torture/truth", []string{module}, "the judge shares no mistake with what it judges"},
		{"cloud", []string{module + "cmd"}, "nothing below imports a command, and so no switch of the demo"},
	} {
		for pkg, imps := range imports(t) {
			if !below(pkg, rule.folder) {
				continue
			}
			for _, imp := range imps {
				for _, never := range rule.never {
					if strings.HasPrefix(imp, never) {
						t.Errorf("%s imports %s: %s", pkg, imp, rule.why)
					}
				}
			}
		}
	}
}

// A pure package has no clock, lock, socket, log, file or randomness. (That it
// does not call time.Now, the linter holds.)
func TestPurePackages(t *testing.T) {
	impure := []string{
		"sync", "sync/atomic", "net", "net/http", "os", "os/exec", "io", "io/fs", "context", "log", "log/slog",
		"math/rand", "math/rand/v2", "crypto/rand", "runtime", "syscall", "testing",
	}
	all := imports(t)
	for _, pkg := range []string{
		"relay/beat", "relay/outline", "relay/roster", "relay/wan", "broker/setting", "broker/presence", "broker/incident",
		"broker/lease", "broker/node", "broker/peer/link", "broker/peer/wire", "broker/record",
	} {
		imps, ok := all[pkg]
		if !ok {
			t.Errorf("there is no package %s", pkg)
		}
		for _, imp := range imps {
			if slices.Contains(impure, imp) {
				t.Errorf("%s imports %s", pkg, imp)
			}
		}
	}
}

// The relay runs on small boxes: it links no AWS SDK and no browser, and the
// broker's binary no demo.
func TestWhatBinariesLink(t *testing.T) {
	for cmd, never := range map[string][]string{
		"cmd/hb-relay":  {"github.com/aws/", module + "broker", module + "cloud", module + "cmd/hb-sim"},
		"cmd/hb-broker": {module + "relay/roster", module + "relay/journal", module + "cmd/hb-sim"},
	} {
		out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", module+cmd).Output()
		if err != nil {
			t.Fatalf("go list: %v", err)
		}
		for line := range strings.Lines(string(out)) {
			for _, n := range never {
				if strings.HasPrefix(line, n) {
					t.Errorf("%s links %s", cmd, strings.TrimSpace(line))
				}
			}
		}
	}
}
