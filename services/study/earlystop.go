package study

import (
	"math"
	"slices"

	"apollo/events"
	"apollo/optimizer"
)

// earlyStop knows how the trials that were told came to their answers: what stops
// others, and what those that were stopped would have come to.
type earlyStop struct {
	spec     *events.Spec
	maximize bool
	finished []finished
	// steps are those that finished trials reported from the warm-up on, ascending;
	// sorted holds, of those that medians were last taken at, what at returns.
	steps  []int64
	sorted map[int64][]float64
}

// finished is a feasible trial that was measured to its end.
type finished struct {
	curve *events.Curve
	value float64 // of the objective, minimised
}

// newEarlyStop returns nil where nothing is stopped early.
func newEarlyStop(spec *events.Spec) *earlyStop {
	if spec.EarlyStop == nil || len(spec.Objectives) != 1 || spec.Evaluator.Noise != nil {
		return nil
	}
	return &earlyStop{spec: spec, maximize: spec.Objectives[0].Goal == "maximize"}
}

// tell adds a trial that was told.
func (s *earlyStop) tell(feasible bool, r *events.TrialResult) {
	if o := objectives(s.spec, r.Values); feasible && r.Intermediate != nil && o != nil {
		s.finished = append(s.finished, finished{r.Intermediate, o[0]})
		s.insert(r.Intermediate)
	}
}

// insert adds the curve of a finished trial to the steps and their sorted values.
func (s *earlyStop) insert(c *events.Curve) {
	for _, step := range c.Steps {
		if i, found := slices.BinarySearch(s.steps, step); !found && step >= s.spec.EarlyStop.Warmup {
			s.steps = slices.Insert(s.steps, i, step)
		}
	}
	for step, values := range s.sorted {
		if v, ok := c.At(step); ok {
			i, _ := slices.BinarySearch(values, s.minimised(v))
			s.sorted[step] = slices.Insert(values, i, s.minimised(v))
		}
	}
}

// minimised turns values of the metric so that smaller ones are better.
func (s *earlyStop) minimised(v float64) float64 {
	if s.maximize {
		return -v
	}
	return v
}

// at returns the values that the finished trials had at a step, minimised and
// ascending.
func (s *earlyStop) at(step int64) []float64 {
	var values []float64
	for i := range s.finished {
		if v, ok := s.finished[i].curve.At(step); ok {
			values = append(values, s.minimised(v))
		}
	}
	slices.Sort(values)
	return values
}

// thresholds are the medians by step, over at least After trials each; nil while
// there are none.
func (s *earlyStop) thresholds() *events.Thresholds {
	rule := s.spec.EarlyStop
	if len(s.finished) < rule.After {
		return nil
	}
	t := &events.Thresholds{Trials: len(s.finished)}
	sorted := map[int64][]float64{}
	for _, step := range s.thinned() {
		values, known := s.sorted[step]
		if !known {
			values = s.at(step)
		}
		sorted[step] = values
		if n := len(values); n >= rule.After {
			t.Steps = append(t.Steps, step)
			t.Values = append(t.Values, s.minimised((values[(n-1)/2]+values[n/2])/2)) // minimised twice is itself
		}
	}
	s.sorted = sorted
	if len(t.Steps) == 0 {
		return nil
	}
	return t
}

// thinned are the steps, evenly thinned to what an event holds.
func (s *earlyStop) thinned() []int64 {
	n := len(s.steps)
	if n <= events.MaxSteps {
		return s.steps
	}
	steps := make([]int64, events.MaxSteps)
	for i := range steps {
		steps[i] = s.steps[i*n/events.MaxSteps]
	}
	return steps
}

// observe says how the strategy sees a trial that was stopped: measured, and as bad
// among the answers of the finished trials as it was among their values at the step
// where it ended. So it is never better than their median, whatever the scale of what
// is reported. Without trials to compare it with it says nothing of the design.
func (s *earlyStop) observe(o optimizer.Observation, r *events.TrialResult) optimizer.Observation {
	o.Status, o.Cause, o.Violation = optimizer.Failed, "", 0
	c := r.Intermediate
	if s == nil || c == nil || len(c.Steps) == 0 {
		return o
	}
	last := len(c.Steps) - 1
	value := s.minimised(c.Values[last])
	var answers []float64
	better := 0
	for i := range s.finished {
		v, ok := s.finished[i].curve.At(c.Steps[last])
		if !ok {
			continue
		}
		answers = append(answers, s.finished[i].value)
		if s.minimised(v) < value {
			better++
		}
	}
	if len(answers) == 0 {
		return o
	}
	slices.Sort(answers)
	rank := min(max(better, len(answers)/2), len(answers)-1)
	if math.IsNaN(answers[rank]) {
		return o
	}
	o.Status, o.Values = optimizer.Measured, []float64{answers[rank]}
	return o
}
