package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"apollo/events"
	"apollo/services/cli"
	"apollo/services/inspect"
	"apollo/services/study"
)

// askedJSON is a design that waits to be measured.
type askedJSON struct {
	Study  string         `json:"study"`
	Run    string         `json:"run"`
	Trial  int            `json:"trial"`
	Design map[string]any `json:"design"`
	// Units are those of the parameters that have one.
	Units  map[string]string `json:"units,omitempty"`
	Origin string            `json:"origin,omitempty"`
}

func (a *app) trialAskCommand() *cobra.Command {
	var n int
	c := &cobra.Command{
		Annotations: cli.PrintsRows(),
		Use:         "ask STUDY|STUDY.yaml", Short: "Show the designs that you are to measure",
		Long: `Show the designs that a study wants to be measured by hand, or by a program of yours: one
JSON object a line, with the trial's number, which "apollo trial tell" wants. The study's
evaluator is "manual: true". A study file begins the study unless it is there. Who asks
again gets the same designs until they are told; a study that has ended shows none.
budget.parallelism is how many wait at a time.`,
		Example: "  apollo trial ask mine.yaml\n  apollo trial ask mine -n 4 -o csv",
		Args:    cli.Exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			if n < 1 {
				return cli.Usagef("-n %d: want at least 1", n)
			}
			return a.askTrials(c, args[0], n)
		},
	}
	c.Flags().IntVarP(&n, "number", "n", 1, "show at most `n` designs")
	return c
}

func (a *app) askTrials(c *cobra.Command, name string, n int) error {
	ctx := c.Context()
	m, err := a.openManual(c, name)
	if err != nil {
		return err
	}
	defer m.close(ctx)
	if err := m.settle(ctx, n); err != nil {
		return err
	}
	open := m.open()
	switch {
	case m.view.State == study.Paused && len(open) == 0:
		return cli.Hinted(cli.ExitFailed, "`apollo study resume "+m.view.Study+"` goes on", fmt.Errorf("study %s is paused: %s", m.view.Study, m.view.Reason))
	case m.view.State == study.Cancelled || m.view.State == study.Failed:
		open = nil
	}
	if err := m.end(ctx); err != nil {
		return err
	}
	return a.Print(m.asked(open[:min(n, len(open))]))
}

// asked prints designs: one JSON object a line, also where people look.
func (m *manual) asked(open []*trial) cli.Answer {
	spec, units := m.view.Spec, map[string]string{}
	grid := &cli.Grid{Header: append([]string{">trial"}, inspect.ParameterColumns(spec)...)}
	for _, p := range spec.Parameters {
		if p.Unit != "" {
			units[p.Name] = p.Unit
		}
	}
	rows, items := []askedJSON{}, []any{}
	for _, t := range open {
		j := askedJSON{Study: m.view.Study, Run: m.view.Run, Trial: t.number, Design: designMap(spec, t.design), Units: units, Origin: t.origin}
		rows, items = append(rows, j), append(items, j)
		cells := []string{strconv.Itoa(t.number)}
		for _, v := range t.design {
			cells = append(cells, inspect.PlainValue(v))
		}
		grid.Add(cells...)
	}
	return cli.Answer{Value: rows, Items: items, Sheet: grid, Whole: true, Text: func(w io.Writer, _ cli.Paint) {
		for _, j := range rows {
			_ = cli.WriteJSON(w, j, "") // as Fprintln's error
		}
	}}
}

