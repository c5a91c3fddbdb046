// Command build makes the committed assets of the dashboard. It runs in
// broker/dashboard (go generate): go run ./web/build.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hb-mesh/hb-mesh/broker/dashboard/web"
)

func main() { os.Exit(run()) }

func run() int {
	if err := build(context.Background(), "web", "assets"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func build(ctx context.Context, from, to string) error {
	if err := web.Install(ctx, from); err != nil {
		return err
	}
	if err := web.Check(ctx, from); err != nil {
		return err
	}
	files, err := web.Bundle(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return fmt.Errorf("make %s: %w", to, err)
	}
	for name, body := range files {
		if err := os.WriteFile(filepath.Join(to, name), body, 0o644); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}
