// Command hb-relay is the appliance in a store: it gathers the beats of the
// store's computers and tells the regions which of them live.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/hb-mesh/hb-mesh/cmd/internal/settings"
	"github.com/hb-mesh/hb-mesh/relay"
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, restart := context.WithCancelCause(ctx)
	defer restart(nil)
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	go func() {
		select {
		case <-hangup:
			restart(relay.ErrRestart)
		case <-ctx.Done():
		}
	}()
	return settings.Program[config]{
		Name: "hb-relay", About: "the relay of one store", Version: version,
		Defaults: defaults, Example: example, Check: (*config).check, Run: serve,
	}.Main(ctx, os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr)
}
