package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/spf13/cobra"

	"apollo/evaluator"
	"apollo/evaluator/frame"
	"apollo/evaluator/report"
	"apollo/evaluator/template"
	"apollo/events"
	"apollo/events/unit"
	"apollo/optimizer/space"
	"apollo/services/cli"
	"apollo/services/inspect"
	"apollo/services/studyfile"
)

func (a *app) designSensitivityCommand() *cobra.Command {
	var flags designFlags
	var rivals []string
	var metric, area string
	var by float64
	c := &cobra.Command{
		Annotations: cli.PrintsRows(),
		Use:         "sensitivity", Short: "Show whether a design stays ahead when declared constants move",
		Long: `Move each declared constant of the cost model down and up, one at a time, and show whether
a design stays ahead of its rivals: of --rival, or of its neighbours, the designs that
differ from it in one parameter by one level, as far as they are feasible. With --area, or
where a study has limits, designs outside do not count, and a move that takes the design
outside counts as lost. The metrics of a study are those that it names, computed ones and
those of single networks too. Constants that are whole numbers move by at least one.`,
		Example: "  apollo design sensitivity --preset v2 --rival v3 --rival baseline\n  apollo design sensitivity --preset @best.json --area '6.8 mm2'",
		Args:    cli.Exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := flags.read(a, c, rivals...)
			if err != nil {
				return err
			}
			study := &sensitivity{point: s.point, Metric: metric, By: by}
			if !(by > 0 && by < 1) {
				return cli.Usagef("--by %g: want a share between 0 and 1", by)
			}
			if err := study.follow(&s, c.Flags().Changed("metric")); err != nil {
				return err
			}
			if area != "" {
				limit, err := quantityOf("--area "+area, area, space.Param{Name: "area", Unit: areaUnit})
				if err != nil {
					return err
				}
				study.limitArea(limit.Num)
			}
			if err := study.run(c.Context(), a, &s, rivals); err != nil {
				return err
			}
			return a.Print(study.answer())
		},
	}
	flags.register(c, true)
	c.Flags().StringArrayVar(&rivals, "rival", nil, "`design` to compare with, as often as wanted: a preset or @FILE, with changes after commas")
	_ = c.RegisterFlagCompletionFunc("rival", a.completeDesigns(&flags))
	ranked := ofAllNetworks()
	c.Flags().StringVar(&metric, "metric", ranked[0], "`metric` that being ahead means: "+strings.Join(ranked, ", ")+", one of generation where networks generate, or one of --study")
	c.Flags().StringVar(&area, "area", "", "area `limit`, for example 6.8mm2")
	c.Flags().Float64Var(&by, "by", 0.2, "`share` by which constants move")
	return c
}

// sensitivity is the answer of `design sensitivity`.
type sensitivity struct {
	Design report.Fields `json:"design"`
	Metric string        `json:"metric"`
	Unit   string        `json:"unit"`
	By     float64       `json:"by"`
	// Rivals are the names of the designs compared with. Declared is the
	// comparison with all constants as they are.
	Rivals   []string `json:"rivals"`
	Declared standing `json:"declared"`
	// Moves has two entries per constant, down and up; a constant of 1 that
	// takes whole numbers has no way down.
	Moves []move `json:"moves"`
	// Ahead is in how many of the moves no rival is better.
	Ahead int `json:"ahead"`

	// spec is the study, or stands for one that measures what the template does.
	// column is the metric's, sign -1 where more of it is better.
	spec   *events.Spec
	column int
	sign   float64
	derive *events.Deriver
	point  report.Point
	rivals []report.Point
}

// move is one constant moved one way.
type move struct {
	Constant string  `json:"constant"`
	Unit     string  `json:"unit"`
	From     float64 `json:"from"`
	To       float64 `json:"to"`
	standing

	factor float64
}

// standing is how the design does against its best rival.
type standing struct {
	// Value is the design's, null when it is infeasible or outside a limit; Lost
	// says why then. Rival is the best of the others, "" when none is feasible.
	Value      *float64 `json:"value"`
	Rival      string   `json:"rival"`
	RivalValue *float64 `json:"rival_value"`
	// Margin is how much worse the rival's value is, relative to the design's.
	Margin *float64 `json:"margin"`
	// Ahead is whether no rival is better; one may be equal.
	Ahead bool   `json:"ahead"`
	Lost  string `json:"lost,omitempty"`
}

