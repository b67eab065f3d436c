package study

import (
	"math"

	"apollo/events"
)

// tracker follows the best feasible trial and how long ago it was found.
type tracker struct {
	spec  *events.Spec
	best  *events.BestTrial
	value float64 // of the first objective, minimised
	// mark is the value, and markTrial the trial, of the last improvement that
	// was large enough to restart the plateau.
	mark      float64
	markTrial int
	last      int // last trial that was seen
}

func newTracker(spec *events.Spec) tracker {
	return tracker{spec: spec, value: math.Inf(1), mark: math.Inf(1), markTrial: -1, last: -1}
}

// other sees a trial that is not feasible.
func (t *tracker) other(trial int) { t.last = max(t.last, trial) }

// feasible sees a feasible trial, and reports whether it is the best so far.
// Ties keep the earlier trial.
func (t *tracker) feasible(trial int, design events.Design, values []float64) bool {
	t.last = max(t.last, trial)
	o := objectives(t.spec, values)
	if o == nil || o[0] >= t.value {
		return false
	}
	t.value = o[0]
	t.best = best(t.spec, trial, design, values)
	improvement := 0.0
	if p := t.spec.Stop.Plateau; p != nil {
		improvement = p.Improvement
	}
	if math.IsInf(t.mark, 1) || t.mark-t.value >= improvement*math.Abs(t.mark) {
		t.mark, t.markTrial = t.value, trial
	}
	return true
}

// reached returns why the study is to end now: "target", "plateau" or "".
// The plateau counts trials from floor on.
func (t *tracker) reached(floor int) string {
	if t.best == nil {
		return ""
	}
	if o := t.spec.Objectives[0]; o.Target != nil {
		target := *o.Target
		if o.Goal == "maximize" {
			target = -target
		}
		if t.value <= target {
			return "target"
		}
	}
	if p := t.spec.Stop.Plateau; p != nil && t.last-max(t.markTrial, floor-1) >= p.Trials {
		return "plateau"
	}
	return ""
}
