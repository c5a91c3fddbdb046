package settings

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"reflect"
	"strings"
)

// Program is a command with settings: NAME [run], NAME config
// example|check|show, NAME version.
type Program[T any] struct {
	// Name is the command's, About one sentence on what it does.
	Name, About, Version string
	// Defaults makes the settings with their defaults; Example those of
	// `config example`, which must be valid (nil: Defaults).
	Defaults func() *T
	Example  func() *T
	// Check says what is wrong with settings that could be read, all of it.
	Check func(*T) error
	// Run runs the program until ctx is done.
	Run func(context.Context, *T) error
}

// The exit statuses of Main.
const (
	ExitOK     = 0
	ExitFailed = 1
	// ExitUsage is a command line or configuration that is wrong.
	ExitUsage = 2
)

// Main runs the command line and returns the exit status.
func (p Program[T]) Main(ctx context.Context, args []string, env Environ, stdout, stderr io.Writer) int {
	command := "run"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		command, args = args[0], args[1:]
	}
	switch command {
	case "run":
		return p.run(ctx, args, env, stdout, stderr)
	case "config":
		return p.config(args, env, stdout, stderr)
	case "version":
		_, _ = fmt.Fprintf(stdout, "%s %s\n", p.Name, p.Version)
		return ExitOK
	case "help":
		p.usage(stdout)
		return ExitOK
	default:
		_, _ = fmt.Fprintf(stderr, "%s: unknown command %q; try %s help\n", p.Name, command, p.Name)
		return ExitUsage
	}
}

func (p Program[T]) run(ctx context.Context, args []string, env Environ, stdout, stderr io.Writer) int {
	v, status := p.load(args, env, stdout, stderr)
	if v == nil {
		return status
	}
	if err := p.Run(ctx, v); err != nil {
		p.complain(stderr, err)
		return ExitFailed
	}
	return ExitOK
}

func (p Program[T]) config(args []string, env Environ, stdout, stderr io.Writer) int {
	verb := ""
	if len(args) > 0 {
		verb, args = args[0], args[1:]
	}
	switch verb {
	case "example":
		v := p.Defaults()
		if p.Example != nil {
			v = p.Example()
		}
		_, _ = fmt.Fprintf(stdout, "# %s, %s. What is left out has the default that stands here.\n# HB_… in the environment is stronger than this file, a flag stronger still: see %s help.\n\n", p.Name, p.About, p.Name)
		return p.done(Explain(stdout, v), stderr)
	case "check":
		v, status := p.load(args, env, stdout, stderr)
		if v == nil {
			return status
		}
		_, _ = fmt.Fprintln(stdout, "the configuration is valid")
		return ExitOK
	case "show":
		v, status := p.load(args, env, stdout, stderr)
		if v == nil {
			return status
		}
		return p.done(Show(stdout, v), stderr)
	default:
		_, _ = fmt.Fprintf(stderr, "%s: config example, config check or config show\n", p.Name)
		return ExitUsage
	}
}

func (p Program[T]) done(err error, stderr io.Writer) int {
	if err != nil {
		p.complain(stderr, err)
		return ExitFailed
	}
	return ExitOK
}

// load returns the settings, or nil and the exit status after it said why.
func (p Program[T]) load(args []string, env Environ, stdout, stderr io.Writer) (*T, int) {
	v := p.Defaults()
	err := Load(v, args, env)
	if errors.Is(err, flag.ErrHelp) {
		p.usage(stdout)
		return nil, ExitOK
	}
	switch {
	case errors.Is(err, ErrUsage):
		err = fmt.Errorf("%w; see %s --help", err, p.Name)
	case err == nil:
		if err = p.Check(v); err != nil && !namesFile(args, env) {
			err = fmt.Errorf("%w\nno configuration file is named: is there to be --config FILE? %s config example prints one", err, p.Name)
		}
	case errors.Is(err, fs.ErrNotExist):
		err = fmt.Errorf("%w\n%s config example prints a configuration to begin with", err, p.Name)
	}
	if err != nil {
		p.complain(stderr, err)
		return nil, ExitUsage
	}
	return v, ExitOK
}

// namesFile says whether the settings came from a file too.
func namesFile(args []string, env Environ) bool {
	if file, _ := env(envPrefix + "CONFIG"); file != "" {
		return true
	}
	for _, a := range args {
		name, _, _ := strings.Cut(strings.TrimLeft(a, "-"), "=")
		if name == "config" && strings.HasPrefix(a, "-") {
			return true
		}
	}
	return false
}

// complain writes each line of an error with the program's name.
func (p Program[T]) complain(stderr io.Writer, err error) {
	for line := range strings.SplitSeq(err.Error(), "\n") {
		_, _ = fmt.Fprintf(stderr, "%s: %s\n", p.Name, line)
	}
}

func (p Program[T]) usage(w io.Writer) {
	_, _ = fmt.Fprintf(w, `%[1]s: %[2]s

  %[1]s [run] [--config FILE] [flags]   run it
  %[1]s config example                  print a commented configuration
  %[1]s config check [flags]            say what is wrong with a configuration
  %[1]s config show [flags]             print what holds, secrets masked
  %[1]s version

A flag is stronger than the environment, that is stronger than the file.

  --config FILE, HB_CONFIG
`, p.Name, p.About)
	all := fields(reflect.TypeFor[T](), nil)
	for i := range all {
		if f := &all[i]; !f.indexed() {
			_, _ = fmt.Fprintf(w, "  --%s, %s\n      %s\n", f.flag(), f.env(), strings.ReplaceAll(f.help, "\n", "\n      "))
		}
	}
}
