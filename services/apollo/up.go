package main

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"apollo/events/natsbus"
	"apollo/services/cli"
)

// natsPort is where NATS clients look.
const natsPort = 4222

func (a *app) upCommand() *cobra.Command {
	var flags serviceFlags
	var host string
	var port int
	c := &cobra.Command{
		Annotations: cli.PrintsNothing(),
		Use:         "up", Short: "Run everything in one process, for any NATS client",
		Long: `Run a NATS server with JetStream and all services in one process, until Ctrl-C. Studies
come in from any client: apollo study submit, or a bare one:

  nats pub --no-templates -J -H Nats-Msg-Id:x1 apollo.v1.cmd.study.submit.demo < study.json

It listens on the loopback only; --token is needed to listen anywhere else. The dashboard
shows every study live, at the address that is printed; --web names another one.`,
		Example: "  apollo up --http 127.0.0.1:8080",
		Args:    cli.Exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			ctx := c.Context()
			if err := flags.check(); err != nil {
				return err
			}
			if a.nats != "" {
				return cli.Hinted(cli.ExitUsage, "`apollo serve proposer evaluator archiver --nats URL` runs the services there", errors.New("up starts a server of its own: --nats and APOLLO_NATS have no place"))
			}
			flags.notify.own = isLoopback(host) && flags.web.private()
			if a.login.Token == "" && !isLoopback(host) {
				return cli.Hinted(cli.ExitUsage, "give it one with --token or APOLLO_TOKEN", fmt.Errorf("listening on %s needs a token", host))
			}
			logger := a.Logger(c, slog.LevelInfo)
			server, err := natsbus.StartServer(natsbus.ServerConfig{Dir: a.Data, Host: host, Port: port, Token: a.login.Token, Command: a.commandLine(), Logger: logger})
			if errors.Is(err, natsbus.ErrLocked) {
				if a.holderStopped() {
					return a.heldError(err)
				}
				return cli.Hinted(cli.ExitError, "--data names another directory; other commands attach to the one that runs", err)
			}
			if err != nil {
				return err
			}
			s, err := startedSession(ctx, server, a.login.Token, logger)
			if err != nil {
				return err
			}
			defer s.close(ctx)
			if s.tracer, err = a.trace(ctx, c); err != nil {
				return err
			}
			a.Say("listening on %s, data in %s", s.url, a.Data)
			return a.serve(ctx, c, s, servable(), flags)
		},
	}
	flags.register(c, keepsAll())
	c.Flags().StringVar(&host, "host", "127.0.0.1", "`address` to listen on")
	c.Flags().IntVar(&port, "port", natsPort, "`port` to listen on; 0 takes a free one")
	return c
}
