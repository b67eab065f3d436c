package study

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"apollo/archiver"
	"apollo/events"
	"apollo/optimizer/space"
)

const (
	// seedsPerSource is how many designs one source seeds (chosen: see
	// docs/architecture.md, Transfer).
	seedsPerSource = 5
	// maxBadSeeds infeasible seeds of a source end its seeding: about half of
	// the good designs of one network are infeasible on another, so one proves
	// little.
	maxBadSeeds = 3
	// maxRepair bounds the legality checks of one seed's repair.
	maxRepair = 20_000
)

// Knowledge is what a run starts with.
type Knowledge struct {
	// Merged are trials of the same measurement under other constraints. They
	// are told to the strategy before the first ask.
	Merged []Known
	// Best are those of Merged that become trials of this run without an
	// evaluation, so that its answer is never worse than what was known.
	Best []Known
	// Seeds are designs that were good elsewhere, to be tried first.
	Seeds []Known
}

// Known is a trial of a source in the study's space.
type Known struct {
	// From is "study/trial".
	From    string
	Point   space.Point
	Design  events.Design
	Outcome string
	Values  []float64 // per Spec.Metrics of this study; nil for seeds
	Reason  *events.Reason
}

// Use says what a source is good for, with an error when nothing. Its trials
// are this study's own ("merge") only where the same version of the evaluator
// measured them: another one gives another number for the same design. A study
// that does not say its version merges with those that do not either.
func Use(spec, source *events.Spec) (string, error) {
	if len(spec.Parameters) != len(source.Parameters) {
		return "", fmt.Errorf("its space has %d parameters, this one %d", len(source.Parameters), len(spec.Parameters))
	}
	for i, p := range spec.Parameters {
		q := source.Parameters[i]
		if p.Name != q.Name || p.Unit != q.Unit || (len(p.Labels) > 0) != (len(q.Labels) > 0) {
			return "", fmt.Errorf("parameter %d is %q [%s] there and %q [%s] here", i, q.Name, q.Unit, p.Name, p.Unit)
		}
	}
	sameMetric := func(a, b events.Metric) bool { return a.Name == b.Name && a.Unit == b.Unit }
	sameNetwork := func(a, b events.Network) bool { return a.SHA256 == b.SHA256 && a.Weight == b.Weight }
	if spec.Template == source.Template && spec.Evaluator.Name == source.Evaluator.Name &&
		spec.Evaluator.Version == source.Evaluator.Version &&
		slices.EqualFunc(spec.Networks, source.Networks, sameNetwork) &&
		slices.EqualFunc(spec.Metrics, source.Metrics, sameMetric) {
		return "merge", nil
	}
	return "seed", nil
}

// Learn turns sources, in their pinned order, into knowledge for a study.
// legal is the study's free check (nil: everything passes). The error names
// the source that does not fit.
func Learn(spec *events.Spec, legal func(space.Point) bool, sources []archiver.Source) (Knowledge, []events.SourcePin, error) {
	var k Knowledge
	var pins []events.SourcePin
	sp, err := spec.Space()
	if err != nil {
		return k, nil, err
	}
	judge, err := events.NewJudge(spec)
	if err != nil {
		return k, nil, err
	}
	l := learner{spec: spec, space: sp, judge: judge, legal: legal, taken: map[uint64]bool{}}
	if l.legal == nil {
		l.legal = func(space.Point) bool { return true }
	}
	for _, s := range sources {
		use, err := Use(spec, s.Spec)
		if err != nil {
			return k, nil, fmt.Errorf("source %s: %w", s.Study, err)
		}
		pins = append(pins, events.SourcePin{Study: s.Study, Run: s.Run, Trials: len(s.Trials), SHA256: s.SHA256, Use: use})
		if use == "merge" {
			merged := l.merge(s)
			k.Merged = append(k.Merged, merged...)
			k.Best = append(k.Best, l.best(merged)...)
			continue
		}
		k.Seeds = append(k.Seeds, l.seeds(s)...)
	}
	if spec.Transfer != nil && len(k.Seeds) > spec.Transfer.Seeds {
		k.Seeds = interleave(k.Seeds)[:spec.Transfer.Seeds]
	}
	return k, pins, nil
}

type learner struct {
	spec  *events.Spec
	space space.Space
	judge *events.Judge
	legal func(space.Point) bool
	taken map[uint64]bool
}

// merge returns the trials of a source that lie in the study's space and have
// an answer.
func (l *learner) merge(s archiver.Source) []Known {
	var out []Known
	for _, t := range s.Trials {
		p, err := l.space.Point(t.Design)
		if err != nil || t.Outcome == events.OutcomeFailed || l.taken[l.space.Index(p)] {
			continue
		}
		l.taken[l.space.Index(p)] = true
		out = append(out, Known{From: from(s, t), Point: p, Design: t.Design, Outcome: t.Outcome, Values: t.Values, Reason: t.Reason})
	}
	return out
}

