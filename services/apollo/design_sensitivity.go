package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"apollo/evaluator"
	"apollo/evaluator/frame"
	"apollo/evaluator/report"
	"apollo/evaluator/template"
	"apollo/events"
	"apollo/events/unit"
	"apollo/optimizer/space"
	"apollo/services/cli"
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
where a study limits the area, designs above the limit do not count, and a move that lifts
the design above it counts as lost; other limits of a study do not count here. Constants
that are whole numbers move by at least one.`,
		Example: "  apollo design sensitivity --preset v2 --rival v3 --rival baseline\n  apollo design sensitivity --preset @best.json --area '6.8 mm2'",
		Args:    cli.Exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := flags.read(a, c, rivals...)
			if err != nil {
				return err
			}
			study := &sensitivity{point: s.point, Metric: metric, By: by, limit: math.Inf(1)}
			if !(by > 0 && by < 1) {
				return cli.Usagef("--by %g: want a share between 0 and 1", by)
			}
			d := s.Template.Template().Backend.Describe()
			if s.Spec != nil {
				study.follow(a, s.Spec, d.Of(s.Networks), c.Flags().Changed("metric"))
			}
			if err := study.find(d.Of(s.Networks)); err != nil {
				return err
			}
			if area != "" {
				limit, err := quantityOf("--area "+area, area, space.Param{Name: "area", Unit: "mm2"})
				if err != nil {
					return err
				}
				study.limit = limit.Num
			}
			if err := study.run(&s, rivals); err != nil {
				return err
			}
			return a.Print(study.answer())
		},
	}
	flags.register(c, true)
	c.Flags().StringArrayVar(&rivals, "rival", nil, "`design` to compare with, as often as wanted: a preset or @FILE, with changes after commas")
	ranked := rankedMetrics(template.All()[0].Template().Backend.Describe().Metrics)
	c.Flags().StringVar(&metric, "metric", ranked[0], "what being ahead means: "+strings.Join(ranked, "|"))
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
	// Ahead is in how many of the moves the design is ahead.
	Ahead int `json:"ahead"`

	metric int // its place among the metrics
	limit  float64
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
}

// standing is how the design does against its best rival.
type standing struct {
	// Value is the design's, null when it is infeasible or too large; Lost says
	// why then. Rival is the best of the others, "" when none is feasible.
	Value      *float64 `json:"value"`
	Rival      string   `json:"rival"`
	RivalValue *float64 `json:"rival_value"`
	// Margin is how much larger the rival's value is, relative to the design's.
	Margin *float64 `json:"margin"`
	Ahead  bool     `json:"ahead"`
	Lost   string   `json:"lost,omitempty"`
}

// follow takes the limit on the area and the objective of the study that a design is
// of, as far as this comparison knows them.
func (v *sensitivity) follow(a *app, spec *events.Spec, metrics []evaluator.Metric, chosen bool) {
	for _, l := range spec.Constraints {
		switch {
		case l.Metric == "area_mm2" && l.Max != nil:
			v.limit = *l.Max
		default:
			a.Say("the study's limit on %s does not count here", l.Metric)
		}
	}
	goal := spec.Metrics[spec.MetricIndex(spec.Objectives[0].Metric)]
	switch name := cli.Bare(goal.Name, goal.Unit); {
	case chosen:
	case slices.Contains(rankedMetrics(metrics), name):
		v.Metric = name
	default:
		a.Say("the study's objective %s cannot be compared here: it is %s", name, v.Metric)
	}
}

// find takes the metric among those that a design is searched for, which its
// parameters alone do not tell.
func (v *sensitivity) find(metrics []evaluator.Metric) error {
	names := rankedMetrics(metrics)
	for i, m := range metrics {
		if !m.Cheap && cli.Bare(m.Name, m.Unit) == v.Metric {
			v.metric, v.Unit = i, m.Unit
			return nil
		}
	}
	return cli.Usagef("--metric %s: want %s", v.Metric, strings.Join(names, " or "))
}

// rankedMetrics are the metrics that a design can be ahead in.
func rankedMetrics(metrics []evaluator.Metric) []string {
	var names []string
	for _, m := range metrics {
		if !m.Cheap {
			names = append(names, cli.Bare(m.Name, m.Unit))
		}
	}
	return names
}

// tooLarge reports whether a design's area is above the limit.
func (v *sensitivity) tooLarge(m report.Metrics) bool {
	area := m.Of(areaMetric)
	return area != nil && *area > v.limit
}

func (v *sensitivity) run(s *subject, rivals []string) error {
	home, err := s.Inspect(s.point, nil)
	if err != nil {
		return cli.Hinted(cli.ExitUsage, "", err)
	}
	v.Design = home.Design
	plain, _, err := s.Template.Model(s.Networks, "", 0)
	if err != nil {
		return err
	}
	if err := v.choose(s, rivals); err != nil {
		return err
	}
	if v.Declared, err = v.compare(plain); err != nil {
		return cli.Hinted(cli.ExitUsage, "", err)
	}
	if v.Declared.Value == nil {
		return cli.Hinted(cli.ExitInfeasible, "`apollo design neighbours` shows which changes repair it", fmt.Errorf("the design is out: %s", v.Declared.Lost))
	}
	for _, k := range s.Template.Constants() {
		for _, factor := range []float64{1 - v.By, 1 + v.By} {
			m, value, err := s.Template.Model(s.Networks, k.Name, factor)
			if err != nil {
				return err
			}
			if value == k.Value {
				continue // a whole number that cannot be smaller
			}
			x := move{Constant: k.Name, Unit: k.Unit, From: k.Value, To: value}
			if x.standing, err = v.compare(m); err != nil {
				return err
			}
			if x.Ahead {
				v.Ahead++
			}
			v.Moves = append(v.Moves, x)
		}
	}
	return nil
}

// choose finds the rivals: the named ones, or all neighbours. Those that a model
// finds infeasible or above the limit do not count in its comparison.
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
	for i, p := range s.params() {
		for _, to := range levelsAround(p, s.point.Values[i], false) {
			v.Rivals, v.rivals = append(v.Rivals, p.Name+"="+rivalText(to, p.Unit)), append(v.rivals, s.changed(i, to))
		}
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

func (v *sensitivity) compare(measure frame.Measured) (standing, error) {
	var at standing
	r, why, err := measure(v.point)
	if err != nil {
		return at, err
	}
	switch {
	case why != nil:
		at.Lost = why.Message
	case v.tooLarge(r):
		at.Lost = fmt.Sprintf("its area is %s, the limit %s", cli.Quantity(*r.Of(areaMetric), "mm2"), cli.Quantity(v.limit, "mm2"))
	default:
		at.Value = r[v.metric].Value
	}
	for i, rival := range v.rivals {
		r, why, err := measure(rival)
		if err != nil {
			return at, err
		}
		if why != nil || v.tooLarge(r) {
			continue
		}
		if value := r[v.metric].Value; at.RivalValue == nil || *value < *at.RivalValue {
			at.Rival, at.RivalValue = v.Rivals[i], value
		}
	}
	at.Ahead = at.Value != nil && (at.RivalValue == nil || *at.Value <= *at.RivalValue)
	if at.Value != nil && at.RivalValue != nil {
		at.Margin = new((*at.RivalValue - *at.Value) / *at.Value)
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
		}
		g.Add(m.Constant, constantText(m.From, m.Unit), constantText(m.To, m.Unit), orNone(m.Value, v.Unit), orNone(m.RivalValue, v.Unit), signed(m.Margin), verdict, m.Rival)
	}
	return cli.Answer{Value: v, Items: items, Grid: g, Text: func(w io.Writer, p cli.Paint) {
		d := &v.Declared
		word := "ahead of"
		if !d.Ahead {
			word = "behind the best of"
		}
		fmt.Fprintf(w, "%s %s, %s %s", v.Metric, cli.Quantity(*d.Value, v.Unit), word, cli.Plural(len(v.Rivals), "rival"))
		if d.Margin != nil {
			fmt.Fprintf(w, " (%s: %s, %s)", d.Rival, cli.Quantity(*d.RivalValue, v.Unit), signed(d.Margin))
		}
		fmt.Fprintf(w, "\nahead in %d of %d moves of a constant by %s\n\n", v.Ahead, len(v.Moves), cli.Percent(v.By))
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
