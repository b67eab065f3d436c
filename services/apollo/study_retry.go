package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"apollo/events"
	"apollo/events/rule"
	"apollo/optimizer/space"
	"apollo/services/cli"
	"apollo/services/client"
	"apollo/services/study"
)

func (a *app) studyRetryCommand() *cobra.Command {
	var failed bool
	var where, trials string
	c := &cobra.Command{
		Use: "retry STUDY", Short: "Measure trials of a study anew",
		Long: `Measure trials of a study anew, also of one that runs or has ended: after a licence
server was dead, or a simulator was mended. The old trials are voided: the search forgets
them, and answers leave them out. The new ones come on top of the budget, with the origin
"retry:" and the old trial's number.

--where takes an expression of the study's rules over parameters, metrics in their units,
and trial, outcome, reason and worker. A trial without the number that it asks for is not
meant.`,
		Example: "  apollo study retry mine --failed\n  apollo study retry mine --where 'outcome == \"failed\" or runtime > 10 and trial >= 40'\n  apollo study retry mine --trials 3,7-9",
		Args:    cli.Exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			said := 0
			for _, is := range []bool{failed, where != "", trials != ""} {
				if is {
					said++
				}
			}
			if said != 1 {
				return cli.Usagef("say which trials: --failed, --where EXPR or --trials LIST")
			}
			if failed {
				where = `outcome == "failed"`
			}
			return a.retryTrials(c, args[0], where, trials)
		},
	}
	f := c.Flags()
	f.BoolVar(&failed, "failed", false, "those that failed")
	f.StringVar(&where, "where", "", "those for which an `expression` holds")
	f.StringVar(&trials, "trials", "", "those of a `list`: 3,7-9")
	return c
}

// numbersIn reads a list of trials: "3,7-9".
func numbersIn(list string) (out []int, err error) {
	for part := range strings.SplitSeq(list, ",") {
		first, last, ranged := strings.Cut(strings.TrimSpace(part), "-")
		a, err := strconv.Atoi(first)
		b := a
		if err == nil && ranged {
			b, err = strconv.Atoi(last)
		}
		if err != nil || a < 0 || b < a || b-a >= events.MaxTrials {
			return nil, cli.Usagef("--trials: %q is no trial and no range of trials: want 3,7-9", part)
		}
		for n := a; n <= b; n++ {
			out = append(out, n)
		}
	}
	return out, nil
}

// whereOf compiles an expression over the trials of a study. It holds for none that runs or
// is voided.
func whereOf(spec *events.Spec, expr string) (func(*trial) bool, error) {
	none := []string{"none"}
	variables := []rule.Variable{
		{Name: "outcome", Labels: []string{events.OutcomeMeasured, events.OutcomeInfeasible, events.OutcomeFailed, events.OutcomeStopped}},
		{Name: "reason", Labels: none, Open: true},
		{Name: "worker", Labels: none, Open: true},
		{Name: "trial"},
	}
	for _, p := range spec.Parameters {
		variables = append(variables, rule.Variable{Name: p.Name, Labels: p.Labels})
	}
	for _, m := range spec.Metrics {
		variables = append(variables, rule.Variable{Name: m.Name})
		if m.Short() != m.Name {
			variables = append(variables, rule.Variable{Name: m.Short()})
		}
	}
	test, failed := rule.CompileChoice(variables, expr)
	if failed != nil {
		return nil, cli.Usagef("--where, column %d: %s", failed.Column, failed.Message)
	}
	var row []space.Value
	return func(t *trial) bool {
		if t.result == nil || t.voidedBy > 0 {
			return false
		}
		row = append(row[:0], space.Value{Label: t.result.Outcome}, space.Value{Label: reasonOf(t)}, space.Value{Label: orNothing(t.worker)}, space.Value{Num: float64(t.number)})
		row = append(row, t.design...)
		for i, m := range spec.Metrics {
			v := space.Value{Num: math.NaN()}
			if i < len(t.result.Values) {
				v.Num = t.result.Values[i]
			}
			if row = append(row, v); m.Short() != m.Name {
				row = append(row, v)
			}
		}
		return test(row) == rule.Yes
	}, nil
}

// numbersWhere returns the trials for which an expression holds.
func numbersWhere(ctx context.Context, s *session, view *client.StudyView, expr string) (out []int, err error) {
	c := choice{}
	if c.where, err = whereOf(view.Spec, expr); err != nil {
		return nil, err
	}
	for t, err := range c.those(readTrials(ctx, s.bus, view, view.Proposed)) {
		if err != nil {
			return nil, err
		}
		out = append(out, t.number)
	}
	return out, nil
}

func reasonOf(t *trial) string {
	if t.result.Reason == nil {
		return "none"
	}
	return orNothing(t.result.Reason.Code)
}

func orNothing(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// retryTrials asks for trials to be measured anew, those for which an expression holds or
// those of a list, and says which they are now.
func (a *app) retryTrials(c *cobra.Command, name, where, list string) error {
	ctx := c.Context()
	s, err := a.open(ctx, c, forWriting)
	if err != nil {
		return err
	}
	defer s.close(ctx)
	view, err := s.study(ctx, name, "")
	if err != nil {
		return err
	}
	var old []int
	if where != "" {
		old, err = numbersWhere(ctx, s, view, where)
	} else {
		old, err = numbersIn(list)
	}
	if err != nil {
		return err
	}
	if len(old) == 0 {
		return cli.Hinted(cli.ExitNotFound, "`apollo trial ls "+name+"` shows its trials", fmt.Errorf("study %s has no such trials", name))
	}
	err = a.driven(c, s, name, func() error {
		for part := range slices.Chunk(old, events.MaxAdded) {
			if err := a.control(ctx, s, view, &events.StudyControl{Verb: "retry", Retry: part}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if view, err = s.study(ctx, name, view.Run); err != nil {
		return err
	}
	value := struct {
		Study  string `json:"study"`
		Run    string `json:"run"`
		State  string `json:"state"`
		Voided []int  `json:"voided"`
		Trials []int  `json:"trials"`
	}{view.Study, view.Run, string(view.State), old, []int{}}
	for _, n := range old {
		value.Trials = append(value.Trials, view.VoidedBy[n])
	}
	switch {
	case view.State == study.Paused:
		a.Say("the study is paused: `apollo study resume %s` goes on", name)
	case view.Spec.Evaluator.Manual:
		a.Say("`apollo trial ask %s` prints the designs", name)
	case s.server != nil:
		a.Say("nothing drives the study now: %s, or `apollo up`, goes on with it", client.GoesOnBy(view))
	}
	return a.Print(cli.Answer{Value: value, Text: func(w io.Writer, _ cli.Paint) {
		fmt.Fprintf(w, "%s measures %s anew: %s\n", name, cli.Plural(len(old), "trial"), spans(value.Trials))
	}})
}

// spans are numbers for people: more than two in a row as their first and last.
func spans(numbers []int) string {
	var out []string
	for i := 0; i < len(numbers); {
		end := i + 1
		for end < len(numbers) && numbers[end] == numbers[end-1]+1 {
			end++
		}
		if end-i > 2 {
			out = append(out, fmt.Sprintf("%d-%d", numbers[i], numbers[end-1]))
		} else {
			for _, n := range numbers[i:end] {
				out = append(out, strconv.Itoa(n))
			}
		}
		i = end
	}
	return strings.Join(out, " ")
}
