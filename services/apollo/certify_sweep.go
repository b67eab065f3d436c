package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"apollo/archiver"
	"apollo/events"
	"apollo/events/unit"
	"apollo/optimizer/space"
	"apollo/services/certify"
	"apollo/services/cli"
	"apollo/services/draw"
	"apollo/services/inspect"
)

// swept is the answer of `certify --sweep`.
type swept struct {
	Study  string `json:"study"`
	Metric string `json:"metric"`
	Unit   string `json:"unit"`
	// Limited is the metric whose limit moves, in LimitUnit.
	Limited   string      `json:"limited"`
	LimitUnit string      `json:"limit_unit"`
	Steps     []sweptStep `json:"steps"`
	// Evaluated is how many designs were measured for all steps together.
	Evaluated uint64       `json:"evaluated"`
	Seconds   float64      `json:"seconds"`
	Spec      *events.Spec `json:"spec"`
}

// sweptStep is the proven optimum under one limit; all but Limit is null where no
// design is feasible.
type sweptStep struct {
	Limit float64  `json:"limit"`
	Value *float64 `json:"value"`
	// Slope is how the optimum changes from the limit before, per unit of the
	// limited metric.
	Slope   *float64           `json:"slope"`
	Tied    uint64             `json:"tied"`
	Design  map[string]any     `json:"design"`
	Metrics map[string]float64 `json:"metrics"`
}

// mostSteps bounds a sweep; each step is a row.
const mostSteps = 1000

// parseSweep reads "area=4..10 mm2" as a metric and rising limits.
func parseSweep(spec *events.Spec, text string, steps int) (metric events.Metric, limits []float64, err error) {
	name, span, ok := strings.Cut(text, "=")
	low, high, ranged := strings.Cut(span, "..")
	if !ok || !ranged {
		return metric, nil, cli.Usagef("--sweep %q: want metric=low..high, as in area=4..10mm2", text)
	}
	if steps < 2 || steps > mostSteps {
		return metric, nil, cli.Usagef("--steps %d: want 2 to %d", steps, mostSteps)
	}
	var names []string
	for _, m := range spec.Metrics {
		names = append(names, m.Short())
	}
	at := slices.Index(names, name)
	if at < 0 {
		return metric, nil, cli.Hinted(cli.ExitUsage, "the study has: "+strings.Join(names, ", ")+"; name "+name+" under `spec.metrics` where it is computed", fmt.Errorf("--sweep %s: the study has no metric %q", text, name))
	}
	metric = spec.Metrics[at]
	if spec.Objectives[0].Metric == metric.Name {
		return metric, nil, cli.Usagef("--sweep %s: %s is the objective; want a metric that has a limit", text, name)
	}
	if q, err := unit.Parse(high); err == nil && q.Unit.Symbol == "" && metric.Unit == areaUnit {
		high += areaUnit // the one unit in which studies write areas
	}
	if q, err := unit.Parse(low); err == nil && q.Unit.Symbol == "" {
		low += unit.Symbol(high)
	}
	p := space.Param{Name: name, Unit: metric.Unit}
	from, err := quantityOf("--sweep "+text, low, p)
	if err != nil {
		return metric, nil, err
	}
	to, err := quantityOf("--sweep "+text, high, p)
	if err != nil {
		return metric, nil, err
	}
	if !(from.Num > 0 && from.Num < to.Num) {
		return metric, nil, cli.Usagef("--sweep %s: want the smaller limit first, above 0, and another one behind it, as in area=4..10mm2", text)
	}
	for i := range steps {
		share := float64(i) / float64(steps-1)
		limits = append(limits, from.Num*(1-share)+to.Num*share)
	}
	limits[steps-1] = to.Num
	return metric, limits, nil
}

// areaUnit is the unit of areas.
const areaUnit = "mm2"

// loosened is the study with one limit on the metric, the given one.
func loosened(spec *events.Spec, metric string, limit float64) (*events.Spec, error) {
	loose := *spec
	loose.Constraints = nil
	for _, c := range spec.Constraints {
		if c.Metric == metric && c.Min != nil {
			return nil, cli.Usagef("--sweep %s: the study wants at least %g of it, and a sweep moves what is at most", metric, *c.Min)
		}
		if c.Metric != metric {
			loose.Constraints = append(loose.Constraints, c)
		}
	}
	loose.Constraints = append(loose.Constraints, events.Constraint{Metric: metric, Max: &limit})
	return &loose, nil
}