// best returns the best feasible merged trials, judged under this study.
func (l *learner) best(merged []Known) []Known {
	var good []Known
	for _, k := range merged {
		r := events.TrialResult{Outcome: k.Outcome, Values: k.Values, Reason: k.Reason}
		if l.judge.Judge(k.Design, &r).Feasible && objectives(l.spec, k.Values) != nil {
			good = append(good, k)
		}
	}
	slices.SortStableFunc(good, func(a, b Known) int {
		return cmp.Compare(objectives(l.spec, a.Values)[0], objectives(l.spec, b.Values)[0])
	})
	return good[:min(len(good), seedsPerSource)]
}

// seeds returns the best designs of another measurement: those legal here come
// first, then the nearest legal neighbours of those that are not.
func (l *learner) seeds(s archiver.Source) []Known {
	type candidate struct {
		trial archiver.Trial
		value float64
	}
	var ranked []candidate
	for _, t := range s.Trials {
		if o := objectivesOf(s.Spec, l.spec, t.Values); t.Outcome == events.OutcomeMeasured && !math.IsNaN(o) {
			ranked = append(ranked, candidate{t, o})
		}
	}
	slices.SortStableFunc(ranked, func(a, b candidate) int { return cmp.Compare(a.value, b.value) })
	var out []Known
	for _, repair := range []bool{false, true} {
		for i, c := range ranked {
			if len(out) == seedsPerSource || repair && i >= 2*seedsPerSource {
				break
			}
			p := nearest(l.space, c.trial.Design)
			if p == nil {
				continue
			}
			if repair {
				p = repairPoint(l.space, p, l.legal)
			}
			if p == nil || l.taken[l.space.Index(p)] || !l.legal(p) {
				continue
			}
			l.taken[l.space.Index(p)] = true
			out = append(out, Known{From: from(s, c.trial), Point: p, Design: l.space.Values(p)})
		}
	}
	return out
}

func from(s archiver.Source, t archiver.Trial) string { return fmt.Sprintf("%s/%d", s.Study, t.Trial) }

// seedSource returns the study that a seed's origin names.
func seedSource(origin string) (string, bool) {
	rest, ok := strings.CutPrefix(origin, "seed:")
	if !ok {
		return "", false
	}
	return rest[:max(strings.LastIndexByte(rest, '/'), 0)], true
}

// objectivesOf returns the first objective of the target study, to be
// minimised, in a row of the source's metrics; NaN when it is not there.
func objectivesOf(source, target *events.Spec, values []float64) float64 {
	o := target.Objectives[0]
	i := source.MetricIndex(o.Metric)
	if i < 0 || i >= len(values) {
		return math.NaN()
	}
	if o.Goal == "maximize" {
		return -values[i]
	}
	return values[i]
}

// nearest returns the point whose numeric levels are nearest to the design
// (ties take the lower level), or nil when a label is not in the space.
func nearest(sp space.Space, design events.Design) space.Point {
	p := make(space.Point, sp.Len())
	for i, v := range design {
		param := sp.Param(i)
		if level, ok := param.Level(v); ok {
			p[i] = level
			continue
		}
		if param.Categorical() || v.Label != "" {
			return nil
		}
		distance := math.Inf(1)
		for level, x := range param.Values {
			if d := math.Abs(x - v.Num); d < distance {
				p[i], distance = level, d
			}
		}
	}
	return p
}

// repairPoint returns a legal point few single-level steps away from p, found
// breadth first, or nil when none is within reach.
func repairPoint(sp space.Space, p space.Point, legal func(space.Point) bool) space.Point {
	visited := map[uint64]bool{sp.Index(p): true}
	queue := []space.Point{p}
	for len(queue) > 0 && len(visited) < maxRepair {
		at := queue[0]
		queue = queue[1:]
		if legal(at) {
			return at
		}
		for i := range at {
			for _, step := range []int{-1, 1} {
				q := at.Clone()
				q[i] += step
				if !sp.Contains(q) || visited[sp.Index(q)] {
					continue
				}
				visited[sp.Index(q)] = true
				queue = append(queue, q)
			}
		}
	}
	return nil
}

// interleave orders seeds so that every source gives its best first.
func interleave(seeds []Known) []Known {
	rank := map[string]int{}
	order := make([]int, len(seeds))
	for i, s := range seeds {
		source, _ := seedSource("seed:" + s.From)
		order[i] = rank[source]
		rank[source]++
	}
	index := make([]int, len(seeds))
	for i := range index {
		index[i] = i
	}
	slices.SortStableFunc(index, func(a, b int) int { return cmp.Compare(order[a], order[b]) })
	out := make([]Known, len(seeds))
	for i, j := range index {
		out[i] = seeds[j]
	}
	return out
}
