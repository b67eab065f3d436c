// Package study is a study as a deterministic machine: it does no I/O and
// reads no clock. The proposer folds the run's log and the evaluators' results
// into a Machine, asks it what to say next, appends that to the log and folds
// it back. A restart is the same fold from the beginning.
//
// In strict order the trials depend only on the specification and the pinned
// sources: batch k is one ask, made after telling exactly the batches below
// k-lag in index order, whatever order the results arrive in.
package study

import (
	"fmt"
	"math"

	"apollo/evaluator"
	"apollo/events"
	"apollo/optimizer"
	"apollo/optimizer/space"
)

// State is what a run is doing.
type State string

// States of a run. Completed, Stopped, Cancelled and Failed are terminal;
// Completed and Stopped runs can be extended.
const (
	Running   State = "running"
	Paused    State = "paused"
	Stopping  State = "stopping"
	Stopped   State = "stopped"
	Completed State = "completed"
	Cancelled State = "cancelled"
	Failed    State = "failed"
)

// Terminal reports whether nothing happens in the state by itself.
func (s State) Terminal() bool { return events.EndsRun(string(s)) }

// Outcomes of a trial that the log has no answer to. Nobody waits for one that is abandoned.
const (
	TrialRunning   = "running"
	TrialAbandoned = "abandoned"
)

// OpenTrial is the outcome of a trial without an answer.
func (s State) OpenTrial() string {
	if s.Terminal() {
		return TrialAbandoned
	}
	return TrialRunning
}

// Config is what a machine is made of.
type Config struct {
	Spec *events.Spec
	Run  string
	// Algorithm is the strategy that Spec.Algorithm names.
	Algorithm optimizer.Algorithm
	// Checker computes cheap metrics; nil when the evaluator has none.
	Checker evaluator.Checker
	// Baseline is the template's design that is known to work; nil for none.
	Baseline []space.Value
	// Features are the template's, of Spec's parameters; may be empty.
	Features []evaluator.Feature
	// Knowledge is what the pinned sources give; the zero value is none.
	Knowledge Knowledge
	// InFlight bounds the batches without an answer below the specification's
	// parallelism, where larger ones would fill the queue of work for all
	// studies; 0 means no bound. In strict order the trials do not depend on it.
	InFlight int
	// FrontRoom is what a front may take in an event, in bytes; 0 means
	// events.MaxFrontBytes.
	FrontRoom int
	// MaxTrials is how many trials requests may give the study in all, below
	// events.MaxTrials; 0 means no bound beside that.
	MaxTrials int
}

func (c *Config) maxTrials() int {
	if c.MaxTrials <= 0 {
		return events.MaxTrials
	}
	return min(c.MaxTrials, events.MaxTrials)
}

// parallelism is the number of batches without an answer at most.
func (c *Config) parallelism() int {
	if n := c.Spec.Budget.Parallelism; c.InFlight <= 0 || n < c.InFlight {
		return n
	}
	return c.InFlight
}

func (c *Config) frontRoom() int {
	if c.FrontRoom <= 0 {
		return events.MaxFrontBytes
	}
	return c.FrontRoom
}

// Legality returns the free checks of a study as a predicate over points: its
// rules, and its constraints on cheap metrics where checker is not nil. It
// returns nil when the study hides its constraints or has nothing to check. What
// differs from another design only in what means nothing is never legal.
// The predicate reuses buffers: it is for one goroutine.
func Legality(spec *events.Spec, sp space.Space, judge *events.Judge, checker evaluator.Checker) func(space.Point) bool {
	hidden := spec.KnownConstraints == "hidden"
	if hidden && !judge.Conditional() || !judge.Ruled() && (checker == nil || len(spec.Constraints) == 0) {
		return nil
	}
	values := make([]space.Value, 0, sp.Len())
	metrics := make([]float64, len(spec.Metrics))
	return func(p space.Point) bool {
		values = sp.AppendValues(values[:0], p)
		if hidden {
			return judge.ConditionsOK(values)
		}
		if checker != nil {
			checker.Check(values, metrics)
			judge.Deriver().Fill(metrics)
			if !judge.MetricsOK(metrics) {
				return false
			}
		}
		return judge.RulesOK(values)
	}
}

