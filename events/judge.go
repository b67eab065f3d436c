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
	rules  *ruleSet
	limits []limit
	derive *Deriver
	spec   *Spec
}

// limit is a constraint on column of a row.
type limit struct {
	column   int
	name     string
	unit     string
	min, max float64
}

// Judgement is a trial seen through a study's rules and constraints.
type Judgement struct {
	Feasible bool
	// Violation is the sum of the constraints' excesses, each relative to its
	// limit (absolute where the limit is 0), plus 1 when a rule is broken. Where
	// the evaluator found that the design cannot run, that by which its reason's
	// need and what it has are apart, relative to the smaller, is added. It is
	// finite, and 0 when all hold or nobody says by how much they do not.
	Violation float64
	// Reason is set when the trial is not feasible. One of a fidelity that does not
	// count is not: of those that keep all limits it is ReasonLowFidelity.
	Reason *Reason
}

// NewJudge compiles the spec's rules and metrics. The error names the rule, the
// metric or the constraint.
func NewJudge(spec *Spec) (*Judge, error) {
	rules, err := compileRules(spec)
	if err != nil {
		return nil, err
	}
	derive, err := NewDeriver(spec.Metrics)
	if err != nil {
		return nil, err
	}
	j := &Judge{rules: rules, derive: derive, spec: spec}
	for i, c := range spec.Constraints {
		column := spec.MetricIndex(c.Metric)
		if column < 0 {
			return nil, fmt.Errorf("constraint %d: the evaluator measures no %q", i, c.Metric)
		}
		b := limit{column: column, name: c.Metric, unit: spec.Metrics[column].Unit, min: math.Inf(-1), max: math.Inf(1)}
		if c.Min != nil {
			b.min = *c.Min
		}
		if c.Max != nil {
			b.max = *c.Max
		}
		j.limits = append(j.limits, b)
	}
	return j, nil
}

// Deriver computes the study's metrics that are expressions of others.
func (j *Judge) Deriver() *Deriver { return j.derive }

// Rules returns the reason why a design breaks a structural rule, or nil.
func (j *Judge) Rules(design []space.Value) *Reason { return j.rules.check(design) }

// Ruled reports whether the study has rules or conditions at all.
func (j *Judge) Ruled() bool { return !j.rules.empty() }

// RulesOK reports whether a design keeps every structural rule, without saying
// why. It is for filters that run many times; it allocates nothing.
func (j *Judge) RulesOK(design []space.Value) bool { return j.rules.ok(design) }

// Broken returns how many structural rules a design breaks. What means nothing in
// it is at its first level.
func (j *Judge) Broken(design []space.Value) int { return j.rules.broken(design) }

// Metrics returns the first constraint that the values break, in the order of
// the study, and the violation of all. NaN values break nothing.
func (j *Judge) Metrics(values []float64) (violation float64, reason *Reason) {
	for i := range j.limits {
		b := &j.limits[i]
		if b.column >= len(values) {
			continue
		}
		var limit float64
		var word string
		v := values[b.column]
		switch {
		case v > b.max:
			limit, word = b.max, "at most"
		case v < b.min:
			limit, word = b.min, "at least"
		default:
			continue
		}
		violation += excess(v, limit)
		if reason == nil {
			reason = &Reason{
				Code: ReasonConstraint, Need: limit, Have: v, Unit: b.unit,
				Message: fmt.Sprintf("%s is %.6g %s, the constraint allows %s %.6g", b.name, v, b.unit, word, limit),
			}
		}
	}
	return min(violation, math.MaxFloat64), reason
}

// excess is how far v is beyond the limit, relative to it.
func excess(v, limit float64) float64 {
	scale := math.Abs(limit)
	if scale == 0 {
		scale = 1
	}
	return min(math.Abs(v/scale-limit/scale), math.MaxFloat64)
}

// MetricsOK reports whether no value breaks a constraint, without saying why.
// It is for filters that run many times; NaN values break nothing.
func (j *Judge) MetricsOK(values []float64) bool {
	for i := range j.limits {
		b := &j.limits[i]
		if b.column < len(values) && (values[b.column] > b.max || values[b.column] < b.min) {
			return false
		}
	}
	return true
}

// Judge decides about a finished trial. Only measured trials can be feasible;
// for others the reason is theirs. What a measured trial says besides its
// values plays no part.
func (j *Judge) Judge(design []space.Value, r *TrialResult) Judgement {
	violation, reason := j.Metrics(r.Values)
	if broken := j.Rules(design); broken != nil {
		violation, reason = min(violation+1, math.MaxFloat64), broken
	}
	if r.Outcome != OutcomeMeasured {
		reason = r.Reason
		if reason == nil {
			reason = &Reason{Code: r.Outcome}
		}
		if r.Outcome == OutcomeInfeasible {
			violation = min(violation+shortage(reason), math.MaxFloat64)
		}
	}
	if reason == nil {
		reason = j.spec.lowFidelity(design)
	}
	return Judgement{Feasible: reason == nil, Violation: violation, Reason: reason}
}

// shortage is how far what a design needs and what it has are apart, relative to
// the smaller: evaluators name the limit on either side. It is 0 where they do
// not say both.
func shortage(r *Reason) float64 {
	if !(r.Need > 0 && r.Have > 0) {
		return 0
	}
	return min(max(r.Need, r.Have)/min(r.Need, r.Have)-1, math.MaxFloat64)
}
