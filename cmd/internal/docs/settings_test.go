package docs_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	said "github.com/hb-mesh/hb-mesh/broker/setting"
)

// programs are built once, for all tests that ask them what they take.
var programs string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "hb-docs-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	build := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "./cmd/hb-relay", "./cmd/hb-broker", "./cmd/hb-sim")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the programs: %v\n%s", err, out)
		return 1
	}
	programs = dir
	return m.Run()
}

// say is what a program prints.
func say(t *testing.T, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(filepath.Join(programs, program), args...)
	cmd.Env = []string{} // no HB_… of whoever runs the test
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, &complaints)
	}
	return out.String()
}

var helpLine = regexp.MustCompile(`(?m)^  --([a-z0-9-]+), (HB_[A-Z0-9_]+)\n +(.+)$`)

// setting is one line of `NAME help`.
type setting struct{ flag, env, help string }

func settingsOf(t *testing.T, program string) map[string]setting {
	t.Helper()
	all := map[string]setting{}
	for _, m := range helpLine.FindAllStringSubmatch(say(t, program, "help"), -1) {
		all[m[1]] = setting{m[1], m[2], m[3]}
	}
	if len(all) == 0 {
		t.Fatalf("%s help lists no setting", program)
	}
	return all
}

// flat are the scalars of a YAML document by their flags' names; a list is
// its first element, as help has it.
func flat(t *testing.T, text string) map[string]string {
	t.Helper()
	var doc map[string]any
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	flatten(out, "", doc)
	return out
}

func flatten(out map[string]string, at string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			flatten(out, strings.TrimPrefix(at+"-"+kebab(key), "-"), value)
		}
	case []any:
		if len(v) > 0 {
			if _, ok := v[0].(map[string]any); ok {
				flatten(out, at+"-0", v[0])
				return
			}
		}
		out[at] = strings.Trim(fmt.Sprint(v), "[]")
	default:
		out[at] = fmt.Sprint(v)
	}
}

func kebab(key string) string {
	return strings.ToLower(regexp.MustCompile(`([A-Z]+)`).ReplaceAllString(key, "-$1"))
}

// The pages have one line for each setting: its key, flag, variable, default
// and words, and no other.
func TestConfigPages(t *testing.T) {
	for _, c := range []struct {
		program, page string
		minimal       []string // what is needed for a valid configuration, and so has no default to see
	}{
		{"hb-relay", "reference/config-relay.md", []string{"--store", "s", "--regions-0-name", "r", "--regions-0-address", "tls://x:1"}},
		{"hb-broker", "reference/config-broker.md", []string{"--region", "r"}},
	} {
		t.Run(c.program, func(t *testing.T) {
			known := settingsOf(t, c.program)
			defaults := flat(t, say(t, c.program, append([]string{"config", "show"}, c.minimal...)...))
			for _, name := range c.minimal {
				delete(defaults, strings.TrimPrefix(name, "--"))
			}
			p := read(t, c.page)
			documented := map[string]bool{}
			for _, row := range p.rows(t, "All settings") {
				key, value, help := code(row[0]), code(row[1]), row[2]
				flag := kebab(strings.NewReplacer("[0]", "-0", ".", "-").Replace(key))
				documented[flag] = true
				s, ok := known[flag]
				if !ok {
					continue // same says so below
				}
				if s.help != help {
					t.Errorf("%s: the page says %q, %s help says %q", key, help, c.program, s.help)
				}
				if want, ok := defaults[flag]; ok && want != value {
					t.Errorf("%s: the page's default is %q, the program's %q", key, value, want)
				}
				if want := "HB_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_")); s.env != want {
					t.Errorf("%s: the rule of the page gives %s, the program has %s", key, want, s.env)
				}
			}
			flags := map[string]bool{}
			for name := range known {
				flags[name] = true
			}
			same(t, p.path, flags, documented)
		})
	}
}

// The configurations that the pages show, and those of deploy/examples, are
// valid: a key that was renamed is found here.
func TestShownConfigurationsAreValid(t *testing.T) {
	examples, err := filepath.Glob(filepath.Join(root, "deploy/examples/*.yaml"))
	if err != nil || len(examples) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, path := range examples {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		check(t, path, string(raw))
	}
	for _, p := range pages(t) {
		for i, block := range blocks(p.text, "yaml") {
			check(t, fmt.Sprintf("%s, block %d", p.path, i+1), block)
		}
	}
}

func check(t *testing.T, where, text string) {
	t.Helper()
	if strings.Contains("\n"+text, "\nstores:") {
		if _, err := said.ParseFile(where, []byte(text)); err != nil {
			t.Error(err)
		}
		return
	}
	program := "hb-broker"
	if strings.Contains("\n"+text, "\nstore:") {
		program = "hb-relay"
	}
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(programs, program), "config", "check", "--config", file)
	cmd.Env = []string{}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %s config check: %v\n%s", where, program, err, out)
	}
}

// blocks are the code blocks of a language.
func blocks(text, language string) []string {
	var out []string
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(text, -1) {
		out = append(out, m[1])
	}
	return out
}
