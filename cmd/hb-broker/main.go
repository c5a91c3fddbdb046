// Command hb-broker is the broker of one region: it watches relays and direct
// hosts, asks the other region before it believes a loss, and tells people.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // opening hours need zones, on machines without a database of them too

	"github.com/hb-mesh/hb-mesh/cmd/internal/settings"
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return settings.Program[config]{
		Name: "hb-broker", About: "the broker of one region", Version: version,
		Defaults: defaults, Example: example, Check: (*config).check, Run: serve,
	}.Main(ctx, os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr)
}
