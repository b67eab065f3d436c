package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"apollo/events/natsbus"
	"apollo/services/cli"
	"apollo/services/inspect"
)

func (a *app) authCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "auth", Short: "What users of a shared NATS server may do", Args: a.GroupArgs,
		Example: "  apollo auth permissions reader",
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.authPermissionsCommand())
	return c
}

func (a *app) authPermissionsCommand() *cobra.Command {
	var evaluators []string
	var nsc bool
	c := &cobra.Command{
		Use: "permissions ROLE", Short: "Print the NATS permissions that a role needs, and no others",
		Long: `Print the permissions that a user of a role needs on a NATS server, as a block for its
configuration. The roles:

  submitter  submits studies of one --owner, changes those alone, and reads
  operator   submits and changes every study, removes, retries dead letters, and reads
  proposer   drives studies; makes the streams
  evaluator  takes the work of its evaluators and answers it: the built-in ones unless
             --evaluator names others
  archiver   writes the trial log
  reader     reads studies, trials and events

Whoever logs in with them says the same to Apollo: --inbox-prefix, and --owner for a
submitter. docs/security.md has whole configurations.`,
		Example: "  apollo auth permissions submitter --owner ada\n  apollo auth permissions evaluator --evaluator edge --nsc",
		Args:    cli.Exactly(1),
		RunE: func(_ *cobra.Command, args []string) error {
			role := args[0]
			if err := a.login.checkOwner(); err != nil {
				return err
			}
			// A name that the role does not have is a mistake of who asks.
			switch {
			case role != natsbus.RoleSubmitter && a.login.owner != "", role != natsbus.RoleEvaluator && len(evaluators) > 0:
				return cli.Usagef("--owner is for the role submitter, --evaluator for the role evaluator")
			case role == natsbus.RoleSubmitter && a.login.owner == "":
				return cli.Usagef("a submitter needs --owner NAME: whose studies it submits and changes")
			}
			inbox := a.login.InboxPrefix
			if inbox == "" {
				inbox = inboxOf(role, a.login.owner, evaluators)
			}
			if role == natsbus.RoleEvaluator && len(evaluators) == 0 {
				for _, t := range inspect.Builtins().Templates {
					evaluators = append(evaluators, t.Backend.Describe().Name)
				}
			}
			p, err := natsbus.PermissionsFor(role, natsbus.Identity{InboxPrefix: inbox, Owner: a.login.owner, Evaluators: evaluators})
			if err != nil {
				return cli.Usagef("%s", err)
			}
			value := struct {
				Role           string   `json:"role"`
				InboxPrefix    string   `json:"inbox_prefix"`
				Owner          string   `json:"owner,omitempty"`
				Evaluators     []string `json:"evaluators,omitempty"`
				Publish        []string `json:"publish"`
				Subscribe      []string `json:"subscribe"`
				AllowResponses bool     `json:"allow_responses"`
			}{role, inbox, a.login.owner, evaluators, p.Publish, p.Subscribe, p.AllowResponses}
			return a.Print(cli.Answer{Value: value, Whole: true, Text: func(w io.Writer, _ cli.Paint) {
				if nsc {
					fmt.Fprintln(w, nscFlags(p))
					return
				}
				printPermissions(w, a.loginFlags(inbox), p)
			}})
		},
	}
	c.Flags().StringSliceVar(&evaluators, "evaluator", nil, "`name` of an evaluator whose work is taken; may be repeated")
	c.Flags().BoolVar(&nsc, "nsc", false, "as flags of `nsc add user` and `nsc edit user`, for servers in operator mode")
	return c
}

// inboxOf is the inbox of a user, which no other owner, role or evaluator has. No name has
// an underscore.
func inboxOf(role, owner string, evaluators []string) string {
	const prefix = "_INBOX_"
	switch {
	case slices.Contains(natsbus.Roles(), owner):
		return prefix + role + "_" + owner
	case owner != "":
		return prefix + owner
	}
	return prefix + strings.Join(append([]string{role}, evaluators...), "_")
}

// loginFlags are the flags that go with the permissions.
func (a *app) loginFlags(inbox string) string {
	flags := "--inbox-prefix " + inbox
	if a.login.owner != "" {
		flags += " --owner " + a.login.owner
	}
	return flags
}

// printPermissions writes a block for a user of a server's configuration.
func printPermissions(w io.Writer, flags string, p natsbus.Permissions) {
	fmt.Fprintf(w, "# log in with %s\npermissions {\n", flags)
	list := func(name string, subjects []string) {
		fmt.Fprintf(w, "  %s {\n    allow: [\n", name)
		for _, s := range subjects {
			fmt.Fprintf(w, "      %q\n", s)
		}
		fmt.Fprintln(w, "    ]\n  }")
	}
	list("publish", p.Publish)
	list("subscribe", p.Subscribe)
	if p.AllowResponses {
		fmt.Fprintln(w, "  allow_responses: true")
	}
	fmt.Fprintln(w, "}")
}

// nscFlags are the same for nsc, quoted for a shell.
func nscFlags(p natsbus.Permissions) string {
	flags := fmt.Sprintf("--allow-pub '%s' --allow-sub '%s'", strings.Join(p.Publish, ","), strings.Join(p.Subscribe, ","))
	if p.AllowResponses {
		flags += " --allow-pub-response"
	}
	return flags
}
