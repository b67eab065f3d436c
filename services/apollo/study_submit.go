package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/spf13/cobra"

	"apollo/events"
	"apollo/services/studyfile"
)

// answerTimeout is how long a command waits for the proposer: it answers in
// milliseconds, so that silence means that none is there.
const answerTimeout = 10 * time.Second

func (a *app) studySubmitCommand() *cobra.Command {
	var sets []string
	var fresh bool
	var id string
	c := &cobra.Command{
		Use: "submit STUDY.yaml", Short: "Publish a study to a running server",
		Long: `Publish a study to a running server (apollo up, or --nats) and say whether it was
accepted. The same --id twice starts it once.`,
		Example: "  apollo study submit examples/mobilenetv2-6p8.yaml --set spec.budget.trials=900",
		Args:    exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			doc, err := a.readStudy(args[0], sets)
			if err != nil {
				return err
			}
			if doc.Exec != "" {
				return hinted(exitUsage, "start it with `apollo evaluator run --name "+doc.Spec.Evaluator.Name+" --exec …`, or use `apollo run`",
					errors.New("spec.evaluator.exec: a published study starts no programs"))
			}
			s, err := a.open(c.Context(), c, forServer)
			if err != nil {
				return err
			}
			defer s.close()
			accepted, err := a.submit(c.Context(), s, doc, fresh, id)
			if err != nil {
				return err
			}
			value := struct {
				Study      string `json:"study"`
				Run        string `json:"run"`
				SpecSHA256 string `json:"spec_sha256"`
			}{accepted.Study, accepted.Run, accepted.SpecSHA256}
			return a.print(answer{value: value, text: func(w io.Writer, _ paint) {
				fmt.Fprintf(w, "%s accepted as run %s\n", value.Study, value.Run)
			}})
		},
	}
	setFlag(c, &sets)
	c.Flags().BoolVar(&fresh, "fresh", false, "start a new run although the study exists")
	c.Flags().StringVar(&id, "id", "", "`key` of the request: the same one twice starts the study once")
	return c
}

// submit publishes a study and waits until it is accepted or rejected.
func (a *app) submit(ctx context.Context, s *session, doc *studyfile.Document, fresh bool, id string) (*events.StudyAccepted, error) {
	from := uint64(0)
	if id == "" {
		// A key of its own has no answer yet: skip what is stored.
		id = "cli-" + rand.Text()
		info, err := s.bus.Log().Info(ctx, events.RejectedSubject("x"))
		if err != nil {
			return nil, err
		}
		from = info.Last + 1
	}
	name := doc.Spec.Study
	request := &events.StudyRequested{Study: doc.Normalised, Fresh: fresh}
	if err := publish(ctx, s, events.SubmitSubject(name), id, name, request); err != nil {
		return nil, err
	}
	var accepted *events.StudyAccepted
	err := a.await(ctx, s, from, name, id, func(m events.Message) bool {
		_, e, err := events.DecodeAs[events.StudyAccepted](m.Data)
		if err == nil && e.Command == id {
			accepted = &e
		}
		return accepted != nil
	})
	return accepted, err
}

// publish sends a command.
func publish(ctx context.Context, s *session, subject, id, study string, e events.Payload) error {
	data, err := events.Encode(id, "cli", study, time.Now(), e)
	if err != nil {
		return err
	}
	return s.bus.Queue(1).Publish(subject, message.NewMessageWithContext(ctx, id, data))
}

// await follows a study's log until done, or until the command is rejected.
func (a *app) await(ctx context.Context, s *session, from uint64, study, id string, done func(events.Message) bool) error {
	limited, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	for m, err := range s.bus.Log().Follow(limited, from, events.RunFilter(study, "*"), events.RejectedSubject(study)) {
		if err != nil {
			return err
		}
		if done(m) {
			return nil
		}
		if _, e, err := events.DecodeAs[events.StudyRejected](m.Data); err == nil && e.Command == id {
			return rejected(&e)
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return hinted(exitError, "the request stays queued; start a proposer: `apollo up`, or `apollo serve proposer`",
		fmt.Errorf("no proposer answered within %s", answerTimeout))
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
		hint = m.Hint
	}
	if len(e.Errors) > 1 {
		hint = ""
	}
	return hinted(exitRejected, hint, fmt.Errorf("%s was rejected: %s", e.Study, strings.Join(lines, "\n")))
}