// level reports whether the best rival is as good as the design.
func (s *standing) level() bool {
	return s.Value != nil && s.RivalValue != nil && *s.Value == *s.RivalValue
}

// follow takes the metrics, the limits and the objective of the study that a design
// is of; without one, the metrics of the template.
func (v *sensitivity) follow(s *subject, chosen bool) (err error) {
	d := s.Template.Template().Backend.Describe()
	v.spec = &events.Spec{Metrics: statedMetrics(d.Of(s.Networks))}
	asked := onRequest(&d)
	if i := slices.IndexFunc(asked, func(m evaluator.Metric) bool { return unit.Bare(m.Name, m.Unit) == v.Metric }); s.Spec == nil && i >= 0 {
		v.spec.Metrics = append(v.spec.Metrics, statedMetrics(asked[i:i+1])...)
		s.Template.Asked = append(slices.Clip(s.Template.Asked), asked[i])
	}
	if s.Spec != nil {
		v.spec = s.Spec
		first := s.Spec.Objectives[0]
		if goal := s.Spec.Metrics[s.Spec.MetricIndex(first.Metric)]; !chosen && !goal.Cheap {
			v.Metric = goal.Short()
		}
	}
	names := searched(v.spec.Metrics)
	if s.Spec == nil {
		names = searched(statedMetrics(append(d.Of(s.Networks), asked...)))
	}
	v.column = slices.IndexFunc(v.spec.Metrics, func(m events.Metric) bool { return !m.Cheap && m.Short() == v.Metric })
	if v.column < 0 {
		hint := "these are the study's, those aside that parameters alone tell"
		if s.Spec == nil {
			hint = "--study NAME knows those that a study computes too"
		}
		return cli.Hinted(cli.ExitUsage, hint, fmt.Errorf("--metric %s: want %s", v.Metric, strings.Join(names, " or ")))
	}
	m := v.spec.Metrics[v.column]
	v.Unit = m.Unit
	v.sign = direction(v.spec, m)
	v.derive, err = events.NewDeriver(v.spec.Metrics)
	return err
}

// direction is 1 for a metric of which less is better, and -1 where more is: as the
// study's objective says, else as its limits do, else as rates and accuracies are.
func direction(spec *events.Spec, m events.Metric) float64 {
	more := studyfile.LessIsWorse(m)
	for _, c := range spec.Constraints {
		if c.Metric == m.Name && (c.Min == nil) != (c.Max == nil) {
			more = c.Min != nil
		}
	}
	for _, o := range spec.Objectives {
		if o.Metric == m.Name {
			more = o.Goal == "maximize"
		}
	}
	if more {
		return -1
	}
	return 1
}

// limitArea puts a limit in the place of the study's on the area.
func (v *sensitivity) limitArea(limit float64) {
	spec := *v.spec
	spec.Constraints = slices.DeleteFunc(slices.Clone(spec.Constraints), func(c events.Constraint) bool { return c.Metric == areaMetric && c.Max != nil })
	spec.Constraints = append(spec.Constraints, events.Constraint{Metric: areaMetric, Max: &limit})
	v.spec = &spec
}

// statedMetrics are the metrics of a template as a study has them.
func statedMetrics(metrics []evaluator.Metric) (out []events.Metric) {
	for _, m := range metrics {
		out = append(out, events.Metric{Name: m.Name, Unit: m.Unit, Cheap: m.Cheap})
	}
	return out
}

// onRequest are the metrics that a template measures where they are asked for.
func onRequest(d *evaluator.Description) []evaluator.Metric { return d.OnRequest(d.Metrics) }

// ofAllNetworks are the names of the metrics that designs are compared by, whatever the
// networks are.
func ofAllNetworks() []string {
	d := template.All()[0].Template().Backend.Describe()
	return searched(statedMetrics(append(d.Of(nil), onRequest(&d)...)))
}

// searched are the names of those that the parameters of a design alone do not tell.
func searched(metrics []events.Metric) (names []string) {
	for _, m := range metrics {
		if !m.Cheap {
			names = append(names, m.Short())
		}
	}
	return names
}

