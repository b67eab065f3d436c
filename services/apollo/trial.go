package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"apollo/events"
	"apollo/services/cli"
	"apollo/services/client"
	"apollo/services/external"
	"apollo/services/inspect"
)

func (a *app) trialCommand() *cobra.Command {
	return a.Group("trial", "Show the trials of a study, measure and add some", "  apollo trial ls mobilenetv2-6p8 --feasible --best 5",
		a.trialLsCommand(), a.trialShowCommand(), a.trialAskCommand(), a.trialTellCommand(), a.trialAddCommand())
}

func (a *app) trialLsCommand() *cobra.Command {
	var run, where string
	var feasible bool
	var best, last int
	var picture pictureFlag
	c := &cobra.Command{
		Annotations: cli.PrintsRowsAndPictures(),
		Use:         "ls STUDY", Short: "List the trials of a study",
		Long: `List the trials of a study's latest run, in order. With -o jsonl every trial is one
object: trial, design, outcome, feasible, metrics, origin and more. -o svg and png draw
the listed trials, as --picture says.

--where takes an expression of the study's rules over parameters, metrics in their units,
and trial, outcome, reason and worker. A trial without the number that it asks for is not
listed, and neither is one that runs or is voided.`,
		Example: "  apollo trial ls mobilenetv2-6p8 --feasible --best 5\n  apollo trial ls mobilenetv2-6p8 --where 'outcome == \"infeasible\" and trial >= 40'\n  apollo trial ls mobilenetv2-6p8 --feasible -o svg --picture parameters > feasible.svg",
		Args:    cli.Exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			for _, name := range []string{"best", "last"} {
				if n, _ := c.Flags().GetInt(name); n < 1 && c.Flags().Changed(name) {
					return cli.Usagef("--%s %d: want how many trials, at least 1", name, n)
				}
			}
			if err := picture.check(a); err != nil {
				return err
			}
			ctx := c.Context()
			s, err := a.open(ctx, c, forReading)
			if err != nil {
				return err
			}
			defer s.close(ctx)
			view, err := s.study(ctx, args[0], run)
			if err != nil {
				return err
			}
			chosen := choice{feasible: feasible || best > 0, best: best, last: last}
			if where != "" {
				if chosen.where, err = whereOf(view.Spec, where); err != nil {
					return err
				}
			}
			if a.drawn() {
				return a.drawTrials(ctx, s, view, chosen, &picture)
			}
			trials, err := chosen.of(view.Spec, readTrials(ctx, s.bus, view, view.Proposed))
			if err != nil {
				return err
			}
			return cli.PrintRows(a.Terminal, listTrials(newLedger(view), trials))
		},
	}
	picture.register(c, "plane")
	f := c.Flags()
	f.StringVar(&run, "run", "", "the `run`; default: the latest")
	f.BoolVar(&feasible, "feasible", false, "only feasible trials")
	f.StringVar(&where, "where", "", "only trials for which an `expression` holds")
	f.IntVar(&best, "best", 0, "only the `n` best feasible trials, best first; with several objectives the front, the least crowded first")
	f.IntVar(&last, "last", 0, "only the last `n` trials")
	return c
}

// drawTrials draws the trials that were chosen.
func (a *app) drawTrials(ctx context.Context, s *session, view *client.StudyView, chosen choice, picture *pictureFlag) error {
	trials, err := chosen.of(view.Spec, readTrials(ctx, s.bus, view, view.Proposed))
	if err != nil {
		return err
	}
	if chosen.best > 0 {
		trials = inOrder(trials)
	}
	return a.Print(cli.Answer{Draw: func(w io.Writer, format string) error {
		return picture.write(w, format, a.galleryOf(ctx, newLedger(view)), trials)
	}})
}

// inOrder yields a few trials by their numbers.
func inOrder(few iter.Seq2[*trial, error]) iter.Seq2[*trial, error] {
	return func(yield func(*trial, error) bool) {
		var all []*trial
		for t, err := range few {
			if err != nil {
				yield(nil, err)
				return
			}
			all = append(all, t)
		}
		slices.SortFunc(all, func(a, b *trial) int { return cmp.Compare(a.number, b.number) })
		for _, t := range all {
			if !yield(t, nil) {
				return
			}
		}
	}
}

