package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"apollo/events"
	"apollo/services/cli"
	"apollo/services/client"
	"apollo/services/inspect"
	"apollo/services/messages"
	"apollo/services/study"
)

func (a *app) evaluatorLsCommand() *cobra.Command {
	var live bool
	c := &cobra.Command{
		Annotations: cli.PrintsRows(),
		Use:         "ls", Short: "List the built-in evaluators and what they measure, or the live workers",
		Long: `List the built-in evaluators and what they measure. With --workers, list who works at
this moment, and why workers of running studies have nothing to do: each process tells of
itself every two seconds.`,
		Example: "  apollo evaluator ls --workers", Args: cli.Exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			if live {
				return a.listWorkers(c)
			}
			type metric struct {
				Name  string `json:"name"`
				Unit  string `json:"unit"`
				Cheap bool   `json:"cheap"`
			}
			type row struct {
				Name          string   `json:"name"`
				Version       string   `json:"version"`
				Template      string   `json:"template"`
				Deterministic bool     `json:"deterministic"`
				Metrics       []metric `json:"metrics"`
			}
			rows, items := []row{}, []any{}
			g := &cli.Grid{Header: []string{"EVALUATOR", "VERSION", "TEMPLATE", "DETERMINISTIC", "METRICS (* costs no trial)"}}
			for _, t := range inspect.Builtins().Templates {
				d := t.Backend.Describe()
				r := row{Name: d.Name, Version: d.Version, Template: t.Name, Deterministic: d.Deterministic}
				var texts []string
				for _, m := range d.Metrics {
					r.Metrics = append(r.Metrics, metric{m.Name, m.Unit, m.Cheap})
					text := m.Name
					if m.Cheap {
						text += "*"
					}
					texts = append(texts, text)
				}
				rows, items = append(rows, r), append(items, r)
				g.Add(r.Name, r.Version, r.Template, strconv.FormatBool(r.Deterministic), strings.Join(texts, ", "))
			}
			return a.Print(cli.Answer{Value: rows, Items: items, Grid: g})
		},
	}
	c.Flags().BoolVar(&live, "workers", false, "the workers that are there: host, program, version, slots, in flight, rate, failures")
	return c
}

// listenFor is how long workers are listened to: each speaks once in it.
const listenFor = events.PresentEvery + events.PresentEvery/4

// listWorkers prints who works.
func (a *app) listWorkers(c *cobra.Command) error {
	ctx := c.Context()
	s, err := a.open(ctx, c, forServer)
	if err != nil {
		return err
	}
	defer s.close(ctx)
	idle := make(chan []*events.Progress, 1)
	go func() { idle <- s.idleRuns(ctx) }()
	workers, err := s.workers(ctx, "")
	reasons := <-idle
	if err != nil {
		return err
	}
	views, err := client.ListStudies(ctx, s.bus.Log())
	if err != nil {
		return err
	}
	items := make([]any, len(workers))
	g := &cli.Grid{Header: []string{"EVALUATOR", "WORKER", "VERSION", ">SLOTS", ">IN FLIGHT", ">ANSWERED", ">PER SECOND", ">FAILED", "PROGRAM", "AT"}}
	for i := range workers {
		w := &workers[i]
		items[i] = w
		rate := "-"
		if w.UpSeconds > 0 {
			rate = fmt.Sprintf("%.3g", float64(w.Answered)/w.UpSeconds)
		}
		g.Add(w.Evaluator, w.Worker, w.Version, strconv.Itoa(w.Slots), strconv.Itoa(len(w.Items)), strconv.FormatUint(w.Answered, 10),
			rate, strconv.FormatUint(w.FailedAttempts, 10), w.ProgramText, workText(w, views))
	}
	if len(workers) == 0 {
		a.Say("no worker is there: `apollo evaluator run --name NAME --exec COMMAND` starts one")
	}
	for _, r := range reasons {
		a.Say("study %s, run %s: %s (%s)\napollo: hint: %s", r.Study, r.Run, r.Idle.Message, r.Idle.Code, r.Idle.Hint)
	}
	return a.Print(cli.Answer{Value: workers, Items: items, Grid: g})
}

// idleRuns are the running studies that leave workers without work, by name.
func (s *session) idleRuns(ctx context.Context) []*events.Progress {
	limited, cancel := context.WithTimeout(ctx, listenFor)
	defer cancel()
	last := map[string]*events.Progress{}
	for m, err := range s.bus.Notices(limited, events.ProgressSubject("*", "*")) {
		if err != nil {
			break
		}
		var p events.Progress
		if json.Unmarshal(m.Data, &p) == nil {
			last[p.Run] = &p
		}
	}
	idle := slices.DeleteFunc(slices.Collect(maps.Values(last)), func(p *events.Progress) bool { return p.Idle == nil })
	slices.SortFunc(idle, func(a, b *events.Progress) int {
		return cmp.Or(cmp.Compare(a.Study, b.Study), cmp.Compare(a.Run, b.Run))
	})
	return idle
}

// workers are those of an evaluator, "" for all, that are there.
func (s *session) workers(ctx context.Context, evaluator string) ([]events.Presence, error) {
	limited, cancel := context.WithTimeout(ctx, listenFor)
	defer cancel()
	var heard messages.Workers
	for m, err := range s.bus.Notices(limited, events.PresenceSubject("*")) {
		if err != nil {
			break
		}
		heard.Note(m)
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	there, _ := heard.Of(evaluator, time.Now())
	return there, nil
}

// slots is how many designs are measured at a time for an evaluator: by the workers
// that this command starts for the study's program, or by those on the server.
func (a *app) slots(evaluator string, started bool) (n int) {
	if started {
		return cmp.Or(a.workers, runtime.NumCPU())
	}
	ctx := a.command.Context()
	if s, err := a.open(ctx, a.command, forServer); err == nil {
		there, _ := s.workers(ctx, evaluator) // none where nobody could be heard
		s.close(ctx)
		for i := range there {
			n += there[i].Slots
		}
	}
	if n == 0 {
		a.Say("warn: nobody works for evaluator %s now, so that parallelism: auto is the default; start the workers before the study, or write a number", evaluator)
	}
	return n
}

// workText says at what a worker is: its oldest items.
func workText(w *events.Presence, views []*client.StudyView) string {
	if len(w.Items) == 0 {
		return idleText(w, views)
	}
	const shown = 3
	var texts []string
	for _, item := range w.Items[:min(shown, len(w.Items))] {
		text := fmt.Sprintf("%s batch %d since %s", item.Study, item.Batch, time.Since(time.UnixMicro(int64(item.Since))).Round(time.Second))
		if item.Progress != "" {
			text += " (" + item.Progress + ")"
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ", ")
}

// idleText says why a worker has nothing to do where that is not the matter of a
// running study, which says it below the table.
func idleText(w *events.Presence, views []*client.StudyView) string {
	paused := ""
	for _, v := range views {
		switch {
		case v.Spec == nil || v.Spec.Evaluator.Name != w.Evaluator:
		case v.State == study.Running || v.State == study.Stopping:
			return "idle"
		case v.State == study.Paused:
			paused = v.Study
		}
	}
	if paused != "" {
		return fmt.Sprintf("idle: study %s is paused", paused)
	}
	return "idle: no unfinished study names " + w.Evaluator
}
