package settings

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// ErrUsage is the class of errors about flags themselves.
var ErrUsage = errors.New("bad command line")

// Environ looks a variable up, as os.LookupEnv does.
type Environ func(name string) (string, bool)

// Load lays a file, the environment and flags over v, a pointer to a struct
// that holds the defaults. The file is named by --config or HB_CONFIG; without
// one there is none. It returns every error at once, one per line; the class
// is ErrUsage if the flags cannot be read. flag.ErrHelp asks for help.
func Load(v any, args []string, env Environ) error {
	root := reflect.ValueOf(v).Elem()
	all := fields(root.Type(), nil)
	file, _ := env(envPrefix + "CONFIG")
	flags, err := parseFlags(all, args, &file)
	if err != nil {
		return err
	}
	var errs []error
	if file != "" {
		errs = append(errs, readFile(file, root))
	}
	for i := range all {
		f := &all[i]
		if text, ok := env(f.env()); ok {
			errs = append(errs, lay(root, f, text, f.env()))
		}
	}
	for i := range all {
		f := &all[i]
		if text, ok := flags[f.flag()]; ok {
			errs = append(errs, lay(root, f, text, "--"+f.flag()))
		}
	}
	return errors.Join(errs...)
}

func lay(root reflect.Value, f *field, text, source string) error {
	v, err := find(root, f.path)
	if err == nil {
		err = set(v, text)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", source, err)
	}
	return nil
}

// parseFlags returns what the flags say, by name.
func parseFlags(all []field, args []string, file *string) (map[string]string, error) {
	said := map[string]string{}
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(file, "config", *file, "")
	for i := range all {
		f := &all[i]
		name := f.flag()
		take := func(text string) error { said[name] = text; return nil }
		if f.typ.Kind() == reflect.Bool {
			fs.BoolFunc(name, "", take)
		} else {
			fs.Func(name, "", take)
		}
	}
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil, flag.ErrHelp
	case err != nil:
		return nil, fmt.Errorf("%w: %s", ErrUsage, strings.Replace(err.Error(), "defined: -", "known: --", 1))
	case fs.NArg() > 0:
		return nil, fmt.Errorf("%w: %q is no flag", ErrUsage, fs.Arg(0))
	}
	return said, nil
}
