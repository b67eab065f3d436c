package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"apollo/events"
	"apollo/services/cli"
)

func (a *app) eventsCommand() *cobra.Command {
	return a.Group("events", "Watch and check the messages on the bus", "  apollo events tail --study mobilenetv2-6p8",
		a.eventsTailCommand(), a.eventsSchemaCommand(), a.eventsValidateCommand())
}

func (a *app) eventsTailCommand() *cobra.Command {
	var study string
	var old, follow bool
	c := &cobra.Command{
		Annotations: cli.PrintsLines(),
		Use:         "tail", Short: "Print the events of studies as they happen",
		Long: `Print the events of studies, results and archives as they happen, one line each. With
-o jsonl every line is the CloudEvents envelope as it is stored.`,
		Example: "  apollo events tail --study mobilenetv2-6p8 --all",
		Args:    cli.Exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			ctx := c.Context()
			s, err := a.open(ctx, c, forReading)
			if err != nil {
				return err
			}
			defer s.close(ctx)
			return a.tail(ctx, s, study, old, follow && s.server == nil)
		},
	}
	f := c.Flags()
	f.StringVar(&study, "study", "*", "only the events of this `study`")
	f.BoolVar(&old, "all", false, "begin with what is stored already")
	f.BoolVar(&follow, "follow", true, "wait for new events; without a running server there are none")
	return c
}

// tailFilters are the streams that tail shows: one reader each.
func tailFilters(study string) [][]string {
	return [][]string{
		{events.RunFilter(study, "*"), events.RejectedSubject(study)},
		{"result.*." + study + ".*.*"},
		{events.ArchiveSubject(study, "*", "*")},
		{events.DeadLetterSubject("*", study)},
	}
}