// broken says which limit a row of metrics is outside, "" for none.
func (v *sensitivity) broken(row []float64) string {
	for _, c := range v.spec.Constraints {
		at := v.spec.MetricIndex(c.Metric)
		m := v.spec.Metrics[at]
		for _, limit := range []*float64{c.Max, c.Min} {
			if limit != nil && (limit == c.Max && row[at] > *limit || limit == c.Min && row[at] < *limit) {
				return fmt.Sprintf("its %s is %s, the limit %s", m.Short(), cli.Quantity(row[at], m.Unit), cli.Quantity(*limit, m.Unit))
			}
		}
	}
	return ""
}

func (v *sensitivity) run(ctx context.Context, a *app, s *subject, rivals []string) error {
	home, err := s.Inspect(s.point, nil)
	if err != nil {
		return cli.Hinted(cli.ExitUsage, "", err)
	}
	v.Design = home.Design
	plain, _, err := s.Template.Model(s.Networks, "", 0, inspect.Single(v.spec)...)
	if err != nil {
		return err
	}
	if err := v.choose(s, rivals); err != nil {
		return err
	}
	var moves []move
	for _, k := range s.Template.Constants() {
		for _, factor := range []float64{1 - v.By, 1 + v.By} {
			moves = append(moves, move{Constant: k.Name, Unit: k.Unit, From: k.Value, factor: factor})
		}
	}
	count := a.measuring(ctx, (1+len(moves))*(1+len(v.rivals)))
	defer count.end()
	if v.Declared, err = v.compare(plain, count); err != nil {
		return cli.Hinted(cli.ExitUsage, "", err)
	}
	if v.Declared.Value == nil {
		return cli.Hinted(cli.ExitInfeasible, "`apollo design neighbours` shows which changes repair it", fmt.Errorf("the design is out: %s", v.Declared.Lost))
	}
	if err := v.try(s, moves, count); err != nil {
		return err
	}
	for i := range moves {
		if x := &moves[i]; x.To != x.From {
			v.Moves = append(v.Moves, *x)
			if x.Ahead {
				v.Ahead++
			}
		}
	}
	return nil
}

// try finds how the design does after each move, on all processors. A whole number that
// cannot be smaller stays as it is.
func (v *sensitivity) try(s *subject, moves []move, count *measuring) error {
	errs := make([]error, len(moves))
	next := make(chan int)
	var failed atomic.Bool
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(moves)) {
		workers.Go(func() {
			for i := range next {
				if errs[i] = v.move(s, &moves[i], count); errs[i] != nil {
					failed.Store(true)
				}
			}
		})
	}
	for i := range moves {
		if failed.Load() {
			break
		}
		next <- i
	}
	close(next)
	workers.Wait()
	return cmp.Or(errs...)
}

// move finds how the design does with one constant moved.
func (v *sensitivity) move(s *subject, x *move, count *measuring) (err error) {
	var m frame.Measured
	if m, x.To, err = s.Template.Model(s.Networks, x.Constant, x.factor, inspect.Single(v.spec)...); err != nil {
		return err
	}
	if x.To == x.From {
		count.skip(1 + len(v.rivals))
		return nil
	}
	x.standing, err = v.compare(m, count)
	return err
}

// choose finds the rivals: the named ones, or all neighbours. Those that a model
// finds infeasible or outside a limit do not count in its comparison.
func (v *sensitivity) choose(s *subject, names []string) error {
	for _, name := range names {
		point, err := s.named(name)
		if err != nil {
			return err
		}
		v.Rivals, v.rivals = append(v.Rivals, name), append(v.rivals, point)
	}
	if len(names) > 0 {
		return nil
	}
	for _, step := range inspect.Steps(s.Levels(), s.point, false, -1) {
		rival := step.After(s.point)
		switch moot, err := s.Moot(rival, step); {
		case err != nil:
			return err
		case moot:
			continue
		}
		v.Rivals, v.rivals = append(v.Rivals, step.Param.Name+"="+rivalText(step.To, step.Param.Unit)), append(v.rivals, rival)
	}
	return nil
}

// rivalText is a value as --set takes it.
func rivalText(v space.Value, symbol string) string {
	if v.Label != "" {
		return v.Label
	}
	return strings.ReplaceAll(unit.Format(v.Num, symbol), " ", "")
}

