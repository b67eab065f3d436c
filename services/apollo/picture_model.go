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

// hypervolume is what the front dominates after every trial.
func hypervolume(g *gallery) painter {
	spec := g.view.Spec
	if len(spec.Objectives) < 2 {
		return nothing("it has one objective")
	}
	front, s := study.NewFront(spec), draw.Series{Look: bestLook, Stairs: true}
	last := 0
	return painter{func(t *trial) {
		if !t.judgement.Feasible {
			return
		}
		last = t.number
		front.Add(t.number, t.design, t.result.Values)
		if v, n := front.Hypervolume(), len(s.Y); v != nil && (n == 0 || s.Y[n-1] != *v) {
			s.X, s.Y = append(s.X, float64(last)), append(s.Y, *v)
		}
	}, func() (drawing, string) {
		if v := front.Hypervolume(); v != nil && s.X[len(s.X)-1] < float64(last) {
			s.X, s.Y = append(s.X, float64(last)), append(s.Y, *v)
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
		return charted(&draw.Chart{Title: "hypervolume of the front", X: trialAxis(), Y: draw.Axis{Title: "hypervolume", Text: text}, Series: kept(s)}, "it has no reference yet")
	}}
}

// importance is that of every parameter for the first objective, over the feasible
// trials, of many the latest.
func importance(g *gallery) painter {
	var latest []*trial // many enough, and up to as many older ones
	return painter{func(t *trial) {
		if !t.judgement.Feasible {
			return
		}
		if latest = append(latest, t.clone()); len(latest) == 2*inspect.ImportanceTrials {
			latest = append(latest[:0], latest[inspect.ImportanceTrials:]...)
		}
	}, func() (drawing, string) {
		found, why := inspect.ImportanceOf(g.view.Spec, func(yield func(events.Design, []float64) bool) {
			for _, t := range slices.Backward(latest) {
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
	}}
}

// examinerOf is who asks the model of a study's search.
func examinerOf(g *gallery) (*study.Examiner, error) {
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
	return study.NewExaminer(conf)
}

// modelled is every trial as the model of the search would have said it without it.
func modelled(g *gallery) painter {
	examiner, err := examinerOf(g)
	if err != nil {
		return nothing(err.Error())
	}
	return painter{func(t *trial) {
		if t.result != nil && t.voidedBy == 0 {
			examiner.Tell(study.Answered{Design: t.design, Origin: t.origin, Result: t.result, Judgement: t.judgement})
		}
	}, func() (drawing, string) { return leftOut(g, examiner) }}
}

// leftOut is what the model of a study's search says of its trials.
func leftOut(g *gallery, examiner *study.Examiner) (drawing, string) {
	all, err := examiner.LeaveOneOut()
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
func layered(g *gallery) painter {
	first := bestFew{spec: g.view.Spec, n: 1}
	return painter{func(t *trial) {
		if t.judgement.Feasible {
			first.add(t)
		}
	}, func() (drawing, string) {
		best := first.ranked()
		if len(best) == 0 {
			return nil, "no trial is feasible"
		}
		return layersOf(g, best[0])
	}}
}

// layersOf is the time of the design of a trial, by layer.
func layersOf(g *gallery, best *trial) (drawing, string) {
	s, err := inspect.Of(g.view.Spec)
	if err != nil {
		return nil, err.Error()
	}
	r, err := s.Inspect(s.Point(best.design), nil)
	if err != nil || !r.Feasible {
		return nil, "this build measures the design differently"
	}
	c := &draw.Rows{
		Title: fmt.Sprintf("%s: time of trial %d by what its layers wait for", g.view.Study, best.number),
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
	return c, fmt.Sprintf("Trial %d, on the model of this build.", best.number)
}