// tail prints what is stored, stream by stream, or follows all streams.
func (a *app) tail(ctx context.Context, s *session, study string, old, follow bool) error {
	if err := a.sayNothingStored(ctx, s, study, follow); err != nil {
		return err
	}
	if !follow {
		for _, filters := range tailFilters(study) {
			for m, err := range s.bus.Log().Read(ctx, 0, filters...) {
				if a.withoutLetters(filters[0], err) {
					break
				}
				if err != nil {
					return err
				}
				if err := a.printEvent(m); err != nil {
					return err
				}
			}
		}
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lines, errs := make(chan events.Message), make(chan error)
	for _, filters := range tailFilters(study) {
		from := uint64(0)
		if !old {
			info, err := s.bus.Log().Info(ctx, filters[0])
			if err != nil {
				return err
			}
			from = info.Last + 1
		}
		go func() {
			for m, err := range s.bus.Log().Follow(ctx, from, filters...) {
				if a.withoutLetters(filters[0], err) {
					return
				}
				if err != nil {
					select {
					case errs <- err:
					case <-ctx.Done():
					}
					return
				}
				select {
				case lines <- m:
				case <-ctx.Done():
					return
				}
			}
		}()
	}
	for {
		select {
		case m := <-lines:
			if err := a.printEvent(m); err != nil {
				return err
			}
		case err := <-errs:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// sayNothingStored says so of a study whose name may be mistaken, or which is still to be
// submitted.
func (a *app) sayNothingStored(ctx context.Context, s *session, study string, follow bool) error {
	if study == "*" {
		return nil
	}
	for _, err := range s.bus.Log().Read(ctx, 0, tailFilters(study)[0]...) {
		return err
	}
	text := fmt.Sprintf("no event of a study %q is stored", study)
	if follow {
		text += ": waiting for the first"
	}
	a.Say("%s", text)
	return nil
}

// withoutLetters reports whether the dead letters are for others only, and says
// so: who reads studies need not see what somebody else's messages held.
func (a *app) withoutLetters(filter string, err error) bool {
	if !errors.Is(err, events.ErrDenied) || !strings.HasPrefix(filter, events.DeadLetterSubject("*", "")) {
		return false
	}
	a.Say("dead letters are not shown: this user may not read them")
	return true
}

func (a *app) printEvent(m events.Message) error {
	if a.Output == "jsonl" {
		_, err := a.Stdout.Write(append(bytes.TrimSpace(m.Data), '\n'))
		return err
	}
	_, payload, err := events.Decode(m.Data)
	var text string
	if err != nil {
		text = err.Error()
	} else {
		text = events.Render(payload)
	}
	_, err = fmt.Fprintf(a.Stdout, "%s  %s  %s\n", m.Time.Local().Format(time.TimeOnly), m.Subject, text)
	return err
}

func (a *app) eventsSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Annotations: cli.PrintsRows(),
		Use:         "schema [TYPE]", Short: "List the event types, or print the JSON Schema of one",
		Example: "  apollo events schema apollo.study.requested.v1", Args: cli.Between(0, 1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			names := []string{events.EnvelopeSchema}
			for _, t := range events.Types() {
				names = append(names, t.Type)
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.listTypes()
			}
			b, ok := events.Schema(args[0])
			if !ok {
				return cli.Hinted(cli.ExitNotFound, "`apollo events schema` lists the types", fmt.Errorf("there is no event type %q", args[0]))
			}
			return a.Print(cli.Answer{Value: json.RawMessage(b), Whole: true, Text: func(w io.Writer, _ cli.Paint) { fmt.Fprintln(w, string(bytes.TrimSpace(b))) }})
		},
	}
}

func (a *app) listTypes() error {
	type row struct {
		Type      string   `json:"type"`
		Subject   string   `json:"subject"`
		Stream    string   `json:"stream,omitempty"`
		Sender    string   `json:"sender"`
		Receivers []string `json:"receivers"`
		Summary   string   `json:"summary"`
	}
	rows, items := []row{}, []any{}
	g := &cli.Grid{Header: []string{"TYPE", "SUBJECT", "WHAT"}}
	for _, t := range events.Types() {
		r := row{t.Type, t.Subject, t.Stream, t.Sender, t.Receivers, t.Summary}
		rows, items = append(rows, r), append(items, r)
		g.Add(t.Type, t.Subject, t.Summary)
	}
	return a.Print(cli.Answer{Value: rows, Items: items, Grid: g})
}

func (a *app) eventsValidateCommand() *cobra.Command {
	return &cobra.Command{
		Annotations: cli.PrintsRows(),
		Use:         "validate FILE...", Short: "Check events against the contract",
		Long: `Check events against the contract's JSON Schemas: files of one event each, or of one
event a line (.jsonl), "-" for the standard input. For people who write clients.`,
		Example: "  apollo events validate event.json\n  nats sub --raw 'apollo.v1.>' | apollo events validate -",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cli.Usagef("want at least one file, or - for the standard input")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			v, err := events.NewValidator()
			if err != nil {
				return err
			}
			results := []validated{}
			for _, name := range args {
				if results, err = a.validateFile(v, name, results); err != nil {
					return err
				}
			}
			return a.printValidated(results)
		},
	}
}

// validated is the verdict on one event.
type validated struct {
	Event string `json:"event"` // file, and line where there are several
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

func (a *app) validateFile(v *events.Validator, name string, results []validated) ([]validated, error) {
	var src []byte
	var err error
	if name == "-" {
		src, err = io.ReadAll(a.Stdin)
	} else {
		src, err = os.ReadFile(name)
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil, cli.Hinted(cli.ExitNotFound, "", fmt.Errorf("there is no file %s", name))
	}
	if err != nil {
		return nil, err
	}
	if json.Valid(src) {
		return append(results, verdict(v, name, src)), nil
	}
	lines := bufio.NewScanner(bytes.NewReader(src))
	lines.Buffer(nil, events.MaxEventBytes+1)
	for n := 1; lines.Scan(); n++ {
		if line := bytes.TrimSpace(lines.Bytes()); len(line) > 0 {
			results = append(results, verdict(v, fmt.Sprintf("%s:%d", name, n), line))
		}
	}
	return results, lines.Err()
}

func verdict(v *events.Validator, name string, b []byte) validated {
	if err := v.Event(b); err != nil {
		return validated{Event: name, Error: err.Error()}
	}
	return validated{Event: name, OK: true}
}

func (a *app) printValidated(results []validated) error {
	bad := 0
	items := make([]any, len(results))
	g := &cli.Grid{Header: []string{"event", "ok", "error"}}
	for i, r := range results {
		items[i] = r
		if !r.OK {
			bad++
		}
		g.Add(r.Event, strconv.FormatBool(r.OK), r.Error)
	}
	err := a.Print(cli.Answer{Value: results, Items: items, Grid: g, Text: func(w io.Writer, p cli.Paint) {
		for _, r := range results {
			if r.OK {
				fmt.Fprintf(w, "%s: %s\n", r.Event, p.Green("ok"))
			} else {
				fmt.Fprintf(w, "%s: %s\n", r.Event, p.Red(r.Error))
			}
		}
	}})
	if err == nil && bad > 0 {
		err = cli.Hinted(cli.ExitUsage, "", fmt.Errorf("%d of %s do not fit the contract", bad, cli.Plural(len(results), "event")))
	}
	return err
}