// loadLedger opens the store or the server and reads a run's trials.
func (a *app) loadLedger(c *cobra.Command, name, run string) (*ledger, error) {
	ctx := c.Context()
	s, err := a.open(ctx, c, forReading)
	if err != nil {
		return nil, err
	}
	defer s.close(ctx)
	view, err := s.study(ctx, name, run)
	if err != nil {
		return nil, err
	}
	return readLedger(ctx, s.bus, view)
}

// listTrials lists trials of a run; l has no need of its own.
func listTrials(l *ledger, trials iter.Seq2[*trial, error]) cli.Rows[*trial] {
	spec := l.view.Spec
	rows := cli.Rows[*trial]{
		All: trials, Sheet: inspect.TrialHead(spec), Table: []string{">TRIAL", "OUTCOME"},
		Value: func(t *trial) any { return l.json(t) },
	}
	first := objectivesFirst(spec)
	for _, m := range first {
		rows.Table = append(rows.Table, ">"+strings.ToUpper(cli.Bare(m.Name, m.Unit)))
	}
	rows.Table = append(rows.Table, "REASON")
	for _, p := range spec.Parameters {
		rows.Table = append(rows.Table, ">"+p.Name)
	}
	rows.Table = append(rows.Table, "ORIGIN")
	if l.networks.names != nil {
		rows.Table = append(rows.Table, "NETWORK_NAME")
	}
	rows.Cells = func(t *trial) []string { // plain numbers
		j := l.json(t)
		line := inspect.TrialLine{Trial: t.number, Outcome: j.Outcome, Metrics: j.Metrics, Design: t.design, Origin: t.origin, Reason: codeOf(j.Reason), Feasible: j.Feasible}
		return line.Cells(l.meaning)
	}
	rows.Shown = func(t *trial) []string {
		j := l.json(t)
		shown := []string{strconv.Itoa(t.number), outcomeText(j)}
		for _, m := range first {
			text := "-"
			if v, ok := j.Metrics[m.Name]; ok {
				text = cli.Quantity(v, m.Unit)
			}
			shown = append(shown, text)
		}
		shown = append(shown, codeOf(j.Reason))
		shown = append(append(shown, l.meaning.Texts(t.design, noLevel, valueText)...), t.origin)
		if l.networks.names != nil {
			shown = append(shown, j.NetworkName)
		}
		return shown
	}
	return rows
}

// codeOf is the code of a reason, empty without one.
func codeOf(r *events.Reason) string {
	if r == nil {
		return ""
	}
	return r.Code
}

// outcomeText is one word: a trial that was measured but breaks a constraint
// is told from one that is feasible.
func outcomeText(j trialJSON) string {
	switch {
	case j.Feasible:
		return "feasible"
	case codeOf(j.Reason) == events.ReasonLowFidelity:
		return "low fidelity"
	case j.Outcome == events.OutcomeMeasured:
		return "over limit"
	}
	return j.Outcome
}

func (a *app) trialShowCommand() *cobra.Command {
	var run string
	c := &cobra.Command{
		Use: "show STUDY TRIAL", Short: "Show one trial",
		Example: "  apollo trial show mobilenetv2-6p8 17", Args: cli.Exactly(2),
		RunE: func(c *cobra.Command, args []string) error {
			n, err := strconv.Atoi(args[1])
			if err != nil || n < 0 {
				return cli.Usagef("%q is no number of a trial: want one as `apollo trial ls %s` lists them, from 0", args[1], args[0])
			}
			ctx := c.Context()
			s, err := a.open(ctx, c, forReading)
			if err != nil {
				return err
			}
			defer s.close(ctx)
			view, err := s.study(ctx, args[0], run)
			if err != nil {
				return err
			}
			if n >= view.Proposed {
				return cli.Hinted(cli.ExitNotFound, fmt.Sprintf("it has %d so far, from 0", view.Proposed), fmt.Errorf("study %s has no trial %d", args[0], n))
			}
			for t, err := range readTrials(ctx, s.bus, view, n+1) {
				if err != nil {
					return err
				}
				if t.number == n {
					return a.Print(showTrial(newLedger(view), t, a.filesOf(view, n)))
				}
			}
			return fmt.Errorf("the log of study %s lacks trial %d", args[0], n)
		},
	}
	c.Flags().StringVar(&run, "run", "", "the `run`; default: the latest")
	return c
}

