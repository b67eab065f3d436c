// Command apollo finds accelerator designs: it is the one binary of the
// project, with the services, the embedded message server and every tool.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	_ "apollo/internal/gogc"
	"apollo/services/cli"
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(realMain()) }

// realMain turns signals into a cancelled context: the first one asks the
// command to drain, the second one ends the process at once.
func realMain() int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		sig := <-signals
		if cli.IsTerminal(os.Stderr) {
			fmt.Fprintln(os.Stderr) // after the ^C that the terminal shows
		}
		const stopping = "stopping; once more stops at once"
		if cli.LogsJSON(os.Args[1:]) {
			slog.New(slog.NewJSONHandler(os.Stderr, nil)).Info(stopping)
		} else {
			fmt.Fprintln(os.Stderr, "apollo: "+stopping)
		}
		cancel(cli.InterruptedBy(sig))
		<-signals
		os.Exit(cli.ExitInterrupted)
	}()
	return Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}
