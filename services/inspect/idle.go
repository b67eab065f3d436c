package inspect

import (
	"slices"

	"apollo/evaluator"
	"apollo/evaluator/report"
	"apollo/events"
	"apollo/optimizer/space"
)

// Idle returns the parameters that mean nothing in a point, by their place in the
// template, each with its condition and the level that a study has it at.
func (s *Subject) Idle(p report.Point) ([]Idle, error) {
	t := s.Template.Template()
	params := Parameters(t)
	conditional := false
	for i, own := range t.Params {
		if s.Spec != nil {
			if k := slices.IndexFunc(s.Spec.Parameters, func(p events.Parameter) bool { return p.Name == own.Name }); k >= 0 {
				params[i] = s.Spec.Parameters[k]
			}
		}
		conditional = conditional || params[i].When != ""
	}
	if !conditional {
		return nil, nil
	}
	judge, err := events.NewJudge(&events.Spec{Parameters: params})
	if err != nil {
		return nil, err
	}
	settled := slices.Clone(p.Values)
	judge.Settle(settled)
	var idle []Idle
	judge.Inactive(p.Values, func(i int) { idle = append(idle, Idle{i, params[i].When, settled[i]}) })
	return idle, nil
}

// Levels are the parameters of the template, with the levels that the study has of them.
func (s *Subject) Levels() []space.Param {
	params := slices.Clone(s.Template.Template().Params)
	for i := range params {
		if s.Spec == nil {
			break
		}
		if k := slices.IndexFunc(s.Spec.Parameters, func(p events.Parameter) bool { return p.Name == params[i].Name }); k >= 0 {
			params[i].Values, params[i].Labels = s.Spec.Parameters[k].Values, s.Spec.Parameters[k].Labels
		}
	}
	return params
}

// Parameters are those of a template, with their conditions.
func Parameters(t evaluator.Template) []events.Parameter {
	params := make([]events.Parameter, len(t.Params))
	for i, own := range t.Params {
		params[i] = events.Parameter{Name: own.Name, Unit: own.Unit, Values: own.Values, Labels: own.Labels}
		if i < len(t.When) {
			params[i].When = t.When[i]
		}
	}
	return params
}

// Idle is a parameter that means nothing in a point.
type Idle struct {
	Index int
	When  string
	First space.Value
}

// Moot reports whether a step changes what means nothing in the point after all of them.
func (s *Subject) Moot(after report.Point, steps ...Step) (bool, error) {
	idle, err := s.Idle(after)
	return slices.ContainsFunc(idle, func(i Idle) bool {
		return slices.ContainsFunc(steps, func(t Step) bool { return t.Index == i.Index })
	}), err
}
