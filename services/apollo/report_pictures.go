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

// bestSoFar is the first objective of every trial.
func bestSoFar(g *gallery) painter {
	spec := g.view.Spec
	if len(spec.Objectives) != 1 {
		return nothing("it has several objectives")
	}
	o := spec.Objectives[0]
	column := spec.MetricIndex(o.Metric)
	m := spec.Metrics[column]
	feasible, other := draw.Series{Name: "feasible", Look: feasibleLook}, draw.Series{Name: "not feasible", Look: firstReason, Faint: true}
	low := draw.Series{Name: "low fidelity", Look: firstReason + 1, Faint: true}
	steps := draw.Series{Name: "best so far", Look: bestLook, Stairs: true}
	best, last := math.NaN(), 0.0
	return painter{func(t *trial) {
		v := t.valueAt(column)
		if math.IsNaN(v) {
			return
		}
		last = float64(t.number)
		if !t.judgement.Feasible {
			into := &other
			if !spec.Full(t.design) {
				into = &low
			}
			into.X, into.Y = append(into.X, last), append(into.Y, v)
			return
		}
		feasible.X, feasible.Y = append(feasible.X, last), append(feasible.Y, v)
		if better := v < best; math.IsNaN(best) || better && o.Goal != "maximize" || v > best && o.Goal == "maximize" {
			best = v
			steps.X, steps.Y = append(steps.X, last), append(steps.Y, v)
		}
	}, func() (drawing, string) {
		if !math.IsNaN(best) {
			steps.X, steps.Y = append(steps.X, last), append(steps.Y, best)
		}
		c := &draw.Chart{Title: "best so far: " + m.Short(), X: trialAxis(), Y: axisOf(m), Series: kept(low, other, feasible, steps)}
		if v, ok := g.base.Metrics[m.Name]; ok {
			c.Rules = append(c.Rules, draw.Rule{Name: "baseline " + drawnText(m.Unit)(v), At: v})
		}
		if g.optimum != nil {
			c.Rules = append(c.Rules, draw.Rule{Name: "proven optimum " + drawnText(m.Unit)(g.optimum.Value), At: g.optimum.Value})
		}
		c.Rules = append(c.Rules, limitRules(spec, m, false)...)
		return charted(c, "no trial has a value")
	}}
}

// kept leaves out what has no point.
func kept(all ...draw.Series) []draw.Series {
	return slices.DeleteFunc(all, func(s draw.Series) bool { return len(s.X) == 0 })
}

