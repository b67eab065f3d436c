package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"apollo/events"
	"apollo/services/cli"
	"apollo/services/client"
	"apollo/services/studyfile"
	"apollo/services/tracing"
)

func (a *app) studySubmitCommand() *cobra.Command {
	var sets []string
	var fresh bool
	var id string
	c := &cobra.Command{
		Use: "submit STUDY.yaml", Short: "Publish a study to a running server",
		Long: `Publish a study to a running server (apollo up, or --nats) and say whether it was
accepted. The same --id twice starts it once. The studies of a file with a matrix are
published one after the other, each when those before it have ended; the same command goes
on with those that are left.`,
		Example: "  apollo study submit examples/mobilenetv2-6p8.yaml --set spec.budget.trials=900",
		Args:    cli.Exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			doc, all, err := a.readStudies(args[0], sets, false)
			switch {
			case err != nil:
				return err
			case all != nil && id != "":
				return cli.Usagef("--id names one request, and %s has several studies", args[0])
			case all != nil:
				return a.submitCampaign(ctx, c, all, fresh)
			case doc.Exec != "":
				return errStartsPrograms(doc.Spec)
			}
			s, err := a.open(ctx, c, forServer)
			if err != nil {
				return err
			}
			defer s.close(ctx)
			accepted, err := a.submit(ctx, s, doc, events.StudyRequested{Fresh: fresh}, id)
			if err != nil {
				return err
			}
			value := struct {
				Study      string `json:"study"`
				Run        string `json:"run"`
				SpecSHA256 string `json:"spec_sha256"`
			}{accepted.Study, accepted.Run, accepted.SpecSHA256}
			return a.Print(cli.Answer{Value: value, Text: func(w io.Writer, _ cli.Paint) {
				fmt.Fprintf(w, "%s accepted as run %s\n", value.Study, value.Run)
			}})
		},
	}
	setFlag(c, &sets)
	c.Flags().BoolVar(&fresh, "fresh", false, "start a new run although the study exists")
	c.Flags().StringVar(&id, "id", "", "`key` of the request: the same one twice starts the study once")
	return c
}

func errStartsPrograms(spec *events.Spec) error {
	return cli.Hinted(cli.ExitUsage, "start it with `apollo evaluator run --name "+spec.Evaluator.Name+" --exec …`, or use `apollo run`",
		errors.New("spec.evaluator.exec: a published study starts no programs"))
}

// submit publishes a study and waits until it is accepted or rejected.
func (a *app) submit(ctx context.Context, s *session, doc *studyfile.Document, request events.StudyRequested, id string) (*events.StudyAccepted, error) {
	request.Study = doc.Normalised
	span := tracing.Begin(ctx, s.tracer, nil, "submit", trace.SpanKindProducer, attribute.String("apollo.study", doc.Spec.Study))
	accepted, err := client.Submit(ctx, s.bus, a.login.owner, doc.Spec.Study, id, request, span.Header())
	span.End(err)
	return accepted, refusal(err)
}

// refusal adds the hint and the exit code to the error of a request.
func refusal(err error) error {
	if r, ok := errors.AsType[*client.RejectedError](err); ok {
		return rejected(&r.StudyRejected)
	}
	if errors.Is(err, events.ErrTooLarge) {
		return cli.Hinted(cli.ExitRejected, "use fewer levels, shorter labels or fewer layers, or raise max_payload of the NATS server", err)
	}
	if errors.Is(err, client.ErrNoAnswer) {
		return cli.Hinted(cli.ExitError, "the request stays queued; start a proposer: `apollo up`, or `apollo serve proposer`", err)
	}
	return err
}

// rejected is the error of a refused request.
func rejected(e *events.StudyRejected) error {
	var lines []string
	hint := ""
	for _, m := range e.Errors {
		line := m.Message
		if m.Pointer != "" && len(e.Errors) > 1 {
			line = m.Pointer + ": " + line
		}
		if m.Hint != "" && len(e.Errors) > 1 {
			line += " (" + m.Hint + ")"
		}
		lines = append(lines, line)
		hint = strings.ReplaceAll(m.Hint, "ask with fresh", "use --fresh")
	}
	if len(e.Errors) > 1 {
		hint = ""
	}
	return cli.Hinted(cli.ExitRejected, hint, fmt.Errorf("%s was rejected: %s", e.Study, strings.Join(lines, "\n")))
}
