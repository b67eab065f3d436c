package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"apollo/events"
	"apollo/internal/roots"
	"apollo/services/cli"
	"apollo/services/health"
)

func (a *app) doctorCommand() *cobra.Command {
	var url string
	c := &cobra.Command{
		Annotations: cli.PrintsRows(),
		Use:         "doctor", Short: "Check that the bus is healthy and its streams have room",
		Long: `Check that the bus can be reached, that its streams exist, have room and all their copies,
that credentials and certificates last, that no two different evaluators serve one name, that
archivers are there and can write, that runs are driven, and that dead letters neither grow nor
are discarded; those that are there are a warning, and so is what runs wait for besides. With
--http it asks a service's health page instead, for container health checks. It exits with 1
when something is wrong.`,
		Example: "  apollo doctor\n  apollo doctor --http http://127.0.0.1:8080/healthz",
		Args:    cli.Exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			var findings []health.Finding
			if url != "" {
				findings = []health.Finding{probe(c.Context(), url)}
			} else {
				ctx := c.Context()
				s, err := a.open(ctx, c, forReading)
				if err != nil {
					return err
				}
				defer s.close(ctx)
				findings = health.Examine(ctx, s.bus, s.url, s.server != nil)
			}
			return a.printFindings(findings)
		},
	}
	c.Flags().StringVar(&url, "http", "", "`URL` of a health page to ask")
	return c
}

func (a *app) printFindings(findings []health.Finding) error {
	items := make([]any, len(findings))
	g := &cli.Grid{Header: []string{"CHECK", "STATE", "WHAT"}}
	bad := 0
	for i, f := range findings {
		items[i] = f
		state := "ok"
		switch {
		case !f.OK:
			state = "BAD"
			bad++
		case f.Warning:
			state = "warn"
		}
		text := f.Text
		if f.Hint != "" {
			text += ": " + f.Hint
		}
		g.Add(f.Check, state, text)
	}
	if err := a.Print(cli.Answer{Value: findings, Items: items, Grid: g}); err != nil {
		return err
	}
	if bad > 0 {
		return cli.Hinted(cli.ExitError, "", errors.New(cli.Plural(bad, "problem")))
	}
	return nil
}

// probeTimeout bounds a health probe: a page that takes longer is not healthy.
const probeTimeout = 3 * time.Second

// probe asks a health page.
func probe(ctx context.Context, url string) health.Finding {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return health.Finding{Check: "http", Text: events.Redact(err.Error())}
	}
	roots.Ensure() // a page may lie behind https, or lead there
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return health.Finding{Check: "http", Text: events.Redact(err.Error())}
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	return health.Finding{Check: "http", OK: response.StatusCode == http.StatusOK, Text: response.Status + " " + firstLine(string(body))}
}

func firstLine(s string) string {
	for i, r := range s {
		if r == '\n' {
			return s[:i]
		}
	}
	return s
}