func showTrial(l *ledger, t *trial, files []string) cli.Answer {
	j := l.json(t)
	j.Files, j.Spec = files, l.view.Spec
	return cli.Answer{Value: j, Text: func(w io.Writer, p cli.Paint) {
		fmt.Fprintf(w, "%s %d of %s (run %s): %s\n", p.Bold("trial"), t.number, l.view.Study, l.view.Run, outcomeText(j))
		if j.Reason != nil {
			fmt.Fprintf(w, "reason: %s\n", reasonText(j.Reason))
		}
		if text := attemptsText(j); text != "" {
			fmt.Fprintf(w, "attempts: %s\n", text)
		}
		if j.LastError != nil && j.Outcome != events.OutcomeFailed {
			fmt.Fprintf(w, "last error: %s\n", reasonText(&events.Reason{Code: j.LastError.Code, Message: j.LastError.Message}))
		}
		fmt.Fprintf(w, "origin: %s\n", t.origin)
		if t.voidedBy > 0 {
			fmt.Fprintf(w, "voided: it was %s and counts for nothing; trial %d measures it anew\n", t.result.Outcome, t.voidedBy)
		}
		if len(t.parents) > 0 {
			fmt.Fprintf(w, "parents: %s\n", strings.Trim(fmt.Sprint(t.parents), "[]"))
		}
		fmt.Fprintln(w)
		designGrid(l.view.Spec, t.design, nil).Text(w, p)
		l.networks.list(w, []events.Design{t.design})
		if len(j.Metrics) > 0 {
			fmt.Fprintln(w)
			g := &cli.Grid{Header: []string{"METRIC", ">VALUE"}}
			for _, m := range l.view.Spec.Metrics {
				if v, ok := j.Metrics[m.Name]; ok {
					g.Add(cli.Bare(m.Name, m.Unit), cli.Quantity(v, m.Unit))
				}
			}
			g.Text(w, p)
		}
		if len(files) > 0 {
			fmt.Fprintf(w, "\nfiles:\n  %s\n", strings.Join(files, "\n  "))
		}
	}}
}

// filesOf lists what the program left of a trial on this machine: the files that
// it stored, and those of attempts that failed.
func (a *app) filesOf(view *client.StudyView, trial int) (names []string) {
	const most = 100
	dir := filepath.Join(a.artifacts(), external.StoreDir(view.Study, view.Run, trial))
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, path)
		}
		if len(names) >= most {
			return fs.SkipAll
		}
		return nil
	})
	return names
}

// attemptsText says how often the design was tried, how long the last time took
// and where.
func attemptsText(j trialJSON) string {
	if j.Attempts == 0 {
		return ""
	}
	text := strconv.Itoa(j.Attempts)
	if j.Seconds > 0 {
		text += fmt.Sprintf(", the last took %s", cli.Quantity(j.Seconds, "s"))
	}
	if j.Worker != "" {
		text += " on " + j.Worker
	}
	return text
}

// designGrid is a design as a table, beside the baseline when there is one.
func designGrid(spec *events.Spec, design events.Design, baseline events.Design) *cli.Grid {
	g := &cli.Grid{Header: []string{"PARAMETER", ">VALUE"}}
	if baseline != nil {
		g.Header = append(g.Header, ">BASELINE")
	}
	of := inspect.MeaningOf(spec)
	texts, base := of.Texts(design, noLevel, valueText), of.Texts(baseline, noLevel, valueText)
	for i, p := range spec.Parameters {
		row := []string{p.Name, texts[i]}
		if baseline != nil {
			row = append(row, base[i])
		}
		g.Add(row...)
	}
	return g
}

func reasonText(r *events.Reason) string {
	text := r.Code
	if r.Layer != "" {
		text += " at " + r.Layer
	}
	if r.Message != "" {
		text += ": " + r.Message
	}
	return text
}
