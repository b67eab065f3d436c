package main

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"apollo/evaluator"
	"apollo/evaluator/report"
	"apollo/events"
	"apollo/optimizer/space"
	"apollo/services/cli"
	"apollo/services/inspect"
)

func (a *app) designNeighboursCommand() *cobra.Command {
	var flags designFlags
	var all bool
	var changes int
	var metric string
	c := &cobra.Command{
		Annotations: cli.PrintsRows(),
		Use:         "neighbours", Short: "Show what each change of one parameter does",
		Long: `Show what each change of one parameter to the next level below or above does to the
metrics of a design, or to every level with --all; --changes 2 tries pairs of changes too.
With --study the levels are those that the study has.
First come those that improve the metric for no area, then those that improve it most per
mm2, then those that save area, and last those that are not possible: with the rule that
forbids each, or the study's rule or limit, and the one change more that repairs it.`,
		Example: "  apollo design neighbours --preset baseline\n  apollo design neighbours --set cores=32 --set lanes=256 --all -o json",
		Args:    cli.Exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := flags.read(a, c)
			if err != nil {
				return err
			}
			if changes < 1 || changes > 2 {
				return cli.Usagef("--changes %d: want 1 or 2", changes)
			}
			o := neighbourOptions{all: all, pairs: changes == 2}
			if o.metric, o.sign, err = s.gainOf(metric); err != nil {
				return err
			}
			n, err := neighboursOf(c.Context(), a, &s, o)
			if err != nil {
				return cli.Hinted(cli.ExitUsage, "", err)
			}
			return a.Print(n.answer(&s))
		},
	}
	flags.register(c, true)
	c.Flags().IntVar(&changes, "changes", 1, "most `number` of parameters that change at once: 1 or 2")
	c.Flags().StringVar(&metric, "metric", "", "`metric` whose gain counts; default: the study's objective, else latency")
	c.Flags().BoolVar(&all, "all", false, "change to every level, not only to the next ones")
	return c
}

// neighbours is the answer of `design neighbours`.
type neighbours struct {
	Design   report.Fields  `json:"design"`
	Feasible bool           `json:"feasible"`
	Metrics  report.Metrics `json:"metrics"`
	// Broken lists every rule that the design breaks.
	Broken []brokenRule `json:"broken"`
	// Gain is the metric whose gain counts.
	Gain       string      `json:"gain_of"`
	Neighbours []neighbour `json:"neighbours"`
}

// brokenRule is a reason for which a design is infeasible.
type brokenRule struct {
	Code    string `json:"code"`
	Layer   string `json:"layer"`
	Message string `json:"message"`
}

// neighbour is the design after a change of one parameter.
type neighbour struct {
	Parameter string `json:"parameter"`
	Unit      string `json:"unit"`
	// From and To are numbers or labels.
	From any `json:"from"`
	To   any `json:"to"`
	// Second is the other change of a pair.
	Second   *change        `json:"second,omitempty"`
	Feasible bool           `json:"feasible"`
	Metrics  report.Metrics `json:"metrics"`
	// Gain is by how much the metric is better, in its unit, and GainPerMM2 that
	// for each mm2 that the change costs; null where it costs none.
	Gain       *float64 `json:"gain"`
	GainPerMM2 *float64 `json:"gain_per_mm2"`
	// Repair is the one change more that makes the neighbour possible with the
	// least area; left out where none does.
	Repair *change `json:"repair,omitempty"`
	// Change is relative to the design, null where one of the two has no value.
	Change report.Metrics `json:"change"`
	// Fixes are codes of rules that the design breaks and the neighbour keeps,
	// Breaks the other way round; Left are broken before and after.
	Fixes  []string `json:"fixes"`
	Breaks []string `json:"breaks"`
	Left   []string `json:"left"`

	from, to space.Value
	area     float64 // more than before
}

// change is a parameter that goes from one level to another.
type change struct {
	Parameter string `json:"parameter"`
	Unit      string `json:"unit"`
	From      any    `json:"from"`
	To        any    `json:"to"`

	step inspect.Step
}