// areaMetric is what --area limits.
const areaMetric = "area_mm2"

// value is what a model says of a design, or why it does not count.
func (v *sensitivity) value(measure frame.Measured, p report.Point) (value *float64, lost string, err error) {
	r, why, err := measure(p)
	switch {
	case err != nil:
		return nil, "", err
	case why != nil:
		return nil, why.Message, nil
	}
	var row []float64
	for _, m := range v.spec.Measured() {
		x := math.NaN()
		if known := r.Of(m.Name); known != nil {
			x = *known
		}
		row = append(row, x)
	}
	row = v.derive.Row(row)
	if lost := v.broken(row); lost != "" {
		return nil, lost, nil
	}
	if math.IsNaN(row[v.column]) {
		return nil, v.Metric + " has no value", nil
	}
	return &row[v.column], "", nil
}

func (v *sensitivity) compare(measure frame.Measured, count *measuring) (at standing, err error) {
	if err := count.next(); err != nil {
		return at, err
	}
	if at.Value, at.Lost, err = v.value(measure, v.point); err != nil {
		return at, err
	}
	for i, rival := range v.rivals {
		if err := count.next(); err != nil {
			return at, err
		}
		value, _, err := v.value(measure, rival)
		if err != nil {
			return at, err
		}
		if value != nil && (at.RivalValue == nil || v.sign**value < v.sign**at.RivalValue) {
			at.Rival, at.RivalValue = v.Rivals[i], value
		}
	}
	at.Ahead = at.Value != nil && (at.RivalValue == nil || v.sign**at.Value <= v.sign**at.RivalValue)
	if at.Value != nil && at.RivalValue != nil {
		at.Margin = new(v.sign * (*at.RivalValue - *at.Value) / *at.Value)
	}
	return at, nil
}

// rank orders the moves by what they do to the lead: those that end it first, then
// those that leave least of it.
func (v *sensitivity) rank() {
	lead := func(m *move) float64 {
		switch {
		case m.Lost != "":
			return math.Inf(-1)
		case m.Margin == nil:
			return math.Inf(1)
		}
		return *m.Margin
	}
	slices.SortStableFunc(v.Moves, func(a, b move) int { return cmp.Compare(lead(&a), lead(&b)) })
}

func (v *sensitivity) answer() cli.Answer {
	v.rank()
	g := &cli.Grid{Header: []string{"CONSTANT", ">FROM", ">TO", ">" + strings.ToUpper(v.Metric), ">RIVAL'S", ">MARGIN", "", "RIVAL"}}
	var items []any
	for i := range v.Moves {
		m := &v.Moves[i]
		items = append(items, m)
		verdict := "ahead"
		switch {
		case m.Lost != "":
			verdict = "out: " + m.Lost
		case !m.Ahead:
			verdict = "behind"
		case m.level():
			verdict = "level"
		}
		g.Add(m.Constant, constantText(m.From, m.Unit), constantText(m.To, m.Unit), orNone(m.Value, v.Unit), orNone(m.RivalValue, v.Unit), signed(m.Margin), verdict, m.Rival)
	}
	return cli.Answer{Value: v, Items: items, Grid: g, Text: func(w io.Writer, p cli.Paint) {
		d := &v.Declared
		word := "ahead of"
		switch {
		case !d.Ahead:
			word = "behind the best of"
		case d.level():
			word = "level with the best of"
		}
		fmt.Fprintf(w, "%s %s, %s %s", v.Metric, cli.Metric(*d.Value, v.Unit), word, cli.Plural(len(v.Rivals), "rival"))
		if d.Margin != nil {
			fmt.Fprintf(w, " (%s: %s, %s)", d.Rival, cli.Metric(*d.RivalValue, v.Unit), signed(d.Margin))
		}
		fmt.Fprintf(w, "\nahead or level in %d of %d moves of a constant by %s\n\n", v.Ahead, len(v.Moves), cli.Percent(v.By))
		g.Text(w, p)
	}}
}

// constantText writes a constant with its unit; small ones keep their digits.
func constantText(v float64, unit string) string {
	if unit == "Hz" {
		return cli.Quantity(v, unit)
	}
	return cli.Significant(v) + spacedUnit(unit)
}

func spacedUnit(unit string) string {
	if unit == "" {
		return ""
	}
	return " " + unit
}
