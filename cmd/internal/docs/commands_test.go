package docs_test

import (
	"bytes"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hb-mesh/hb-mesh/cmd/hbctl/cli"
)

// hbctl is what it prints.
func hbctl(t *testing.T, args ...string) string {
	t.Helper()
	var out, complaints bytes.Buffer
	o := cli.DefaultOptions()
	o.Args, o.Stdout, o.Stderr = args, &out, &complaints
	if status := cli.Run(t.Context(), o); status != cli.ExitOK {
		t.Fatalf("hbctl %v: status %d\n%s", args, status, &complaints)
	}
	return out.String()
}

var (
	commandLine = regexp.MustCompile(`(?m)^  ([a-z]+(?: [a-z]+)?)   *[A-Z]`)
	flagName    = regexp.MustCompile(`--[a-z][a-z-]*`)
	variable    = regexp.MustCompile(`\$(HB_[A-Z_]+)`)
)

// hbctlCommands are the commands that hbctl's own help lists.
func hbctlCommands(t *testing.T) []string {
	t.Helper()
	_, list, ok := strings.Cut(hbctl(t, "--help"), "Commands:")
	if !ok {
		t.Fatal("hbctl --help lists no commands")
	}
	var out []string
	for _, m := range commandLine.FindAllStringSubmatch(list, -1) {
		out = append(out, m[1])
	}
	return out
}

// Every command of hbctl has a line with all its flags and variables, and no
// line has others.
func TestHbctlPage(t *testing.T) {
	p := read(t, "reference/hbctl.md")
	lines := map[string]string{}
	for _, row := range p.rows(t, "Commands") {
		words := strings.Fields(strings.TrimPrefix(codes(row[0])[0], "hbctl "))
		name := words[0]
		if len(words) > 1 && words[1] == strings.ToLower(words[1]) {
			name += " " + words[1]
		}
		lines[name] = row[1]
	}
	common := set(flagName.FindAllString(hbctl(t, "--help"), -1)...)
	general := strings.Join(p.section(t, "Flags of every command"), "\n")
	same(t, p.path+", flags of every command", common, set(flagName.FindAllString(general, -1)...))
	same(t, p.path+", variables of every command", variables(hbctl(t, "--help")), set(regexp.MustCompile(`HB_[A-Z_]+`).FindAllString(general, -1)...))
	commands := map[string]bool{}
	for _, name := range hbctlCommands(t) {
		commands[name] = true
		help := hbctl(t, append(strings.Fields(name), "--help")...)
		own := set(flagName.FindAllString(help, -1)...)
		maps.DeleteFunc(own, func(f string, _ bool) bool { return common[f] })
		same(t, p.path+", hbctl "+name, own, set(flagName.FindAllString(lines[name], -1)...))
	}
	same(t, p.path, commands, set(slices.Collect(maps.Keys(lines))...))
}

func variables(help string) map[string]bool {
	out := map[string]bool{}
	for _, m := range variable.FindAllStringSubmatch(strings.Join(strings.Fields(help), " "), -1) {
		out[m[1]] = true
	}
	return out
}

// Every flag of hb-sim has a line, and no line has others.
func TestSimFlags(t *testing.T) {
	p := read(t, "reference/flags.md")
	for section, command := range map[string]string{"hb-sim demo": "demo", "hb-sim aws": "aws", "hb-sim torture": "torture"} {
		flags := set(flagName.FindAllString(optionsOf(say(t, "hb-sim", command, "--help")), -1)...)
		documented := map[string]bool{}
		for _, row := range p.rows(t, section) {
			for _, f := range flagName.FindAllString(row[0], -1) {
				documented[f] = true
			}
		}
		same(t, p.path+", "+section, flags, documented)
	}
}

// optionsOf are the lines of a help that begin with a flag, without --help.
func optionsOf(help string) string {
	var out []string
	for line := range strings.SplitSeq(help, "\n") {
		if f := strings.TrimSpace(line); strings.HasPrefix(f, "-") && !strings.Contains(f, "--help") {
			out = append(out, strings.SplitN(f, "  ", 2)[0])
		}
	}
	return strings.Join(out, "\n")
}

var makeTarget = regexp.MustCompile(`\bmake ([a-z]+)`)

// A `make` that a page shows exists in the Makefile; so does a command of hbctl.
func TestShownCommandsExist(t *testing.T) {
	targets := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^([a-z]+):`).FindAllStringSubmatch(load(t, "Makefile").text, -1) {
		targets[m[1]] = true
	}
	known := map[string]bool{}
	for _, name := range hbctlCommands(t) {
		known[name] = true
		known[strings.Fields(name)[0]] = true
	}
	for _, p := range pages(t) {
		for _, shown := range append(codes(strings.Join(p.prose(), "\n")), shell(p.text)...) {
			for _, m := range makeTarget.FindAllStringSubmatch(shown, -1) {
				if !targets[m[1]] {
					t.Errorf("%s shows `make %s`, which the Makefile does not have", p.path, m[1])
				}
			}
			if words := strings.Fields(shown); len(words) > 1 && strings.TrimPrefix(words[0], "bin/") == "hbctl" {
				if w := words[1]; !strings.HasPrefix(w, "-") && w != strings.ToUpper(w) && !known[w] {
					t.Errorf("%s shows %q, which hbctl does not know", p.path, shown)
				}
			}
		}
	}
}

// shell are the lines of a page's shell blocks.
func shell(text string) []string {
	var out []string
	for _, language := range []string{"bash", "sh"} {
		for _, b := range blocks(text, language) {
			out = append(out, strings.Split(b, "\n")...)
		}
	}
	return out
}
