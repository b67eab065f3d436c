package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/floats"

	"apollo/evaluator"
	"apollo/events"
	"apollo/internal/correlation"
	"apollo/optimizer"
	"apollo/services/cli"
	"apollo/services/draw"
	"apollo/services/inspect"
	"apollo/services/study"
)

// hypervolume is what the front dominates after every trial; nil for one objective.
func hypervolume(l *ledger) *draw.Chart {
	spec := l.view.Spec
	if len(spec.Objectives) < 2 {
		return nil
	}
	front, s := study.NewFront(spec), draw.Series{Look: bestLook, Stairs: true}
	for i := range l.trials {
		t := &l.trials[i]
		if !t.judgement.Feasible {
			continue
		}
		front.Add(t.number, t.design, t.result.Values)
		if v := front.Hypervolume(); v != nil {
			s.X, s.Y = append(s.X, float64(t.number)), append(s.Y, *v)
		}
	}
	text := func(v float64) (text string) {
		for i, o := range spec.Objectives { // the first takes the prefix: 7 ms mm²
			unit := spec.Metrics[spec.MetricIndex(o.Metric)].Unit
			if i == 0 {
				text = drawnText(unit)(v)
			} else if unit != "" {
				text += strings.TrimPrefix(drawnText(unit)(1), "1")
			}
		}
		return text
	}
	return shownChart(&draw.Chart{Title: "hypervolume of the front", X: trialAxis(), Y: draw.Axis{Title: "hypervolume", Text: text}, Series: kept(s)})
}

// importance is that of every parameter for the first objective, over the feasible
// trials, of many the latest.
func importance(g *gallery) (drawing, string) {
	found, why := inspect.ImportanceOf(g.view.Spec, func(yield func(events.Design, []float64) bool) {
		for _, t := range slices.Backward(g.feasible()) {
			if !yield(t.design, t.result.Values) {
				return
			}
		}
	})
	if found == nil {
		return nil, why
	}
	c := &draw.Rows{Title: "importance for " + found.What, X: draw.Axis{Title: "share of the variance that is lost", Text: cli.Percent}}
	for _, p := range found.Parameters {
		c.Rows = append(c.Rows, draw.Row{Name: p.Name, Parts: []float64{p.Mean}, Low: p.Low, High: p.High})
	}
	return c, fmt.Sprintf("The forests explain %s of the variance of trials that they did not see. Trials are where the search went: importance is that near its best designs.", cli.Percent(max(0, found.Explained)))
}

// leftOut is what the model of a study's search says of its trials.
func leftOut(g *gallery) ([]optimizer.LeftOut, error) {
	spec := g.view.Spec
	algorithm, err := optimizer.New(spec.Algorithm.Name, spec.Algorithm.Options)
	if err != nil {
		return nil, err
	}
	catalog := inspect.Builtins()
	conf := study.Config{Spec: spec, Run: g.view.Run, Algorithm: algorithm, Baseline: g.base.Design}
	if inspect.Known(spec) {
		sp, err := spec.Space()
		if err != nil {
			return nil, err
		}
		ev, err := catalog.Bind(spec, sp.Params())
		if err != nil {
			return nil, err
		}
		conf.Checker, _ = ev.(evaluator.Checker)
		t, _ := catalog.Template(spec.Template)
		conf.Features = t.Features
	}
	var trials []study.Answered
	for i := range g.trials {
		if t := &g.trials[i]; t.result != nil && t.voidedBy == 0 {
			trials = append(trials, study.Answered{Design: t.design, Origin: t.origin, Result: t.result, Judgement: t.judgement})
		}
	}
	return study.LeaveOneOut(conf, trials)
}