func (a *app) certifySweep(ctx context.Context, spec *events.Spec, text string, steps, workers int) error {
	if len(spec.Objectives) != 1 {
		return cli.Usagef("--sweep wants a study with one objective, this one has %d", len(spec.Objectives))
	}
	metric, limits, err := parseSweep(spec, text, steps)
	if err != nil {
		return err
	}
	loose, err := loosened(spec, metric.Name, limits[len(limits)-1])
	if err != nil {
		return err
	}
	problem, ev, err := prover(loose)
	if errors.Is(err, certify.ErrNoProof) {
		return cli.Hinted(cli.ExitUsage, proofHint, err)
	}
	if err != nil {
		return err
	}
	began := time.Now()
	var shown time.Time
	optima, evaluated, err := problem.Sweep(ctx, metric.Name, limits, workers, func(done, groups int) {
		a.showGroups(fmt.Sprintf("%s of %s groups settled", cli.Count(done), cli.Count(groups)), &shown)
	})
	a.Console.Clear()
	if err != nil {
		if cli.IsInterrupted(ctx) {
			return cli.Hinted(cli.ExitInterrupted, "a sweep that is interrupted keeps nothing: the same command starts anew", err)
		}
		return err
	}
	o := spec.Objectives[0]
	v := &swept{
		Study: spec.Study, Metric: o.Metric, Unit: spec.Metrics[spec.MetricIndex(o.Metric)].Unit, Limited: metric.Name, LimitUnit: metric.Unit,
		Evaluated: evaluated, Spec: loose,
	}
	for i, optimum := range optima {
		s := sweptStep{Limit: optimum.Limit, Value: optimum.Value, Tied: optimum.Tied}
		if optimum.Value != nil {
			s.Design = problem.Design(optimum.Index)
			if s.Metrics, err = measure(ctx, ev, loose, s.Design); err != nil {
				return err
			}
			if i > 0 && optima[i-1].Value != nil {
				s.Slope = new((*optimum.Value - *optima[i-1].Value) / (optimum.Limit - optima[i-1].Limit))
			}
		}
		v.Steps = append(v.Steps, s)
	}
	v.Seconds = cli.Round(time.Since(began).Seconds(), 3)
	if err := a.Print(v.answer()); err != nil {
		return err
	}
	if err := a.keepSweep(ctx, problem, v, optima); err != nil {
		return err
	}
	if v.Steps[len(v.Steps)-1].Value == nil {
		return cli.Hinted(cli.ExitInfeasible, "raise the upper end, or loosen the other constraints", fmt.Errorf("no design is feasible under any of the limits"))
	}
	return nil
}

// keepSweep keeps what a sweep proved for the budget ladder of the dashboard.
func (a *app) keepSweep(ctx context.Context, problem *certify.Problem, v *swept, optima []certify.Optimum) error {
	key, _, err := problem.LadderKeys(ctx, v.Limited, nil)
	if err != nil {
		return err
	}
	return certify.ChangeLadder(a.Data, key, func(l *certify.Ladder, damaged error) {
		if damaged != nil {
			a.Say("%v: it is written anew", damaged)
		}
		l.Study, l.Metric, l.Unit, l.Limited, l.LimitUnit = v.Study, v.Metric, v.Unit, v.Limited, v.LimitUnit
		l.Add(optima)
	})
}

// differing lists the parameters in which the optima of the steps differ, and
// says what the others are.
func (v *swept) differing() (differ []int, same []string) {
	of := inspect.MeaningOf(v.Spec)
	texts := make([]map[string]bool, len(v.Spec.Parameters))
	for i := range texts {
		texts[i] = map[string]bool{}
	}
	for _, s := range v.Steps {
		if s.Design != nil {
			for i, text := range of.Texts(inspect.DesignOf(v.Spec, s.Design), noLevel, valueText) {
				texts[i][text] = true
			}
		}
	}
	for i := range v.Spec.Parameters {
		if len(texts[i]) != 1 {
			differ = append(differ, i)
			continue
		}
		for text := range texts[i] {
			if text != noLevel {
				same = append(same, v.Spec.Parameters[i].Name+" "+text)
			}
		}
	}
	return differ, same
}

