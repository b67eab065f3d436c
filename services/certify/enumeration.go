package certify

import (
	"context"
	"fmt"
	"math"

	"apollo/evaluator"
	"apollo/optimizer/space"
)

// groupSize is the number of designs that one step of an enumeration without
// bounds visits at most, unless one parameter alone has more.
const groupSize = 4096

// enumerationStages splits the parameters of a space into those that name a group
// and those that vary inside it.
func enumerationStages(s space.Space) [][]int {
	n := s.Len()
	inner, size := n, 1
	for inner > 0 && (inner == n || size*s.Param(inner-1).Len() <= groupSize) {
		inner--
		size *= s.Param(inner).Len()
	}
	stages := make([][]int, 2)
	for i := range n {
		stage := 0
		if i >= inner {
			stage = 1
		}
		stages[stage] = append(stages[stage], i)
	}
	return stages
}

// enumerationProbe measures complete designs with Evaluate and bounds nothing. An
// evaluation that fails ends the proof: err is set then.
type enumerationProbe struct {
	p    *Problem
	last int
	ctx  context.Context // kept, because a probe has no other way to hear of a cancelled proof
	err  error
}

// Fix implements evaluator.Probe.
func (q *enumerationProbe) Fix(stage int, design []space.Value, values []float64) bool {
	if stage < q.last {
		for i := range values {
			values[i] = math.Inf(-1)
		}
		return true
	}
	if q.err != nil {
		return false
	}
	r, err := q.p.ev.Evaluate(q.ctx, evaluator.Request{Study: q.p.spec.Study, Trial: -1, Design: design})
	switch {
	case err != nil:
		q.err = err
		return false
	case r.Outcome == evaluator.Failed:
		q.err = fmt.Errorf("the evaluator failed on %v", design)
		if r.Reason != nil {
			q.err = fmt.Errorf("the evaluator failed on %v: %s", design, r.Reason.Message)
		}
		return false
	case r.Outcome != evaluator.Measured:
		return false
	}
	copy(values, r.Values)
	return true
}
