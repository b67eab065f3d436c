package events

import (
	"fmt"
	"slices"

	"apollo/optimizer/space"
)

// Fidelity says that a parameter is a setting of the evaluator whose last level alone
// counts: what it measures at the levels before teaches the search, and is no answer.
type Fidelity struct {
	Parameter string `json:"parameter"`
}

// fidelity is the column of the study's fidelity and its last level, which counts; -1
// where there is none.
func (s *Spec) fidelity() (column int, full space.Value) {
	if s.Fidelity == nil {
		return -1, full
	}
	column = slices.IndexFunc(s.Parameters, func(p Parameter) bool { return p.Name == s.Fidelity.Parameter })
	if column < 0 {
		return column, full
	}
	if p := &s.Parameters[column]; len(p.Labels) > 0 {
		full.Label = p.Labels[len(p.Labels)-1]
	} else if len(p.Values) > 0 {
		full.Num = p.Values[len(p.Values)-1]
	}
	return column, full
}

// FidelityColumn is the index of the parameter that is the study's fidelity, -1 for none.
func (s *Spec) FidelityColumn() int {
	column, _ := s.fidelity()
	return column
}

// Full reports whether what is measured of a design counts.
func (s *Spec) Full(design Design) bool {
	column, full := s.fidelity()
	return column < 0 || column < len(design) && design[column] == full
}

// lowFidelity is why a design does not count that was measured at a lower fidelity;
// nil where it counts.
func (s *Spec) lowFidelity(design Design) *Reason {
	column, full := s.fidelity()
	if s.Full(design) || column >= len(design) {
		return nil
	}
	p := &s.Parameters[column]
	return &Reason{
		Code: ReasonLowFidelity, Need: full.Num, Have: design[column].Num, Unit: p.Unit,
		Message: fmt.Sprintf("measured with %s %s: only %s counts", p.Name, design[column], full),
	}
}

func (s *Spec) checkFidelity() error {
	if s.Fidelity == nil {
		return nil
	}
	column := s.FidelityColumn()
	if column < 0 || len(s.Parameters) < 2 || len(s.Parameters[column].Values)+len(s.Parameters[column].Labels) < 2 || len(s.Objectives) != 1 {
		return fmt.Errorf("%w: the fidelity is %.63q: want a parameter with two levels beside others, and one objective", ErrMalformed, s.Fidelity.Parameter)
	}
	return nil
}
