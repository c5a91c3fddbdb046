// Package web builds the page from src: TypeScript and Preact, bundled by
// esbuild into files that need no other server. The result is the same bytes
// on every machine, so that it can be committed and checked.
package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/evanw/esbuild/pkg/api"
)

// Files are the built assets by name.
type Files map[string][]byte

// stamp remembers in node_modules which lock it was installed from.
const stamp = "node_modules/.hb-installed"

// Install makes node_modules of dir as package-lock.json pins it, if it is not
// there yet.
func Install(ctx context.Context, dir string) error {
	lock, err := os.ReadFile(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		return fmt.Errorf("read the lock: %w", err)
	}
	if had, err := os.ReadFile(filepath.Join(dir, stamp)); err == nil && bytes.Equal(had, lock) {
		return nil
	}
	cmd := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci in %s (Node.js and npm are needed to build the page): %w\n%s", dir, err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, stamp), lock, 0o644); err != nil {
		return fmt.Errorf("note what was installed: %w", err)
	}
	return nil
}

// Check type-checks the sources of dir: esbuild only drops the types.
func Check(ctx context.Context, dir string) error {
	cmd := exec.CommandContext(ctx, "node", filepath.Join("node_modules", "typescript", "bin", "tsc"), "--project", ".")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("type-check %s: %w\n%s", dir, err, out)
	}
	return nil
}

// Bundle builds the sources of dir, whose node_modules are installed.
func Bundle(dir string) (Files, error) {
	root, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", dir, err)
	}
	src := filepath.Join(root, "src")
	result := api.Build(api.BuildOptions{
		AbsWorkingDir:     root,
		EntryPoints:       []string{filepath.Join(src, "app.tsx"), filepath.Join(src, "app.css")},
		Outdir:            filepath.Join(root, "out"), // named only: nothing is written
		Bundle:            true,
		Format:            api.FormatESModule,
		Target:            api.ES2020,
		JSX:               api.JSXAutomatic,
		JSXImportSource:   "preact",
		MinifySyntax:      true,
		MinifyWhitespace:  true,
		MinifyIdentifiers: true,
		Charset:           api.CharsetUTF8,
		LegalComments:     api.LegalCommentsNone,
		LogLevel:          api.LogLevelSilent,
	})
	for _, m := range result.Errors {
		where := ""
		if m.Location != nil {
			where = fmt.Sprintf(" (%s:%d)", m.Location.File, m.Location.Line)
		}
		err = errors.Join(err, fmt.Errorf("bundle: %s%s", m.Text, where))
	}
	if err != nil {
		return nil, err
	}
	out := Files{}
	for _, f := range result.OutputFiles {
		out[filepath.Base(f.Path)] = f.Contents
	}
	icon, err := os.ReadFile(filepath.Join(src, "icon.svg"))
	if err != nil {
		return nil, fmt.Errorf("read the icon: %w", err)
	}
	out["icon.svg"] = icon
	return out, nil
}
