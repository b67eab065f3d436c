// Command apollo finds accelerator designs: it is the one binary of the
// project, with the services, the embedded message server and every tool.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"apollo/services/cli"
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(realMain()) }

// realMain turns signals into a cancelled context: the first one asks the
// command to drain, the second one ends the process at once.
func realMain() int {
	collectLess(os.Getenv)
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		sig := <-signals
		if cli.IsTerminal(os.Stderr) {
			fmt.Fprintln(os.Stderr) // after the ^C that the terminal shows
		}
		fmt.Fprintln(os.Stderr, "apollo: stopping; once more stops at once")
		cancel(cli.InterruptedBy(sig))
		<-signals
		os.Exit(cli.ExitInterrupted)
	}()
	return Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}