// neighbourOptions say which neighbours, and what a gain is.
type neighbourOptions struct {
	all, pairs bool
	metric     string  // a column
	sign       float64 // -1 where less is worse
}

func neighboursOf(ctx context.Context, a *app, s *subject, o neighbourOptions) (*neighbours, error) {
	home, err := s.Inspect(s.point, nil)
	if err != nil {
		return nil, err
	}
	before, err := s.Template.Broken(s.Networks, s.point)
	if err != nil {
		return nil, err
	}
	n := &neighbours{Design: home.Design, Feasible: home.Feasible, Metrics: home.Metrics, Broken: []brokenRule{}, Neighbours: []neighbour{}}
	for _, r := range before {
		n.Broken = append(n.Broken, brokenRule{r.Code, r.Layer, r.Message})
	}
	rules, err := s.Broken(s.point)
	if err != nil {
		return nil, err
	}
	for _, r := range rules {
		n.Broken = append(n.Broken, brokenRule{Code: ruleCode(r), Message: r.Expr})
	}
	n.Gain = o.metric
	steps := inspect.Steps(s.Levels(), s.point, o.all, -1)
	count := a.measuring(ctx, len(steps))
	if o.pairs {
		for i := range steps {
			for k := i + 1; k < len(steps); k++ {
				if steps[k].Index != steps[i].Index {
					count.of++
				}
			}
		}
	}
	defer count.end()
	for i := range steps {
		if err := count.next(); err != nil {
			return nil, err
		}
		if err := n.add(ctx, s, o, &home, before, &steps[i], nil); err != nil {
			return nil, err
		}
		for k := i + 1; o.pairs && k < len(steps); k++ {
			if steps[k].Index == steps[i].Index {
				continue
			}
			if err := count.next(); err != nil {
				return nil, err
			}
			if err := n.add(ctx, s, o, &home, before, &steps[i], &steps[k]); err != nil {
				return nil, err
			}
		}
	}
	slices.SortStableFunc(n.Neighbours, func(a, b neighbour) int {
		if c := cmp.Compare(a.class(), b.class()); c != 0 {
			return c
		}
		return cmp.Compare(b.worth(), a.worth())
	})
	return n, nil
}

// newChange is a step for the answer.
func newChange(step inspect.Step) change {
	return change{step.Param.Name, step.Param.Unit, plainValue(step.From), plainValue(step.To), step}
}

// add looks at the design after one change, or two.
func (n *neighbours) add(ctx context.Context, s *subject, o neighbourOptions, home *report.Design, before []*evaluator.Reason, first, second *inspect.Step) error {
	p, steps := first.After(s.point), []inspect.Step{*first}
	if second != nil {
		p, steps = second.After(p), append(steps, *second)
	}
	if moot, err := s.Moot(p, steps...); moot || err != nil {
		return err
	}
	near, err := s.neighbour(p, home, before)
	if err != nil {
		return err
	}
	c := newChange(*first)
	near.Parameter, near.Unit, near.From, near.To = c.Parameter, c.Unit, c.From, c.To
	near.from, near.to = first.From, first.To
	if second != nil {
		near.Second = new(newChange(*second))
	}
	was, is := home.Metrics.Of(o.metric), near.Metrics.Of(o.metric)
	areaWas, areaIs := home.Metrics.Of(areaMetric), near.Metrics.Of(areaMetric)
	if areaWas != nil && areaIs != nil {
		near.area = *areaIs - *areaWas
	}
	if was != nil && is != nil {
		near.Gain = new(o.sign * (*was - *is))
		if near.area > 0 && *near.Gain > 0 && o.metric != areaMetric {
			near.GainPerMM2 = new(*near.Gain / near.area)
		}
	}
	if second == nil && !near.possible() {
		repair, err := s.Repair(ctx, p, first.Index)
		if err != nil {
			return err
		}
		if repair != nil {
			near.Repair = new(newChange(*repair))
		}
	}
	n.Neighbours = append(n.Neighbours, near)
	return nil
}

func (n *neighbour) possible() bool { return n.Feasible && len(n.Breaks) == 0 }

