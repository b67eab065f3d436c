package main

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"apollo/events/natsbus"
	"apollo/services/archive"
	"apollo/services/cli"
	"apollo/services/client"
)

// roleNames are the services that studies need, in the order they start.
var roleNames = [...]string{"proposer", "evaluator", "archiver"}

// dashboardRole is the one that studies do not need.
const dashboardRole = "dashboard"

// servable are the names that serve takes, which up runs all.
func servable() []string { return append(slices.Clone(roleNames[:]), dashboardRole) }

// serviceFlags are what up and serve share.
type serviceFlags struct {
	evaluators int
	http       string
	web        webFlags
	quota      quotaFlags
	retention  retentionFlags
	expiry     expireFlags
	notify     notifyFlags
}

func (f *serviceFlags) register(c *cobra.Command, retention retentionFlags) {
	c.Flags().IntVar(&f.evaluators, "evaluators", runtime.NumCPU(), "`number` of evaluator workers")
	c.Flags().StringVar(&f.http, "http", "", "`address` for /healthz and /metrics, for example 127.0.0.1:8080; default: none")
	f.web.register(c)
	f.quota.register(c)
	f.retention.register(c, retention)
	f.expiry.register(c, "expire", "expire-label", " after which an archived run is removed that is not on the bus: 365d; default: never")
	f.notify.register(c)
}

func (f *serviceFlags) check() error {
	if err := workerSlots("--evaluators", f.evaluators); err != nil {
		return err
	}
	if _, err := f.quota.read(); err != nil {
		return err
	}
	if _, err := f.retention.read(); err != nil {
		return err
	}
	if _, err := f.notify.read(); err != nil {
		return err
	}
	if _, err := f.readExpiry(); err != nil {
		return err
	}
	return f.web.check()
}

// readExpiry returns what the archiver removes; nil for nothing. A label alone would
// remove a study as soon as it is archived.
func (f *serviceFlags) readExpiry() (*archive.Expiry, error) {
	if f.expiry.after == "" && len(f.expiry.labels) > 0 {
		return nil, cli.Usagef("--expire-label needs --expire: after what time")
	}
	return f.expiry.read("--expire")
}

func (a *app) serveCommand() *cobra.Command {
	var flags serviceFlags
	c := &cobra.Command{
		Annotations: cli.PrintsNothing(),
		Use:         "serve ROLE...", Short: "Run some of the services against a server",
		Long: `Run proposer, evaluator, archiver or dashboard, or several of them, against a NATS
server with JetStream. Any number of evaluators may run, anywhere; more than one proposer does no
harm; one archiver writes to one data directory. Evaluators of your own run with
` + "`apollo evaluator run`" + `. The limits --max-… are the proposer's: 0 means none beside those of
docs/events.md, and docs/operate.md says what each protects.`,
		Example:   "  apollo serve evaluator --evaluators 8 --nats nats://nats.example:4222",
		ValidArgs: servable(),
		Args:      cli.Between(1, len(servable())),
		RunE: func(c *cobra.Command, args []string) error {
			if err := flags.check(); err != nil {
				return err
			}
			for _, name := range args {
				if !slices.Contains(servable(), name) {
					return cli.Usagef("there is no service %q: want %s", name, strings.Join(servable(), ", "))
				}
				if name == dashboardRole && flags.web.address == "" {
					return cli.Usagef("serve dashboard with --web \"\": want an address, such as %s", webAddress)
				}
			}
			ctx := c.Context()
			s, err := a.open(ctx, c, forServer)
			if err != nil {
				return err
			}
			defer s.close(ctx)
			a.Say("%s on %s", strings.Join(args, " and "), s.url)
			return a.serve(ctx, c, s, args, flags)
		},
	}
	flags.register(c, serviceKeeps())
	return c
}

// serve runs services until a signal ends them.
func (a *app) serve(ctx context.Context, c *cobra.Command, s *session, names []string, flags serviceFlags) error {
	logger := a.Logger(c, slog.LevelInfo)
	fail, err := failpoint()
	if err != nil {
		return err
	}
	var first, last []role
	if slices.Contains(names, "proposer") {
		p := a.proposer(c, s)
		p.Logger, p.Failpoint, p.Suggested = logger.With("service", "proposer"), fail, s.meters.suggested
		if p.Quota, err = flags.quota.read(); err != nil {
			return err
		}
		retention, err := flags.retention.read()
		if err != nil {
			return err
		}
		policy, err := flags.notify.read()
		if err != nil {
			return err
		}
		p.Webhooks = policy.Check
		first = append(first, role{"proposer", p.Run}, retentionRole(s, a.archive(), retention, logger))
		last = append(last, notifyRole(s, policy, logger))
		if err := serveAPI(ctx, s.bus); err != nil {
			return err
		}
	}
	if slices.Contains(names, "evaluator") {
		first = append(first, a.builtinEvaluators(s, flags.evaluators, logger, fail)...)
	}
	if slices.Contains(names, "archiver") {
		expiry, err := flags.readExpiry()
		if err != nil {
			return err
		}
		r := archive.Archiver{Bus: s.bus, Expiry: expiry, Dir: a.archive(), Worker: workerName(), Logger: logger.With("service", "archiver"), Tracer: s.tracer, Failpoint: fail}
		last = append(last, role{"archiver", r.Run})
	}
	if flags.http != "" {
		r, err := a.httpRole(ctx, s, flags.http)
		if err != nil {
			return err
		}
		last = append(last, r)
	}
	if slices.Contains(names, dashboardRole) && flags.web.address != "" {
		r, err := a.webRole(ctx, logger, s, &flags.web, "")
		if err != nil {
			return err
		}
		last = append(last, r)
	}
	return untilSignal(ctx, startRoles(ctx, first, last))
}

// serveAPI offers the proposer's request/reply endpoints: `nats micro` lists
// them.
func serveAPI(ctx context.Context, bus *natsbus.Bus) error {
	endpoints := map[string]natsbus.Endpoint{}
	for name, handle := range client.API(bus) {
		endpoints[name] = handle
	}
	return bus.ServeMicro(ctx, client.APIName, client.APIVersion, "Submit studies and look at them", endpoints)
}

// untilSignal waits until a signal comes or a role breaks, and drains.
func untilSignal(ctx context.Context, p *roleGroup) error {
	select {
	case <-ctx.Done():
	case <-p.broken:
	}
	if err := p.stop(); err != nil {
		return err
	}
	if cli.IsTerminated(ctx) {
		return nil // SIGTERM is how a supervisor stops a service: no error
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%w: studies go on when the services run again", context.Cause(ctx))
	}
	return nil
}
