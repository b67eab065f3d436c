package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"apollo/events"
	"apollo/services/cli"
	"apollo/services/health"
)

func (a *app) dlqCommand() *cobra.Command {
	return a.Group("dlq", "Look at messages that could not be handled, retry or remove them", "  apollo dlq ls",
		a.dlqLsCommand(), a.dlqShowCommand(), a.dlqRetryCommand(), a.dlqRmCommand())
}

// letterFlags choose letters.
type letterFlags struct{ study, service string }

func (f *letterFlags) register(c *cobra.Command) {
	c.Flags().StringVar(&f.study, "study", "*", "only the letters about this `study`")
	c.Flags().StringVar(&f.service, "service", "*", "only the letters of this `service`: proposer, evaluator, archiver or queue")
}

func (f *letterFlags) filter() (string, error) {
	for _, token := range []string{f.study, f.service} {
		if token != "*" && !events.IsName(token) {
			return "", cli.Usagef("%q is no name: names have a-z, 0-9 and \"-\"", token)
		}
	}
	return events.DeadLetterSubject(f.service, f.study), nil
}

func (a *app) dlqLsCommand() *cobra.Command {
	var flags letterFlags
	c := &cobra.Command{
		Annotations: cli.PrintsRows(),
		Use:         "ls", Short: "List the dead letters, oldest first",
		Long: `List the messages that no service could handle, oldest first, with the reason. A letter
about a work item paused its study. The oldest letters make room for new ones.`,
		Example: "  apollo dlq ls --study mobilenetv2-6p8", Args: cli.Exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			filter, err := flags.filter()
			if err != nil {
				return err
			}
			ctx := c.Context()
			s, err := a.open(ctx, c, forReading)
			if err != nil {
				return err
			}
			defer s.close(ctx)
			letters, items := []health.Letter{}, []any{}
			g := &cli.Grid{Header: []string{">LETTER", "TIME", "SERVICE", "STUDY", "SUBJECT", ">BYTES", "REASON"}}
			for m, err := range s.bus.Log().Read(ctx, 0, filter) {
				if err != nil {
					return err
				}
				l := health.ReadLetter(m)
				g.Add(strconv.FormatUint(l.Number, 10), l.Time.Local().Format(time.DateTime), l.Service, l.Study, l.Subject,
					strconv.Itoa(l.Bytes()), events.Cut(firstLine(l.Reason), 200))
				l.Body = nil // `dlq show` has it
				letters, items = append(letters, l), append(items, l)
			}
			return a.Print(cli.Answer{Value: letters, Items: items, Grid: g})
		},
	}
	flags.register(c)
	return c
}

func (a *app) dlqShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show LETTER", Short: "Show a dead letter with its message",
		Example: "  apollo dlq show 17", Args: cli.Exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			s, err := a.open(ctx, c, forReading)
			if err != nil {
				return err
			}
			defer s.close(ctx)
			l, _, err := s.deadLetter(ctx, args[0])
			if err != nil {
				return err
			}
			return a.Print(cli.Answer{Value: l, Whole: true, Text: func(w io.Writer, _ cli.Paint) { letterText(w, l) }})
		},
	}
}

func letterText(w io.Writer, l *health.Letter) {
	fmt.Fprintf(w, "letter    %d of %s, %s\n", l.Number, l.Service, l.Time.Local().Format(time.DateTime))
	fmt.Fprintf(w, "about     %s", l.Subject)
	if l.Sequence > 0 {
		fmt.Fprintf(w, ", sequence %d", l.Sequence)
	}
	if l.Deliveries > 0 {
		fmt.Fprintf(w, ", %d deliveries", l.Deliveries)
	}
	fmt.Fprintf(w, "\nreason    %s\n", l.Reason)
	switch {
	case l.Whole:
		fmt.Fprintf(w, "message   %d bytes, `apollo dlq retry %d` publishes it again\n", len(l.Body), l.Number)
	case len(l.Body) > 0:
		fmt.Fprintf(w, "message   the first %d of %d bytes\n", len(l.Body), l.Size)
	default:
		fmt.Fprintln(w, "message   not kept")
	}
	if len(l.Body) > 0 && utf8.Valid(bytes.TrimRight(l.Body, "\x80\xff")) {
		fmt.Fprintf(w, "\n%s\n", l.Body)
	}
}

// deadLetter returns the dead letter with that sequence, and its subject.
func (s *session) deadLetter(ctx context.Context, name string) (*health.Letter, string, error) {
	seq, err := strconv.ParseUint(name, 10, 64)
	if err != nil || seq == 0 {
		return nil, "", cli.Usagef("%q is no letter: `apollo dlq ls` has their numbers", name)
	}
	for m, err := range s.bus.Log().Read(ctx, seq, events.DeadLetterSubject("*", "*")) {
		if err != nil {
			return nil, "", err
		}
		if m.Seq == seq {
			l := health.ReadLetter(m)
			return &l, m.Subject, nil
		}
		break
	}
	return nil, "", cli.Hinted(cli.ExitNotFound, "`apollo dlq ls` lists the letters", fmt.Errorf("there is no letter %d", seq))
}

func (a *app) dlqRmCommand() *cobra.Command {
	var flags letterFlags
	var all bool
	c := &cobra.Command{
		Use: "rm [LETTER...]", Short: "Remove dead letters",
		Long:    `Remove dead letters by number, or with --all those that --study and --service choose.`,
		Example: "  apollo dlq rm 17 18\n  apollo dlq rm --all --study mobilenetv2-6p8",
		Args: func(_ *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return cli.Usagef("name the letters, or say --all")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			filter, err := flags.filter()
			if err != nil {
				return err
			}
			ctx := c.Context()
			s, err := a.open(ctx, c, forWriting)
			if err != nil {
				return err
			}
			defer s.close(ctx)
			removed, err := s.removeLetters(ctx, filter, args)
			if err != nil {
				return err
			}
			value := struct {
				Removed uint64 `json:"removed"`
			}{removed}
			return a.Print(cli.Answer{Value: value, Text: func(w io.Writer, _ cli.Paint) { fmt.Fprintf(w, "removed %s\n", cli.Plural(int(removed), "letter")) }})
		},
	}
	flags.register(c)
	c.Flags().BoolVar(&all, "all", false, "all that --study and --service choose")
	return c
}

// removeLetters removes the named letters, or those that match the filter when
// none is named.
func (s *session) removeLetters(ctx context.Context, filter string, names []string) (removed uint64, err error) {
	if len(names) == 0 {
		counts, err := s.bus.Count(ctx, filter)
		if err != nil {
			return 0, err
		}
		for _, n := range counts {
			removed += n
		}
		return removed, s.bus.Purge(ctx, filter)
	}
	for _, name := range names {
		l, subject, err := s.deadLetter(ctx, name)
		if err == nil {
			err = s.bus.Remove(ctx, subject, l.Number)
		}
		if err != nil {
			return removed, err
		}
		removed++
	}
	return removed, nil
}

// errNoRetry says that a letter's message cannot be published again.
var errNoRetry = errors.New("it cannot be retried")
