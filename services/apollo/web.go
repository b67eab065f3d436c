package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"apollo/archiver"
	"apollo/events"
	"apollo/services/cli"
	"apollo/services/dashboard"
	"apollo/services/inspect"
	"apollo/services/proposer"
	"apollo/services/transfer"
)

// webAddress is where the dashboard is unless somebody says otherwise.
const webAddress = "127.0.0.1:8080"

// webFlags say where the dashboard is, and who may see it.
type webFlags struct {
	address string
	auth    string
	open    bool

	token string
}

func (f *webFlags) register(c *cobra.Command) {
	f.registerAt(c, webAddress)
}

// registerAsked is register for a command that serves a dashboard only when it is asked to:
// --web alone names the usual address.
func (f *webFlags) registerAsked(c *cobra.Command) {
	f.registerAt(c, "")
	c.Flags().Lookup("web").NoOptDefVal = webAddress
	args := c.Args
	c.Args = func(c *cobra.Command, words []string) error {
		err := args(c, words)
		for _, word := range words {
			if _, _, split := net.SplitHostPort(word); err != nil && c.Flags().Changed("web") && split == nil {
				return cli.Usagef("the address goes with its flag: --web=%s", word)
			}
		}
		return err
	}
}

func (f *webFlags) registerAt(c *cobra.Command, address string) {
	c.Flags().StringVar(&f.address, "web", address, "`address` of the dashboard; \"\" serves none")
	c.Flags().StringVar(&f.auth, "http-auth", "", "`file` with the token that the dashboard asks for, at least 16 characters")
	c.Flags().BoolVar(&f.open, "http-open", false, "serve the dashboard to everybody who reaches its address, without a token")
}

// check refuses an address of the dashboard that others could reach, unless a token
// or the user's word says who may.
func (f *webFlags) check() error {
	if f.open && f.auth != "" {
		return cli.Usagef("--http-open and --http-auth %s: one asks for a token and the other for none: leave one of them out", f.auth)
	}
	if f.auth != "" {
		b, err := os.ReadFile(f.auth)
		if err != nil {
			return cli.Hinted(cli.ExitUsage, "`openssl rand -hex 24 > FILE` writes one", fmt.Errorf("--http-auth: %w", err))
		}
		if f.token = strings.TrimSpace(string(b)); len(f.token) < dashboard.MinToken || strings.ContainsAny(f.token, "\r\n") {
			return cli.Hinted(cli.ExitUsage, "`openssl rand -hex 24 > FILE` writes one", fmt.Errorf("--http-auth %s: want one line with a token of at least %d characters", f.auth, dashboard.MinToken))
		}
	}
	if f.address == "" {
		return nil
	}
	if _, _, err := net.SplitHostPort(f.address); err != nil {
		return cli.Usagef("--web %s: want an address and a port, such as %s, or \"\" for no dashboard", f.address, webAddress)
	}
	if f.token == "" && !f.open && !f.private() {
		return cli.Hinted(cli.ExitUsage, "--http-auth FILE asks for a token, --http-open serves everybody",
			fmt.Errorf("--web %s: others can reach that address, and nothing says who may see the studies", f.address))
	}
	return nil
}

// private reports whether this machine alone reaches the dashboard, if there is one.
func (f *webFlags) private() bool {
	host, _, err := net.SplitHostPort(f.address)
	return f.address == "" || err == nil && isLoopback(host)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// webRole serves the dashboard. Where the usual address is taken, it takes a free
// port: two data directories may be up on one machine. Of alone, where it is not "",
// it takes no other studies.
func (a *app) webRole(ctx context.Context, logger *slog.Logger, s *session, f *webFlags, alone string) (role, error) {
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", f.address)
	if errors.Is(err, syscall.EADDRINUSE) && f.address == webAddress {
		listener, err = listen.Listen(ctx, "tcp", "127.0.0.1:0")
	}
	if err != nil {
		return role{}, cli.Hinted(cli.ExitError, "--web names another address", fmt.Errorf("serve the dashboard: %w", err))
	}
	a.Say("dashboard on http://%s", listener.Addr())
	d := &dashboard.Server{
		Bus: s.bus, Logger: logger.With("service", "dashboard"), Token: f.token, Open: f.open, Owner: a.login.owner, Alone: alone,
		Optimum: func(ctx context.Context, spec *events.Spec) *float64 {
			if o := a.optimumOf(ctx, spec, nil); o != nil {
				return &o.Value
			}
			return nil
		},
		Proven: a.provenUnder, Place: events.Redact(a.archive()), Metrics: s.metrics,
		Holdings: func() ([]archiver.Holding, error) {
			files, err := archiver.Files(a.archive())
			if err != nil {
				return nil, err
			}
			return archiver.Holdings(files)
		},
		Candidates: func(ctx context.Context, spec *events.Spec) ([]transfer.Candidate, error) {
			return a.candidatesHere(ctx, spec, !s.remote)
		},
	}
	return role{"dashboard", func(ctx context.Context) error { return d.Run(ctx, listener) }}, nil
}

// candidatesHere is what `transfer candidates` says of a study of the bus. It starts no
// program, and reads files that a study names only where this process may: a study of
// somebody else must not say what is read here.
func (a *app) candidatesHere(ctx context.Context, spec *events.Spec, files bool) ([]transfer.Candidate, error) {
	of := *spec.Transfer
	of.Sources = nil
	var all []transfer.Candidate
	for _, source := range spec.Transfer.Sources {
		switch {
		case source.Exec != "":
			all = append(all, transfer.Candidate{Study: source.Exec, Refused: "a page starts no program: `apollo transfer candidates` asks it"})
		case source.Parquet != "" && !files:
			all = append(all, transfer.Candidate{Study: source.Parquet, Refused: "these files are those of the machine that runs the study"})
		default:
			of.Sources = append(of.Sources, source)
		}
	}
	here := *spec
	here.Transfer = &of
	found, _, err := proposer.Candidates(ctx, inspect.Builtins(), trialLogs{a.archive()}, nil, &here)
	return append(all, found...), err
}
