package main

import (
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"apollo/services/cli"
	"apollo/services/notify"
)

// notifyFlags say which webhooks a service calls.
type notifyFlags struct {
	hosts []string
	// own: nobody but this machine reaches the server.
	own bool
}

func (f *notifyFlags) register(c *cobra.Command) {
	c.Flags().StringSliceVar(&f.hosts, "notify-hosts", nil, "`hosts` whose webhooks studies may have called: name, *.name, name:port, or * for all on public addresses; default: none, any for a server of one's own on this machine")
}

// ownNotices calls any webhook: who asks for studies here is at this machine.
func ownNotices() notify.Policy {
	return notify.Policy{Local: true, Key: []byte(os.Getenv(notify.KeyName))}
}

// read returns what the flags allow. A server that only this machine reaches
// calls any host, where the operator names none.
func (f *notifyFlags) read() (notify.Policy, error) {
	p := ownNotices()
	p.Hosts, p.Local = f.hosts, f.own && len(f.hosts) == 0
	if err := p.CheckHosts(); err != nil {
		return p, cli.Usagef("--notify-hosts: %w", err)
	}
	return p, nil
}

// notifyRole tells what studies come to.
func notifyRole(s *session, p notify.Policy, logger *slog.Logger) role {
	n := notify.Notifier{Bus: s.bus, Policy: p, Logger: logger.With("service", "notify")}
	return role{"notify", n.Run}
}