// modelled is every trial as the model of the search would have said it without it.
func modelled(g *gallery) (drawing, string) {
	all, err := leftOut(g)
	switch {
	case err != nil:
		return nil, err.Error()
	case len(all) == 0:
		return nil, fmt.Sprintf("its search, %s, has no one model of the objective, or too few trials run", g.view.Spec.Algorithm.Name)
	}
	o := g.view.Spec.Metrics[g.view.Spec.MetricIndex(g.view.Spec.Objectives[0].Metric)]
	inside, outside := draw.Series{Name: "inside its 95 % interval", Look: feasibleLook}, draw.Series{Name: "outside its 95 % interval", Look: bestLook}
	line := draw.Series{Look: 2, Line: true, Faint: true}
	var labels, means []float64
	errors := 0.0
	for _, t := range all {
		const wide = 1.96 // deviations hold 95 % of a normal distribution
		s := &inside
		if math.Abs(t.Mean-t.Label) > wide*t.Deviation {
			s = &outside
		}
		s.X, s.Y = append(s.X, t.Label), append(s.Y, t.Mean)
		labels, means = append(labels, t.Label), append(means, t.Mean)
		errors += (t.Mean - t.Label) * (t.Mean - t.Label)
	}
	for _, at := range []float64{slices.Min(labels), slices.Max(labels)} {
		line.X, line.Y = append(line.X, at), append(line.Y, at)
	}
	mean, spread := floats.Sum(labels)/float64(len(labels)), 0.0
	for _, l := range labels {
		spread += (l - mean) * (l - mean)
	}
	if !(spread > 0) {
		return nil, "all trials of the model are alike"
	}
	found := fmt.Sprintf("rank correlation %.2f, error %s of the deviation", correlation.Spearman(labels, means), cli.Percent(math.Sqrt(errors/spread)))
	note := fmt.Sprintf("Of %s: %s, %s inside the 95 %% interval of the model.", cli.Plural(len(all), "trial"), found, cli.Share(len(inside.X), len(all)))
	if len(g.view.Sources) > 0 {
		note += " What other studies told the search is not in it."
	}
	axis := func(of string) draw.Axis { return draw.Axis{Title: of + " " + o.Short() + ", as the model's label"} }
	return &draw.Chart{Title: o.Short() + ", each trial left out: " + found, X: axis("measured"), Y: axis("predicted"), Series: kept(line, inside, outside)}, note
}

// longestLayers are shown one by one.
const longestLayers = 15

// layered is the time of the best design, or of the first of the front, by layer and
// what it waits for.
func layered(g *gallery) (drawing, string) {
	best := ranked(g.view.Spec, g.feasible())
	if len(best) == 0 {
		return nil, "no trial is feasible"
	}
	s, err := inspect.Of(g.view.Spec)
	if err != nil {
		return nil, err.Error()
	}
	r, err := s.Inspect(s.Point(best[0].design), nil)
	if err != nil || !r.Feasible {
		return nil, "this build measures the design differently"
	}
	c := &draw.Rows{
		Title: fmt.Sprintf("%s: time of trial %d by what its layers wait for", g.view.Study, best[0].number),
		X:     draw.Axis{Title: "time", Text: drawnText("s")},
	}
	runs := map[string]float64{}
	for i := range r.Networks {
		runs[r.Networks[i].Name] = float64(r.Networks[i].Runs)
		if i == 0 {
			for _, p := range r.Networks[i].Latency.Parts() {
				c.Parts = append(c.Parts, p.Name)
			}
		}
	}
	for i := range r.Layers {
		l := &r.Layers[i]
		name := l.ID
		if len(r.Networks) > 1 {
			name = l.Network + "/" + l.ID
		}
		seconds := runs[l.Network] * l.LatencySeconds / float64(max(l.Cycles, 1))
		row := draw.Row{Name: name}
		for _, cycles := range []int64{l.ComputeCycles, l.MemoryCycles, l.IOCycles, l.InstructionCycles, l.SerialCycles} {
			row.Parts = append(row.Parts, seconds*float64(cycles))
		}
		c.Rows = append(c.Rows, row)
	}
	total := func(r draw.Row) (sum float64) {
		for _, v := range r.Parts {
			sum += v
		}
		return sum
	}
	slices.SortStableFunc(c.Rows, func(a, b draw.Row) int { return cmp.Compare(total(b), total(a)) })
	if rest := len(c.Rows) - longestLayers; rest > 1 {
		others := draw.Row{Name: fmt.Sprintf("%s others", cli.Count(rest)), Parts: make([]float64, len(c.Parts))}
		for _, row := range c.Rows[longestLayers:] {
			for k, v := range row.Parts {
				others.Parts[k] += v
			}
		}
		c.Rows = append(c.Rows[:longestLayers:longestLayers], others)
	}
	return c, fmt.Sprintf("Trial %d, on the model of this build.", best[0].number)
}

// listed is the ledger with some of its trials alone, in order.
func (l *ledger) listed(trials []*trial) *ledger {
	some := *l
	some.trials = nil
	for _, t := range trials {
		some.trials = append(some.trials, *t)
	}
	slices.SortFunc(some.trials, func(a, b trial) int { return cmp.Compare(a.number, b.number) })
	return &some
}
