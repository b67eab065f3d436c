package events

import (
	"fmt"
	"math"

	"apollo/optimizer/space"
)

// Judge decides, in one place for all, whether trials are feasible: it applies
// a study's rules and constraints to measurements. It is safe for concurrent
// use and pure.
type Judge struct {
	spec  *Spec
	rules *ruleSet
	bound []bound
}

type bound struct {
	metric   int
	min, max float64
}

// Judgement is a trial seen through a study's rules and constraints.
type Judgement struct {
	Feasible bool
	// Violation is the sum of the constraints' relative excesses, 0 when they
	// all hold or nothing was measured.
	Violation float64
	// Reason is set when the trial is not feasible.
	Reason *Reason
}

// NewJudge compiles the spec's rules. The error names the rule or constraint.
func NewJudge(spec *Spec) (*Judge, error) {
	rules, err := compileRules(spec)
	if err != nil {
		return nil, err
	}
	j := &Judge{spec: spec, rules: rules}
	for i, c := range spec.Constraints {
		b := bound{metric: spec.MetricIndex(c.Metric), min: math.Inf(-1), max: math.Inf(1)}
		if b.metric < 0 {
			return nil, fmt.Errorf("constraint %d: the evaluator measures no %q", i, c.Metric)
		}
		if c.Min != nil {
			b.min = *c.Min
		}
		if c.Max != nil {
			b.max = *c.Max
		}
		j.bound = append(j.bound, b)
	}
	return j, nil
}

// Rules returns the reason why a design breaks a structural rule, or nil.
func (j *Judge) Rules(design []space.Value) *Reason { return j.rules.check(design) }

// RulesOK reports whether a design keeps every structural rule, without saying
// why. It is for filters that run many times; it allocates nothing.
func (j *Judge) RulesOK(design []space.Value) bool { return j.rules.ok(design) }

// Metrics returns the first constraint that the values break, and the sum of
// relative excesses. NaN values break nothing.
func (j *Judge) Metrics(values []float64) (violation float64, reason *Reason) {
	for _, b := range j.bound {
		if b.metric >= len(values) {
			continue
		}
		v, limit := values[b.metric], math.NaN()
		switch {
		case v > b.max:
			limit = b.max
		case v < b.min:
			limit = b.min
		default:
			continue
		}
		violation += math.Abs(v-limit) / math.Max(math.Abs(limit), math.SmallestNonzeroFloat32)
		if reason == nil {
			m := j.spec.Metrics[b.metric]
			reason = &Reason{Code: "constraint", Need: limit, Have: v, Unit: m.Unit,
				Message: fmt.Sprintf("%s is %.6g %s, the constraint allows %.6g", m.Name, v, m.Unit, limit)}
		}
	}
	return violation, reason
}

// MetricsOK reports whether no value breaks a constraint, without saying why.
// It is for filters that run many times; NaN values break nothing.
func (j *Judge) MetricsOK(values []float64) bool {
	for _, b := range j.bound {
		if b.metric < len(values) && (values[b.metric] > b.max || values[b.metric] < b.min) {
			return false
		}
	}
	return true
}

// Judge decides about a finished trial.
func (j *Judge) Judge(design []space.Value, r *TrialResult) Judgement {
	violation, reason := j.Metrics(r.Values)
	if broken := j.Rules(design); broken != nil {
		violation, reason = violation+1, broken
	}
	if r.Outcome != OutcomeMeasured {
		reason = r.Reason
		if reason == nil {
			reason = &Reason{Code: r.Outcome}
		}
	}
	return Judgement{Feasible: reason == nil, Violation: violation, Reason: reason}
}
