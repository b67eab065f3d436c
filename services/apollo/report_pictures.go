package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"apollo/events"
	"apollo/services/cli"
	"apollo/services/draw"
	"apollo/services/inspect"
)

// The colours of kinds of trials, the same in all pictures.
const (
	feasibleLook = 0
	bestLook     = 1
	firstReason  = 2
)

// axisOf shows a metric by its ratios: what fails is often many times worse.
func axisOf(m events.Metric) draw.Axis {
	return draw.Axis{Log: true, Title: m.Short(), Text: drawnText(m.Unit)}
}

// drawnText writes values of a unit as pictures have them, with the letters that
// studies do without.
func drawnText(unit string) func(v float64) string {
	return func(v float64) string {
		return strings.NewReplacer(" us", " µs", " uJ", " µJ", " mm2", " mm²").Replace(cli.Metric(v, unit))
	}
}

func trialAxis() draw.Axis {
	return draw.Axis{Title: "trial", Text: cli.Significant}
}

// valueAt is a metric of a trial, NaN where it has none.
func (t *trial) valueAt(column int) float64 {
	if t.result == nil || column >= len(t.result.Values) {
		return math.NaN()
	}
	return t.result.Values[column]
}

// bestSoFar is the first objective of every trial; nil for several.
func bestSoFar(l *ledger, base inspect.Baseline, optimum *optimum) *draw.Chart {
	spec := l.view.Spec
	if len(spec.Objectives) != 1 {
		return nil
	}
	o := spec.Objectives[0]
	column := spec.MetricIndex(o.Metric)
	m := spec.Metrics[column]
	feasible, other := draw.Series{Name: "feasible", Look: feasibleLook}, draw.Series{Name: "not feasible", Look: firstReason, Faint: true}
	steps := draw.Series{Name: "best so far", Look: bestLook, Stairs: true}
	best, last := math.NaN(), 0.0
	for i := range l.trials {
		t := &l.trials[i]
		v := t.valueAt(column)
		if math.IsNaN(v) {
			continue
		}
		last = float64(t.number)
		if !t.judgement.Feasible {
			other.X, other.Y = append(other.X, last), append(other.Y, v)
			continue
		}
		feasible.X, feasible.Y = append(feasible.X, last), append(feasible.Y, v)
		if better := v < best; math.IsNaN(best) || better && o.Goal != "maximize" || v > best && o.Goal == "maximize" {
			best = v
			steps.X, steps.Y = append(steps.X, last), append(steps.Y, v)
		}
	}
	if !math.IsNaN(best) {
		steps.X, steps.Y = append(steps.X, last), append(steps.Y, best)
	}
	c := &draw.Chart{Title: "best so far: " + m.Short(), X: trialAxis(), Y: axisOf(m), Series: kept(other, feasible, steps)}
	if v, ok := base.Metrics[m.Name]; ok {
		c.Rules = append(c.Rules, draw.Rule{Name: "baseline " + drawnText(m.Unit)(v), At: v})
	}
	if optimum != nil {
		c.Rules = append(c.Rules, draw.Rule{Name: "proven optimum " + drawnText(m.Unit)(optimum.Value), At: optimum.Value})
	}
	c.Rules = append(c.Rules, limitRules(spec, m, false)...)
	return shownChart(c)
}

// kept leaves out what has no point.
func kept(all ...draw.Series) []draw.Series {
	return slices.DeleteFunc(all, func(s draw.Series) bool { return len(s.X) == 0 })
}

func shownChart(c *draw.Chart) *draw.Chart {
	if len(c.Series) == 0 {
		return nil
	}
	return c
}

func limitRules(spec *events.Spec, m events.Metric, vertical bool) (rules []draw.Rule) {
	for _, c := range spec.Constraints {
		if c.Metric != m.Name {
			continue
		}
		if c.Max != nil {
			rules = append(rules, draw.Rule{Name: "at most " + drawnText(m.Unit)(*c.Max), At: *c.Max, Vertical: vertical})
		}
		if c.Min != nil {
			rules = append(rules, draw.Rule{Name: "at least " + drawnText(m.Unit)(*c.Min), At: *c.Min, Vertical: vertical})
		}
	}
	return rules
}

// plane is the first objective against the second one, or the first metric that has a
// limit, or another one.
func plane(l *ledger) *draw.Chart {
	spec := l.view.Spec
	y := spec.MetricIndex(spec.Objectives[0].Metric)
	x := -1
	switch {
	case len(spec.Objectives) > 1:
		x = spec.MetricIndex(spec.Objectives[1].Metric)
	default:
		for _, c := range spec.Constraints {
			if i := spec.MetricIndex(c.Metric); i != y && x < 0 {
				x = i
			}
		}
		for i := range spec.Metrics {
			if x < 0 && i != y {
				x = i
			}
		}
	}
	if x < 0 {
		return nil
	}
	feasible := draw.Series{Name: "feasible", Look: feasibleLook}
	var broken []draw.Series
	for i := range l.trials {
		t := &l.trials[i]
		vx, vy := t.valueAt(x), t.valueAt(y)
		if math.IsNaN(vx) || math.IsNaN(vy) {
			continue
		}
		into := &feasible
		if !t.judgement.Feasible {
			name := "not feasible"
			if r := t.judgement.Reason; r != nil {
				name = whyText(spec, t, r)
			}
			k := slices.IndexFunc(broken, func(s draw.Series) bool { return s.Name == name })
			if k < 0 {
				k = len(broken)
				broken = append(broken, draw.Series{Name: name, Look: firstReason + k, Faint: true})
			}
			into = &broken[k]
		}
		into.X, into.Y = append(into.X, vx), append(into.Y, vy)
	}
	series := slices.Concat(broken, []draw.Series{feasible})
	if len(spec.Objectives) > 1 {
		front := draw.Series{Name: "front", Look: bestLook}
		for _, b := range frontOf(l.view).Front {
			front.X, front.Y = append(front.X, b.Metrics[spec.Metrics[x].Name]), append(front.Y, b.Metrics[spec.Metrics[y].Name])
		}
		series = append(series, front)
	}
	c := &draw.Chart{
		Title: spec.Metrics[y].Short() + " against " + spec.Metrics[x].Short(), X: axisOf(spec.Metrics[x]), Y: axisOf(spec.Metrics[y]), Series: kept(series...),
		Rules: append(limitRules(spec, spec.Metrics[x], true), limitRules(spec, spec.Metrics[y], false)...),
	}
	return shownChart(c)
}

