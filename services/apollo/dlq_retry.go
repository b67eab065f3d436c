package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/spf13/cobra"

	"apollo/events"
	"apollo/services/cli"
	"apollo/services/health"
)

func (a *app) dlqRetryCommand() *cobra.Command {
	return &cobra.Command{
		Use: "retry LETTER...", Short: "Publish the messages of dead letters again",
		Long: `Publish the messages of dead letters again, on the subjects that they came from, and
remove the letters. It is for when the cause is mended: commands, work items and
results can be retried where the letter holds all of the message. A study that paused
for a lost work item publishes it by itself when it is resumed.`,
		Example: "  apollo dlq retry 17",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cli.Usagef("want at least one letter: `apollo dlq ls` has their numbers")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			s, err := a.open(ctx, c, forWriting)
			if err != nil {
				return err
			}
			defer s.close(ctx)
			type row struct {
				Letter  uint64 `json:"letter"`
				Subject string `json:"subject"`
			}
			rows, items := []row{}, []any{}
			g := &cli.Grid{Header: []string{">LETTER", "PUBLISHED ON"}}
			for _, name := range args {
				l, subject, err := s.deadLetter(ctx, name)
				if err == nil {
					err = s.republish(ctx, l)
				}
				if err == nil {
					err = s.bus.Remove(ctx, subject, l.Number)
				}
				if err != nil {
					return err
				}
				r := row{l.Number, l.Subject}
				rows, items = append(rows, r), append(items, r)
				g.Add(name, l.Subject)
			}
			return a.Print(cli.Answer{Value: rows, Items: items, Grid: g, Text: func(w io.Writer, _ cli.Paint) {
				for _, r := range rows {
					fmt.Fprintf(w, "letter %d: published again on %s\n", r.Letter, r.Subject)
				}
			}})
		},
	}
}

// republish publishes the message of a letter where it came from. The same
// letter twice is one message.
func (s *session) republish(ctx context.Context, l *health.Letter) error {
	kind, _, _ := strings.Cut(l.Subject, ".")
	id := fmt.Sprintf("retry.%d", l.Number)
	switch {
	case !l.Whole:
		return cli.Hinted(cli.ExitError, "publish the message again from where it came", fmt.Errorf("letter %d holds %d of %d bytes: %w", l.Number, len(l.Body), l.Bytes(), errNoRetry))
	case kind == "cmd" || kind == "work":
		return s.bus.Queue(1).Publish(l.Subject, message.NewMessageWithContext(ctx, id, l.Body))
	case kind == "result":
		_, err := s.bus.Facts().Record(ctx, events.Message{Subject: l.Subject, ID: id, Data: l.Body})
		if errors.Is(err, events.ErrExists) {
			return cli.Hinted(cli.ExitError, "`apollo dlq rm` removes the letter", fmt.Errorf("the batch of letter %d is answered: %w", l.Number, errNoRetry))
		}
		return err
	}
	return cli.Hinted(cli.ExitError, "`apollo dlq rm` removes the letter",
		fmt.Errorf("letter %d is about %s, not a command, a work item or a result: %w", l.Number, l.Subject, errNoRetry))
}
