package main

import (
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
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
	var run string
	var feasible bool
	var best, last int
	var picture pictureFlag
	c := &cobra.Command{
		Annotations: cli.PrintsRowsAndPictures(),
		Use:         "ls STUDY", Short: "List the trials of a study",
		Long: `List the trials of a study's latest run, in order. With -o jsonl every trial is one
object: trial, design, outcome, feasible, metrics, origin and more. -o svg and png draw
the listed trials, as --picture says.`,
		Example: "  apollo trial ls mobilenetv2-6p8 --feasible --best 5\n  apollo trial ls mobilenetv2-6p8 --feasible -o svg --picture parameters > feasible.svg",
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
			l, err := a.loadLedger(c, args[0], run)
			if err != nil {
				return err
			}
			chosen := choose(l, feasible, best, last)
			answer := listTrials(l, chosen)
			answer.Draw = func(w io.Writer, format string) error {
				return picture.write(w, format, a.galleryOf(c.Context(), l.listed(chosen)))
			}
			return a.Print(answer)
		},
	}
	picture.register(c, "plane")
	f := c.Flags()
	f.StringVar(&run, "run", "", "the `run`; default: the latest")
	f.BoolVar(&feasible, "feasible", false, "only feasible trials")
	f.IntVar(&best, "best", 0, "only the `n` best feasible trials, best first; with several objectives the front, the least crowded first")
	f.IntVar(&last, "last", 0, "only the last `n` trials")
	return c
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

// choose returns the trials that the flags ask for.
func choose(l *ledger, feasible bool, best, last int) []*trial {
	var out []*trial
	for i := range l.trials {
		if t := &l.trials[i]; !feasible && best == 0 || t.judgement.Feasible {
			out = append(out, t)
		}
	}
	if best > 0 {
		out = ranked(l.view.Spec, out)
		out = out[:min(best, len(out))]
	}
	if last > 0 && last < len(out) {
		out = out[len(out)-last:]
	}
	return out
}

func listTrials(l *ledger, trials []*trial) cli.Answer {
	spec := l.view.Spec
	sheet := &cli.Grid{Header: inspect.TrialHead(spec)} // csv: plain numbers
	table := &cli.Grid{Header: []string{">TRIAL", "OUTCOME"}}
	first := objectivesFirst(spec)
	for _, m := range first {
		table.Header = append(table.Header, ">"+strings.ToUpper(cli.Bare(m.Name, m.Unit)))
	}
	table.Header = append(table.Header, "REASON")
	for _, p := range spec.Parameters {
		table.Header = append(table.Header, ">"+p.Name)
	}
	table.Header = append(table.Header, "ORIGIN")
	if l.networks.names != nil {
		table.Header = append(table.Header, "NETWORK_NAME")
	}
	rows, items := []trialJSON{}, []any{}
	for _, t := range trials {
		j := l.json(t)
		rows, items = append(rows, j), append(items, j)
		shown := []string{strconv.Itoa(t.number), outcomeText(j)}
		for _, m := range first {
			text := "-"
			if v, ok := j.Metrics[m.Name]; ok {
				text = cli.Quantity(v, m.Unit)
			}
			shown = append(shown, text)
		}
		reason := ""
		if j.Reason != nil {
			reason = j.Reason.Code
		}
		shown = append(shown, reason)
		for k, p := range spec.Parameters {
			shown = append(shown, valueText(t.design[k], p.Unit))
		}
		line := inspect.TrialLine{Trial: t.number, Outcome: j.Outcome, Metrics: j.Metrics, Design: t.design, Origin: t.origin, Reason: reason, Feasible: j.Feasible}
		sheet.Add(line.Cells(spec)...)
		shown = append(shown, t.origin)
		if l.networks.names != nil {
			shown = append(shown, j.NetworkName)
		}
		table.Add(shown...)
	}
	return cli.Answer{Value: rows, Items: items, Sheet: sheet, Text: table.Text}
}

// outcomeText is one word: a trial that was measured but breaks a constraint
// is told from one that is feasible.
func outcomeText(j trialJSON) string {
	switch {
	case j.Feasible:
		return "feasible"
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
			l, err := a.loadLedger(c, args[0], run)
			if err != nil {
				return err
			}
			if n >= len(l.trials) {
				return cli.Hinted(cli.ExitNotFound, fmt.Sprintf("it has %d so far, from 0", len(l.trials)), fmt.Errorf("study %s has no trial %d", args[0], n))
			}
			return a.Print(showTrial(l, &l.trials[n], a.filesOf(l.view, n)))
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
	for i, p := range spec.Parameters {
		row := []string{p.Name, valueText(design[i], p.Unit)}
		if baseline != nil {
			row = append(row, valueText(baseline[i], p.Unit))
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