// class orders neighbours: gains for nothing, gains for area, savings, the rest.
func (n *neighbour) class() int {
	switch {
	case !n.possible():
		return 4
	case n.Gain == nil:
		return 3
	case n.GainPerMM2 != nil:
		return 1
	case *n.Gain > 0:
		return 0
	case n.area < 0:
		return 2
	}
	return 3
}

// worth orders neighbours of a class: by the gain, per mm2 where it costs area; of
// savings the area that each unit of loss saves.
func (n *neighbour) worth() float64 {
	switch n.class() {
	case 0:
		return *n.Gain
	case 1:
		return *n.GainPerMM2
	case 2:
		return -n.area / max(-*n.Gain, math.SmallestNonzeroFloat64)
	}
	return 0
}

// notKept are the study's rules and limits that a design does not keep, as codes.
func (s *subject) notKept(p report.Point, r *report.Design) (codes []string, err error) {
	rules, err := s.Broken(p)
	for _, x := range rules {
		codes = append(codes, ruleCode(x))
	}
	if s.Spec == nil || !r.Feasible {
		return codes, err
	}
	for _, c := range s.Spec.Constraints {
		v := r.Metrics.Of(c.Metric)
		if v != nil && (c.Max != nil && *v > *c.Max || c.Min != nil && *v < *c.Min) {
			codes = append(codes, "limit on "+s.Spec.Metrics[s.Spec.MetricIndex(c.Metric)].Short())
		}
	}
	return codes, err
}

func ruleCode(r events.Rule) string { return "rule " + r.ID }

// gainOf finds the metric whose gain counts, and its direction.
func (s *subject) gainOf(name string) (column string, sign float64, err error) {
	home, err := s.Inspect(s.point, nil)
	if err != nil {
		return "", 0, cli.Hinted(cli.ExitUsage, "", err)
	}
	spec, unit := cmp.Or(s.Spec, &events.Spec{}), "s"
	column = "latency_s"
	if s.Spec != nil {
		column = s.Spec.Objectives[0].Metric
	}
	if name != "" {
		var names []string
		column = ""
		for _, m := range home.Metrics {
			if names = append(names, cli.Bare(m.Name, m.Unit)); names[len(names)-1] == name {
				column, unit = m.Name, m.Unit
			}
		}
		if column == "" {
			return "", 0, cli.Usagef("--metric %s: want %s", name, strings.Join(names, ", "))
		}
	}
	return column, direction(spec, events.Metric{Name: column, Unit: unit}), nil
}

func (s *subject) neighbour(p report.Point, home *report.Design, before []*evaluator.Reason) (neighbour, error) {
	n := neighbour{Fixes: []string{}, Breaks: []string{}, Left: []string{}}
	r, err := s.Measure(p)
	if err != nil {
		return n, err
	}
	var after []*evaluator.Reason // none of a feasible design
	if !r.Feasible {
		if after, err = s.Template.Broken(s.Networks, p); err != nil {
			return n, err
		}
	}
	n.Feasible, n.Metrics = r.Feasible, r.Metrics
	n.Change = slices.Clone(r.Metrics)
	for i, m := range home.Metrics {
		n.Change[i].Value = newChanged("", "", m.Value, r.Metrics[i].Value).Change
	}
	had, err := s.notKept(s.point, home)
	if err != nil {
		return n, err
	}
	has, err := s.notKept(p, &r)
	if err != nil {
		return n, err
	}
	was, is := append(codes(before), had...), append(codes(after), has...)
	for _, code := range was {
		if slices.Contains(is, code) {
			n.Left = append(n.Left, code)
		} else {
			n.Fixes = append(n.Fixes, code)
		}
	}
	for _, code := range is {
		if !slices.Contains(was, code) {
			n.Breaks = append(n.Breaks, code)
		}
	}
	return n, nil
}

// codes lists the codes of reasons, each once.
func codes(reasons []*evaluator.Reason) []string {
	var out []string
	for _, r := range reasons {
		if !slices.Contains(out, r.Code) {
			out = append(out, r.Code)
		}
	}
	return out
}