// objectives returns the values to minimise, or nil when one is missing.
func objectives(spec *events.Spec, values []float64) []float64 {
	out := make([]float64, len(spec.Objectives))
	for i := range out {
		if out[i] = objective(spec, i, values); math.IsNaN(out[i]) {
			return nil
		}
	}
	return out
}

// objective returns the value of objective i to minimise, or NaN when it is missing.
func objective(spec *events.Spec, i int, values []float64) float64 {
	o := spec.Objectives[i]
	m := spec.MetricIndex(o.Metric)
	if m < 0 || m >= len(values) {
		return math.NaN()
	}
	return minimised(o, values[m])
}

// Observer returns a study's space, and what says how its strategy sees a finished trial.
// The error of observe is for a design that does not belong to the space.
func Observer(spec *events.Spec) (sp space.Space, observe func(events.Design, *events.TrialResult) (optimizer.Observation, error), err error) {
	if sp, err = spec.Space(); err != nil {
		return sp, nil, err
	}
	judge, err := events.NewJudge(spec)
	if err != nil {
		return sp, nil, err
	}
	return sp, func(d events.Design, r *events.TrialResult) (optimizer.Observation, error) {
		p, err := sp.Point(d)
		if err != nil {
			return optimizer.Observation{}, err
		}
		return observation(spec, judge.Judge(d, r), p, r), nil
	}, nil
}

// observation is a finished trial as a strategy sees it.
func observation(spec *events.Spec, j events.Judgement, p space.Point, r *events.TrialResult) optimizer.Observation {
	o := optimizer.Observation{Point: p, Status: optimizer.Infeasible, Violation: j.Violation, Trial: r.Trial}
	switch r.Outcome {
	case events.OutcomeFailed:
		o.Status, o.Cause = optimizer.Failed, failureCause(r)
	case events.OutcomeStopped: // a run knows better what it would have come to
		o.Status = optimizer.Failed
	case events.OutcomeMeasured:
		o.Values = objectives(spec, r.Values)
	}
	if j.Feasible || j.Reason != nil && j.Reason.Code == events.ReasonLowFidelity {
		o.Status = optimizer.Measured
	} else if j.Reason != nil && o.Status == optimizer.Infeasible {
		o.Cause = j.Reason.Code
	}
	return o
}

// failureCause is the code of a failure that may be the design's doing, or ""
// where the evaluator never saw the design or its answer was to something else.
func failureCause(r *events.TrialResult) string {
	switch {
	case r.Reason == nil || r.Reason.Code == "":
		return events.OutcomeFailed
	case r.Reason.Code == events.ReasonBadResult, r.Reason.Code == events.ReasonStart:
		return ""
	}
	return r.Reason.Code
}

// best returns a trial by names, for events and people.
func best(spec *events.Spec, trial int, design events.Design, values []float64) *events.BestTrial {
	b := &events.BestTrial{Trial: trial, Design: map[string]any{}, Metrics: map[string]float64{}}
	for i, p := range spec.Parameters {
		if design[i].Label != "" {
			b.Design[p.Name] = design[i].Label
			continue
		}
		b.Design[p.Name] = design[i].Num
	}
	for i, m := range spec.Metrics {
		if i < len(values) && !math.IsNaN(values[i]) {
			b.Metrics[m.Name] = values[i]
		}
	}
	return b
}

// checkDesigns returns the points of a proposed event, or an error that says
// which design does not belong to the study's space.
func checkDesigns(sp space.Space, e *events.TrialsProposed) ([]space.Point, error) {
	if len(e.Origins) != len(e.Designs) {
		return nil, fmt.Errorf("batch %d has %d designs and %d origins", e.Batch, len(e.Designs), len(e.Origins))
	}
	points := make([]space.Point, len(e.Designs))
	for i, d := range e.Designs {
		p, err := sp.Point(d)
		if err != nil {
			return nil, fmt.Errorf("batch %d, trial %d: %w", e.Batch, e.FirstTrial+i, err)
		}
		points[i] = p
	}
	return points, nil
}
