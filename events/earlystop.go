package events

import (
	"fmt"
	"math"
	"slices"
)

// EarlyStop says that evaluations are stopped which are worse, by the values that
// they report on the way, than others were at the same step.
type EarlyStop struct {
	// Rule is "median": worse than the median of the feasible trials that finished.
	Rule string `json:"rule" jsonschema:"enum=median"`
	// Metric is the full name of the objective's metric, whose goal says what is worse.
	Metric string `json:"metric"`
	// After is how many finished trials must have a value at a step.
	After int `json:"after" jsonschema:"minimum=1"`
	// Warmup is the first step at which an evaluation may be stopped.
	Warmup int64 `json:"warmup,omitempty" jsonschema:"minimum=0"`
}

// RuleMedian is the value of EarlyStop.Rule.
const RuleMedian = "median"

// Stopping is what a work item says of stopping early.
type Stopping struct {
	// Metric is the one whose values are reported; Maximize says that larger ones
	// are better.
	Metric   string `json:"metric"`
	Maximize bool   `json:"maximize,omitempty"`
	// Thresholds are what the evaluations are held against; nil means that their
	// values are noted, and none is stopped.
	Thresholds *Thresholds `json:"thresholds,omitempty"`
}

// Thresholds are frozen when a batch is proposed, so that whoever evaluates it, and
// whenever, stops it at the same value.
type Thresholds struct {
	// Trials is how many finished trials they come from.
	Trials int `json:"trials" jsonschema:"minimum=1"`
	Curve
}

// Curve is a metric by the steps of an evaluation, which ascend.
type Curve struct {
	Steps  []int64 `json:"steps"`
	Values Numbers `json:"values"`
}

// At returns the last value at or before a step, or false where there is none.
func (c *Curve) At(step int64) (value float64, ok bool) {
	i, found := slices.BinarySearch(c.Steps, step)
	if !found {
		i--
	}
	if i < 0 || i >= len(c.Values) {
		return 0, false
	}
	return c.Values[i], true
}

// problem says why it is no curve; "" where it is one.
func (c *Curve) problem() string {
	switch {
	case len(c.Steps) == 0 || len(c.Steps) != len(c.Values):
		return fmt.Sprintf("%d steps and %d intermediate values", len(c.Steps), len(c.Values))
	case len(c.Steps) > MaxSteps:
		return fmt.Sprintf("%d intermediate values, at most %d are allowed", len(c.Steps), MaxSteps)
	case c.Steps[0] < 0:
		return fmt.Sprintf("step %d is negative", c.Steps[0])
	}
	for i, v := range c.Values {
		if v-v != 0 {
			return "an intermediate value is not finite"
		}
		if i > 0 && c.Steps[i] <= c.Steps[i-1] {
			return fmt.Sprintf("step %d after step %d", c.Steps[i], c.Steps[i-1])
		}
	}
	return ""
}

// Watch holds the values that one evaluation reports against the thresholds of its
// work item. It is used by one goroutine.
type Watch struct {
	of   *Stopping
	unit string
	kept Curve
	// Every stride-th value is kept, so that MaxSteps are enough for any number.
	stride, count int
	last          Curve // the last value alone
	next          int   // the first threshold that was not passed
}

// NewWatch follows the evaluation of a design of a work item.
func NewWatch(work *BatchRequested) *Watch {
	w := &Watch{of: work.EarlyStop, stride: 1}
	for _, m := range work.Metrics {
		if m.Name == w.of.Metric {
			w.unit = m.Unit
		}
	}
	return w
}

// Report notes a value, and returns why the evaluation is to be stopped, nil where it
// goes on. A value counts at its step and, until the next one, after it; a threshold
// at a step between two values is about the earlier one. The error is for what is no
// value at a later step than the one before: it is not noted.
func (w *Watch) Report(step int64, value float64) (*Reason, error) {
	switch {
	case math.IsNaN(value) || math.IsInf(value, 0):
		return nil, fmt.Errorf("the intermediate value at step %d is %v, want a finite number", step, value)
	case step < 0:
		return nil, fmt.Errorf("step %d is negative", step)
	case len(w.last.Steps) > 0 && step <= w.last.Steps[0]:
		return nil, fmt.Errorf("step %d is reported after step %d, want a later one", step, w.last.Steps[0])
	}
	before := w.last
	w.last = Curve{[]int64{step}, Numbers{value}}
	for t := w.of.Thresholds; t != nil && w.next < len(t.Steps) && t.Steps[w.next] <= step; w.next++ {
		held := &before
		if t.Steps[w.next] == step {
			held = &w.last
		}
		if v, ok := held.At(t.Steps[w.next]); ok && w.worse(v, t.Values[w.next]) {
			w.end(held)
			return w.reason(held, t, w.next), nil
		}
	}
	w.keep()
	return nil, nil
}

func (w *Watch) worse(value, threshold float64) bool {
	if w.of.Maximize {
		return value < threshold
	}
	return value > threshold
}

func (w *Watch) reason(held *Curve, t *Thresholds, i int) *Reason {
	return &Reason{
		Code: ReasonEarlyStop, Need: t.Values[i], Have: held.Values[0], Unit: w.unit,
		Message: fmt.Sprintf("at step %d %s was %.6g %s, worse than %.6g, the median of %d trials", t.Steps[i], w.of.Metric, held.Values[0], w.unit, t.Values[i], t.Trials),
	}
}

// keep adds the last value to the curve.
func (w *Watch) keep() {
	if w.count++; (w.count-1)%w.stride != 0 {
		return
	}
	if len(w.kept.Steps) == MaxSteps {
		half := w.kept
		w.kept = Curve{}
		for i := 0; i < MaxSteps; i += 2 {
			w.kept.Steps, w.kept.Values = append(w.kept.Steps, half.Steps[i]), append(w.kept.Values, half.Values[i])
		}
		w.stride *= 2
	}
	w.kept.Steps, w.kept.Values = append(w.kept.Steps, w.last.Steps[0]), append(w.kept.Values, w.last.Values[0])
}

// end makes the value that the evaluation was stopped for the last one.
func (w *Watch) end(held *Curve) {
	n := len(w.kept.Steps)
	if n > 0 && w.kept.Steps[n-1] == held.Steps[0] {
		return
	}
	if n == MaxSteps {
		w.kept.Steps, w.kept.Values = w.kept.Steps[:n-1], w.kept.Values[:n-1]
	}
	w.kept.Steps, w.kept.Values = append(w.kept.Steps, held.Steps[0]), append(w.kept.Values, held.Values[0])
}

// Curve returns what was reported, at most MaxSteps of it; nil where nothing was.
func (w *Watch) Curve() *Curve {
	if len(w.kept.Steps) == 0 {
		return nil
	}
	return &w.kept
}
