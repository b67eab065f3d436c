package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"syscall"

	"github.com/spf13/cobra"

	"apollo/services/cli"
	"apollo/services/dashboard"
)

// webAddress is where the dashboard is unless somebody says otherwise.
const webAddress = "127.0.0.1:8080"

// checkWeb refuses an address of the dashboard that others could reach: it asks
// nobody who they are.
func checkWeb(address string) error {
	if address == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return cli.Usagef("--web %s: want an address and a port, such as %s, or \"\" for no dashboard", address, webAddress)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return cli.Hinted(cli.ExitUsage, "reach it from elsewhere through a tunnel: `ssh -L 8080:"+webAddress+" HOST`",
			fmt.Errorf("--web %s: the dashboard asks nobody who they are, so that it listens on the loopback only", address))
	}
	return nil
}

// webRole serves the dashboard. Where nobody chose the address and it is taken, it
// takes a free port: two data directories may be up on one machine.
func (a *app) webRole(ctx context.Context, c *cobra.Command, s *session, address string) (role, error) {
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) && !c.Flags().Changed("web") {
		listener, err = listen.Listen(ctx, "tcp", "127.0.0.1:0")
	}
	if err != nil {
		return role{}, fmt.Errorf("serve the dashboard: %w", err)
	}
	a.Say("dashboard on http://%s", listener.Addr())
	d := &dashboard.Server{Bus: s.bus, Logger: a.Logger(c, slog.LevelWarn).With("service", "dashboard")}
	return role{"dashboard", func(ctx context.Context) error { return d.Run(ctx, listener) }}, nil
}