// whyText is a reason; of a limit it says which.
func whyText(spec *events.Spec, t *trial, r *events.Reason) string {
	if r.Code != events.ReasonConstraint {
		return r.Code
	}
	for _, c := range spec.Constraints {
		k := spec.MetricIndex(c.Metric)
		if v := t.valueAt(k); c.Max != nil && v > *c.Max || c.Min != nil && v < *c.Min {
			return "limit on " + spec.Metrics[k].Short()
		}
	}
	return r.Code
}

// causes counts reasons over the trials.
func causes(l *ledger) *draw.Chart {
	var series []draw.Series
	for i := range l.trials {
		t := &l.trials[i]
		if t.result == nil || t.judgement.Reason == nil {
			continue
		}
		name := whyText(l.view.Spec, t, t.judgement.Reason)
		k := slices.IndexFunc(series, func(s draw.Series) bool { return s.Name == name })
		if k < 0 {
			k = len(series)
			series = append(series, draw.Series{Name: name, Look: k, Stairs: true, X: []float64{0}, Y: []float64{0}})
		}
		s := &series[k]
		s.X, s.Y = append(s.X, float64(t.number)), append(s.Y, s.Y[len(s.Y)-1]+1)
	}
	for k := range series {
		s := &series[k]
		s.X, s.Y = append(s.X, float64(len(l.trials)-1)), append(s.Y, s.Y[len(s.Y)-1])
	}
	return shownChart(&draw.Chart{Title: "trials that were not feasible, by reason", X: trialAxis(), Y: draw.Axis{Title: "trials so far"}, Series: series})
}

// coordinates are the feasible trials across the parameters that differ.
func coordinates(l *ledger) *draw.Parallel {
	spec := l.view.Spec
	best := ranked(spec, l.feasible())
	if len(best) == 0 {
		return nil
	}
	p := &draw.Parallel{Title: spec.Study + ": designs of the feasible trials", BestName: "the best tenth", RestName: "the others"}
	for k, param := range spec.Parameters {
		col := draw.Column{Name: param.Name}
		for _, t := range best {
			col.Values = append(col.Values, float64(level(&param, t.design[k].Num, t.design[k].Label)))
		}
		if slices.Min(col.Values) == slices.Max(col.Values) {
			continue
		}
		for _, at := range []float64{slices.Min(col.Values), slices.Max(col.Values)} {
			col.Marks = append(col.Marks, draw.Mark{At: at, Text: levelText(&param, int(at))})
		}
		p.Columns = append(p.Columns, col)
	}
	o := spec.MetricIndex(spec.Objectives[0].Metric)
	col := draw.Column{Name: spec.Metrics[o].Short()}
	for _, t := range best {
		col.Values = append(col.Values, t.valueAt(o))
	}
	for _, at := range []float64{slices.Min(col.Values), slices.Max(col.Values)} {
		col.Marks = append(col.Marks, draw.Mark{At: at, Text: drawnText(spec.Metrics[o].Unit)(at)})
	}
	p.Columns = append(p.Columns, col)
	for i := range (len(best) + 9) / 10 {
		p.Best = append(p.Best, i)
	}
	if len(p.Columns) < 2 {
		return nil
	}
	return p
}

func level(p *events.Parameter, number float64, label string) int {
	if len(p.Labels) > 0 {
		return slices.Index(p.Labels, label)
	}
	return slices.Index(p.Values, number)
}

func levelText(p *events.Parameter, at int) string {
	if len(p.Labels) > 0 {
		return p.Labels[at]
	}
	return cli.Quantity(p.Values[at], p.Unit)
}

// work counts the answers of every worker.
func work(l *ledger) *draw.Chart {
	var series []draw.Series
	for i := range l.trials {
		t := &l.trials[i]
		if t.result == nil || t.worker == "" {
			continue
		}
		k := slices.IndexFunc(series, func(s draw.Series) bool { return s.Name == t.worker })
		if k < 0 {
			k = len(series)
			series = append(series, draw.Series{Name: t.worker, Look: k, Stairs: true})
		}
		s := &series[k]
		s.X, s.Y = append(s.X, float64(t.number)), append(s.Y, float64(len(s.Y)+1))
	}
	slices.SortStableFunc(series, func(a, b draw.Series) int { return cmp.Compare(a.Name, b.Name) })
	for k := range series {
		series[k].Look = k
	}
	return shownChart(&draw.Chart{Title: "trials answered, by worker", X: trialAxis(), Y: draw.Axis{Title: "answers so far", Text: func(v float64) string { return strconv.Itoa(int(v)) }}, Series: series})
}

// countText says how a study's trials ended.
func (l *ledger) countText() string {
	c := l.counts
	text := fmt.Sprintf("%s: %s; %s feasible", cli.Plural(c.Trials, "trial"), endedText(c.Measured, c.Infeasible, c.Failed, c.Stopped), cli.Count(c.Feasible))
	if l.fidelity != nil {
		text += "; " + fidelityText(l.view.Spec, l.fidelity)
	}
	return text
}