func (v *swept) answer() cli.Answer {
	spec := v.Spec
	sheet := &cli.Grid{Header: []string{"limit_" + v.Limited, archiver.MetricColumn(v.Metric), "slope_" + suffix(v.Metric, v.Unit) + "_per_" + suffix(v.Limited, v.LimitUnit), "tied"}}
	for _, m := range spec.Metrics {
		if m.Name != v.Metric {
			sheet.Header = append(sheet.Header, archiver.MetricColumn(m.Name))
		}
	}
	sheet.Header = append(append(sheet.Header, inspect.ParameterColumns(spec)...), "feasible")
	table := &cli.Grid{Header: []string{">" + strings.ToUpper(cli.Bare(v.Limited, v.LimitUnit)) + " LIMIT", ">USED", ">" + strings.ToUpper(cli.Bare(v.Metric, v.Unit)), strings.TrimSpace(">PER " + v.LimitUnit)}, Fold: true}
	of := inspect.MeaningOf(spec)
	differ, same := v.differing()
	for _, i := range differ {
		table.Header = append(table.Header, ">"+spec.Parameters[i].Name)
	}
	var items []any
	for i := range v.Steps {
		s := &v.Steps[i]
		items = append(items, s)
		exact := []string{plainNumber(&s.Limit), plainNumber(s.Value), plainNumber(s.Slope), strconv.FormatUint(s.Tied, 10)}
		for _, m := range spec.Metrics {
			if x, ok := s.Metrics[m.Name]; m.Name != v.Metric && ok {
				exact = append(exact, plainNumber(&x))
			} else if m.Name != v.Metric {
				exact = append(exact, "")
			}
		}
		var design events.Design // none where no design keeps the limit
		if s.Design != nil {
			design = inspect.DesignOf(spec, s.Design)
		}
		exact = append(append(exact, of.Cells(design)...), strconv.FormatBool(s.Design != nil))
		sheet.Add(exact...)
		used := "-"
		if x, ok := s.Metrics[v.Limited]; ok {
			used = cli.Quantity(x, v.LimitUnit)
		}
		shown := []string{cli.Quantity(s.Limit, v.LimitUnit), used, orNone(s.Value, v.Unit), orNone(s.Slope, v.Unit)}
		texts := of.Texts(design, noLevel, valueText)
		for _, i := range differ {
			shown = append(shown, texts[i])
		}
		table.Add(shown...)
	}
	return cli.Answer{Value: v, Items: items, Sheet: sheet, Draw: v.draw, Text: func(w io.Writer, p cli.Paint) {
		fmt.Fprintf(w, "%s: the best %s under limits on %s, proven\n\n", p.Bold(v.Study), cli.Bare(v.Metric, v.Unit), cli.Bare(v.Limited, v.LimitUnit))
		table.Text(w, p)
		if len(same) > 0 {
			fmt.Fprintf(w, "\n%s\n", p.Wrap("in all of them: "+strings.Join(same, ", "), "  "))
		}
		fmt.Fprintf(w, "\n%s designs evaluated in %s\n", cli.Count(v.Evaluated), cli.Duration(time.Duration(v.Seconds*float64(time.Second))))
	}}
}

// draw draws the proven optima along the limits.
func (v *swept) draw(w io.Writer, format string) error {
	s := draw.Series{Line: true}
	for i := range v.Steps {
		if x := &v.Steps[i]; x.Value != nil {
			s.X, s.Y = append(s.X, x.Limit), append(s.Y, *x.Value)
		}
	}
	metric, limited := cli.Bare(v.Metric, v.Unit), cli.Bare(v.Limited, v.LimitUnit)
	c := draw.Chart{
		Title:  v.Study + ": the best " + metric + " under limits on " + limited + ", proven",
		X:      draw.Axis{Title: "limit on " + limited, Text: drawnText(v.LimitUnit)},
		Y:      draw.Axis{Title: metric, Text: drawnText(v.Unit)},
		Series: []draw.Series{s},
	}
	return c.Draw(w, format)
}

// suffix is the unit of a metric as its name has it.
func suffix(metric, unit string) string {
	return strings.TrimPrefix(metric, cli.Bare(metric, unit)+"_")
}

// plainNumber is a number for programs, "" where there is none.
func plainNumber(v *float64) string {
	if v == nil || math.IsNaN(*v) {
		return ""
	}
	return inspect.Plain(*v)
}