// charted is a chart, unless it has no point.
func charted(c *draw.Chart, nothing string) (drawing, string) {
	if len(c.Series) == 0 {
		return nil, nothing
	}
	return c, ""
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
func plane(g *gallery) painter {
	spec := g.view.Spec
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
	const alone = "no trial has two metrics"
	if x < 0 {
		return nothing(alone)
	}
	feasible := draw.Series{Name: "feasible", Look: feasibleLook}
	var broken []draw.Series
	return painter{func(t *trial) {
		vx, vy := t.valueAt(x), t.valueAt(y)
		if math.IsNaN(vx) || math.IsNaN(vy) {
			return
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
	}, func() (drawing, string) {
		series := slices.Concat(broken, []draw.Series{feasible})
		if len(spec.Objectives) > 1 {
			front := draw.Series{Name: "front", Look: bestLook}
			for _, b := range frontOf(g.view).Front {
				front.X, front.Y = append(front.X, b.Metrics[spec.Metrics[x].Name]), append(front.Y, b.Metrics[spec.Metrics[y].Name])
			}
			series = append(series, front)
		}
		return charted(&draw.Chart{
			Title: spec.Metrics[y].Short() + " against " + spec.Metrics[x].Short(), X: axisOf(spec.Metrics[x]), Y: axisOf(spec.Metrics[y]), Series: kept(series...),
			Rules: append(limitRules(spec, spec.Metrics[x], true), limitRules(spec, spec.Metrics[y], false)...),
		}, alone)
	}}
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

// counted counts trials of one kind. Of very many it keeps every second, every fourth and
// so on: what is left is exact, and nearer together than a picture shows.
type counted struct {
	draw.Series
	count, last int // of all, and the trial of the last one
	every       int // a power of 2
}

// mostCounts is how many counts are kept at most.
const mostCounts = 1 << 14

func (c *counted) add(trial int) {
	c.last = trial
	if c.count++; c.count%max(c.every, 1) != 0 {
		return
	}
	c.X, c.Y = append(c.X, float64(trial)), append(c.Y, float64(c.count))
	if len(c.X) < mostCounts {
		return
	}
	c.every = 2 * max(c.every, 1)
	n := 0
	for i := range c.X {
		if int(c.Y[i])%c.every == 0 {
			c.X[n], c.Y[n] = c.X[i], c.Y[i]
			n++
		}
	}
	c.X, c.Y = c.X[:n], c.Y[:n]
}

// countedKinds are those of several kinds, in the order in which they first came up.
type countedKinds []*counted

func (k *countedKinds) add(name string, trial int) {
	at := slices.IndexFunc(*k, func(c *counted) bool { return c.Name == name })
	if at < 0 {
		at = len(*k)
		*k = append(*k, &counted{Series: draw.Series{Name: name, Look: at, Stairs: true}})
	}
	(*k)[at].add(trial)
}

// causes counts reasons over the trials, without those whose fidelity does not count: that is
// no failure.
func causes(g *gallery) painter {
	var kinds countedKinds
	last := 0.0
	return painter{func(t *trial) {
		last = float64(t.number)
		if t.result != nil && t.judgement.Reason != nil && t.judgement.Reason.Code != events.ReasonLowFidelity {
			kinds.add(whyText(g.view.Spec, t, t.judgement.Reason), t.number)
		}
	}, func() (drawing, string) {
		var series []draw.Series
		for _, k := range kinds {
			s := k.Series
			s.X, s.Y = slices.Concat([]float64{0}, s.X, []float64{last}), slices.Concat([]float64{0}, s.Y, []float64{float64(k.count)})
			series = append(series, s)
		}
		return charted(&draw.Chart{Title: "trials that were not feasible, by reason", X: trialAxis(), Y: draw.Axis{Title: "trials so far"}, Series: series}, "every trial is feasible")
	}}
}

// mostRows is how many trials a picture across all parameters shows: more would hide each
// other.
const mostRows = 3000

// coordinates are the feasible trials across the parameters that differ. It keeps the
// levels of each and its objectives.
func coordinates(g *gallery) painter {
	spec := g.view.Spec
	var levels []int32 // of a trial behind each other
	var points [][]float64
	return painter{func(t *trial) {
		if !t.judgement.Feasible {
			return
		}
		for k := range spec.Parameters {
			levels = append(levels, int32(level(&spec.Parameters[k], t.design[k].Num, t.design[k].Label)))
		}
		points = append(points, minimisedOf(spec, inspect.Metrics(spec, t.result.Values)))
	}, func() (drawing, string) {
		order := rankedPoints(points)
		note := ""
		if n := len(order); n > mostRows {
			note = fmt.Sprintf("Of %s feasible trials %s are shown, evenly from the best to the worst.", cli.Count(n), cli.Count(mostRows))
			for i := range mostRows {
				order[i] = order[i*(n-1)/(mostRows-1)]
			}
			order = order[:mostRows]
		}
		if p := coordinatesOf(spec, order, levels, points); p != nil {
			return p, note
		}
		return nil, "no trial is feasible, or all feasible ones are alike"
	}}
}

// coordinatesOf draws the trials of an order, best first; nil where they do not differ.
func coordinatesOf(spec *events.Spec, order []int, levels []int32, points [][]float64) *draw.Parallel {
	if len(order) == 0 {
		return nil
	}
	p := &draw.Parallel{Title: spec.Study + ": designs of the feasible trials", BestName: "the best tenth", RestName: "the others"}
	for k, param := range spec.Parameters {
		col := draw.Column{Name: param.Name}
		for _, i := range order {
			col.Values = append(col.Values, float64(levels[i*len(spec.Parameters)+k]))
		}
		if slices.Min(col.Values) == slices.Max(col.Values) {
			continue
		}
		for _, at := range []float64{slices.Min(col.Values), slices.Max(col.Values)} {
			col.Marks = append(col.Marks, draw.Mark{At: at, Text: levelText(&param, int(at))})
		}
		p.Columns = append(p.Columns, col)
	}
	o := spec.Objectives[0]
	m := spec.Metrics[spec.MetricIndex(o.Metric)]
	col := draw.Column{Name: m.Short()}
	for _, i := range order {
		v := points[i][0]
		if o.Goal == "maximize" {
			v = -v
		}
		col.Values = append(col.Values, v)
	}
	for _, at := range []float64{slices.Min(col.Values), slices.Max(col.Values)} {
		col.Marks = append(col.Marks, draw.Mark{At: at, Text: drawnText(m.Unit)(at)})
	}
	p.Columns = append(p.Columns, col)
	for i := range (len(order) + 9) / 10 {
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
func work(*gallery) painter {
	var kinds countedKinds
	return painter{func(t *trial) {
		if t.result != nil && t.worker != "" {
			kinds.add(t.worker, t.number)
		}
	}, func() (drawing, string) {
		slices.SortStableFunc(kinds, func(a, b *counted) int { return cmp.Compare(a.Name, b.Name) })
		var series []draw.Series
		for i, k := range kinds {
			k.Look = i
			if n := len(k.Y); n == 0 || k.Y[n-1] < float64(k.count) {
				k.X, k.Y = append(k.X, float64(k.last)), append(k.Y, float64(k.count))
			}
			series = append(series, k.Series)
		}
		return charted(&draw.Chart{Title: "trials answered, by worker", X: trialAxis(), Y: draw.Axis{Title: "answers so far", Text: func(v float64) string { return strconv.Itoa(int(v)) }}, Series: series}, "no worker answered a trial")
	}}
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
