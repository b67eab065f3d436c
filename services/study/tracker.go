package study

import (
	"math"
	"slices"

	"apollo/events"
)

// tracker follows the answer of a study, the best feasible trial or the Pareto
// front, and how long ago it got better.
type tracker struct {
	spec  *events.Spec
	best  *events.BestTrial // nil with several objectives
	front *Front            // nil with one objective
	noise *noise            // nil where every answer is taken at its word
	value float64           // of the one objective, minimised
	met   bool              // a trial reaches every target
	// mark is the value, or the hypervolume, and markTrial the trial, of the last
	// improvement that was large enough to restart the plateau.
	mark      float64
	markTrial int
	last      int // last trial that was seen
	// full are, in order, the trials that were seen and whose fidelity counts, of a study
	// with fidelity and a plateau.
	full []int
}

func newTracker(spec *events.Spec) tracker {
	t := tracker{spec: spec, value: math.Inf(1), mark: math.Inf(1), markTrial: -1, last: -1}
	if len(spec.Objectives) > 1 {
		t.front, t.mark = NewFront(spec), 0
	}
	return t
}

// other sees a trial that is not feasible.
func (t *tracker) other(trial int, design events.Design) {
	t.saw(trial, design)
}

func (t *tracker) saw(trial int, design events.Design) {
	t.last = max(t.last, trial)
	if t.spec.Fidelity != nil && t.spec.Stop.Plateau != nil && t.spec.Full(design) {
		i, _ := slices.BinarySearch(t.full, trial) // near the end: only those in flight come late
		t.full = slices.Insert(t.full, i, trial)
	}
}

// after is how many trials there are after one. Of a study with fidelity they are those
// that were seen and count: one in flight may be of either kind. None is dropped, because
// an earlier trial that is answered late may be the better one.
func (t *tracker) after(trial int) int {
	if t.spec.Fidelity == nil {
		return t.last - trial
	}
	i, _ := slices.BinarySearch(t.full, trial+1)
	return len(t.full) - i
}

// feasible sees a feasible trial, and returns it by its names when it is the
// best so far, or joins the front; else nil. Ties keep the earlier trial.
func (t *tracker) feasible(trial int, design events.Design, values []float64) *events.BestTrial {
	t.saw(trial, design)
	improvement := 0.0
	if p := t.spec.Stop.Plateau; p != nil {
		improvement = p.Improvement
	}
	if t.front != nil {
		return t.joins(trial, design, values, improvement)
	}
	if t.noise != nil {
		return t.noisy(trial, improvement)
	}
	value := objective(t.spec, 0, values)
	if math.IsNaN(value) || value >= t.value {
		return nil
	}
	t.value = value
	t.best = best(t.spec, trial, design, values)
	t.met = t.reaches([]float64{value})
	if math.IsInf(t.mark, 1) || t.mark-t.value >= improvement*math.Abs(t.mark) {
		t.mark, t.markTrial = t.value, trial
	}
	return t.best
}

// noisy is feasible where answers differ: the best is the design whose worse end
// is best, and that end is what targets and a plateau are about. It returns the
// best where it is another one than before.
func (t *tracker) noisy(trial int, improvement float64) *events.BestTrial {
	now, value := t.noise.best()
	if now == nil {
		return nil
	}
	other := t.best == nil || t.best.Trial != now.Trial
	t.best, t.value, t.met = now, value, t.reaches([]float64{value})
	if math.IsInf(t.mark, 1) || value < t.mark && t.mark-value >= improvement*math.Abs(t.mark) {
		t.mark, t.markTrial = value, trial
	}
	if !other {
		return nil
	}
	return now
}

// answer is the best trial as all that was seen shows it.
func (t *tracker) answer() *events.BestTrial {
	if t.noise != nil && t.best != nil {
		t.best, _ = t.noise.best()
	}
	return t.best
}

// joins is feasible with several objectives. While the front has no hypervolume
// every trial that joins it counts as an improvement.
func (t *tracker) joins(trial int, design events.Design, values []float64, improvement float64) *events.BestTrial {
	if !t.front.Add(trial, design, values) {
		return nil
	}
	joined := t.front.last()
	t.met = t.met || t.reaches(joined.point)
	if t.front.volume-t.mark >= improvement*t.mark {
		t.mark, t.markTrial = t.front.volume, trial
	}
	return &joined.best
}

// reaches reports whether a trial meets every target, and whether there is one.
// o holds its objectives, minimised.
func (t *tracker) reaches(o []float64) bool {
	targets := 0
	for i, objective := range t.spec.Objectives {
		if objective.Target == nil {
			continue
		}
		if o[i] > minimised(objective, *objective.Target) {
			return false
		}
		targets++
	}
	return targets > 0
}

// reached returns why the study is to end now: "target", "plateau" or "".
// The plateau counts trials from floor on, and none of a fidelity that does not count.
func (t *tracker) reached(floor int) string {
	p := t.spec.Stop.Plateau
	switch {
	case t.best == nil && (t.front == nil || t.front.Len() == 0):
		return ""
	case t.met:
		return "target"
	case p != nil && t.after(max(t.markTrial, floor-1)) >= p.Trials:
		return "plateau"
	}
	return ""
}