func (a *app) trialTellCommand() *cobra.Command {
	var from, infeasible, failed, message string
	c := &cobra.Command{
		Use: "tell STUDY TRIAL [METRIC=VALUE...]", Short: "Say what you measured",
		Long: `Say what you measured of a design that "apollo trial ask" showed: a value for each metric,
with a unit or in the study's. --infeasible says that the design cannot work, which the
search learns from; --failed that the measurement broke.

--from reads many: JSON lines or CSV with a head, as "apollo trial ask" prints them, with
columns or "metrics" for what was measured; an "outcome" of infeasible or failed with a
"reason" otherwise. Nothing is told unless all of it is right. The first answer of a trial
counts; the same again does no harm.`,
		Example: "  apollo trial tell mine 3 runtime=1.2ms cost=3mm2\n  apollo trial tell mine 4 --infeasible too_hot --message 'it melts'\n  apollo trial tell mine --from measured.csv",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cli.Usagef("which study? `%s`", c.UseLine())
			}
			if (from == "") == (len(args) == 1) {
				return cli.Usagef("say one trial with its metrics, or a file with --from")
			}
			if from != "" && infeasible+failed+message != "" {
				return cli.Usagef("--infeasible, --failed and --message are about one trial; a file has outcome and reason")
			}
			if err := cmp.Or(emptyCode(c), early(c, from)); err != nil {
				return err
			}
			read := func(m *manual) ([]rowJSON, error) {
				if from != "" {
					return a.readRows(c, m.view.Spec, from)
				}
				row, err := oneAnswer(m.view.Spec, args[1:], infeasible, failed, message)
				return []rowJSON{row}, err
			}
			return a.tellTrials(c, args[0], read)
		},
	}
	f := c.Flags()
	f.StringVar(&from, "from", "", "read answers from a `file`, CSV or JSON lines; - is the standard input")
	f.StringVar(&infeasible, "infeasible", "", "the design cannot work: the `code` of the reason")
	f.StringVar(&failed, "failed", "", "the measurement broke: the `code` of the reason")
	f.StringVar(&message, "message", "", "a `sentence` about the reason")
	return c
}

// oneAnswer reads an answer from the command line.
func oneAnswer(spec *events.Spec, args []string, infeasible, failed, message string) (row rowJSON, err error) {
	n, err := strconv.Atoi(args[0])
	if err != nil || n < 0 {
		return row, cli.Usagef("%q is no number of a trial: want one as `apollo trial ls` lists them, from 0", args[0])
	}
	row.Trial = &n
	switch {
	case infeasible != "" && failed != "":
		return row, cli.Usagef("a trial is infeasible or failed, not both")
	case infeasible != "":
		row.Outcome, row.Reason = events.OutcomeInfeasible, &events.Reason{Code: infeasible, Message: message}
	case failed != "":
		row.Outcome, row.Reason = events.OutcomeFailed, &events.Reason{Code: failed, Message: message}
	case message != "":
		return row, cli.Usagef("--message says why a trial is infeasible or failed: say which")
	}
	row.Metrics, err = metricsOf(spec, args[1:])
	return row, err
}

// told is the answer of `trial tell`.
type told struct {
	Study  string            `json:"study"`
	Run    string            `json:"run"`
	Told   []int             `json:"told"`
	Known  []int             `json:"known"`
	State  string            `json:"state"`
	Trials int               `json:"trials"`
	Budget int               `json:"budget"`
	Best   *events.BestTrial `json:"best"`
}

func (a *app) tellTrials(c *cobra.Command, name string, read func(*manual) ([]rowJSON, error)) error {
	ctx := c.Context()
	m, err := a.openManual(c, name)
	if err != nil {
		return err
	}
	defer m.close(ctx)
	rows, err := read(m)
	if err != nil {
		return err
	}
	value := told{Study: m.view.Study, Run: m.view.Run, Told: []int{}, Known: []int{}}
	answers, err := m.answers(rows, &value)
	if err != nil {
		return err
	}
	if err := m.tell(ctx, answers, &value); err != nil {
		return err
	}
	if m.process != nil || !m.session.remote && len(m.open()) == len(value.Told) { // somebody must say what is next
		if err := m.settle(ctx, 0); err != nil {
			return err
		}
	}
	if err := m.read(ctx); err != nil {
		return err
	}
	value.State, value.Trials, value.Budget, value.Best = string(m.view.State), m.ledger.counts.Trials, m.view.Budget, m.view.Best
	err = a.Print(cli.Answer{Value: value, Text: func(w io.Writer, _ cli.Paint) {
		fmt.Fprintf(w, "%s was told of %s: %d of %s trials", m.view.Study, cli.Plural(len(value.Told), "trial"), value.Trials, cli.Count(value.Budget))
		if value.Best != nil {
			fmt.Fprintf(w, ", best is trial %d", value.Best.Trial)
		}
		fmt.Fprintln(w)
	}})
	return errors.Join(err, m.end(ctx))
}
