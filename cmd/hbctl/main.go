// Command hbctl asks and tells the regions of a mesh: what is up, what is
// down, who may beat, who is told.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // hours are shown on machines without a zone database too

	"github.com/hb-mesh/hb-mesh/cmd/hbctl/cli"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o := cli.DefaultOptions()
	o.Args, o.Stdout, o.Stderr = os.Args[1:], os.Stdout, os.Stderr
	return cli.Run(ctx, o)
}
