package inspect

import (
	"context"
	"slices"

	"apollo/evaluator"
	"apollo/evaluator/report"
	"apollo/events"
	"apollo/optimizer/space"
)

// Change is a design that differs from another one in one parameter.
type Change struct {
	// Parameter is its place in the study, Level the level that it changes to.
	Parameter, Level int
	To               space.Value
	// Values are its metrics, in the order of the study; NaN where there is none.
	Values   []float64
	Feasible bool
}

// Point is a design of the study in the order of the template's parameters.
func (s *Subject) Point(design events.Design) report.Point {
	params := s.Template.Template().Params
	p := report.Point{Values: make([]space.Value, len(params))}
	for i, t := range params {
		k := slices.IndexFunc(s.Spec.Parameters, func(p events.Parameter) bool { return p.Name == t.Name })
		if k >= 0 && k < len(design) {
			p.Values[i] = design[k]
		}
	}
	return p
}

// Changes evaluates every design that differs from a design in one parameter that means
// something in it, as the study would: under its rules and constraints.
func (s *Subject) Changes(ctx context.Context, design events.Design) ([]Change, error) {
	searched, err := s.Spec.Space()
	if err != nil {
		return nil, err
	}
	judge, err := events.NewJudge(s.Spec)
	if err != nil {
		return nil, err
	}
	ev, err := Builtins().Bind(s.Spec, searched.Params())
	if err != nil {
		return nil, err
	}
	var out []Change
	for i, p := range searched.Params() {
		for level := range p.Len() {
			to := p.Value(level)
			if i >= len(design) || to == design[i] {
				continue
			}
			near := slices.Clone(design)
			near[i] = to
			if judge.Settle(near); near[i] != to {
				continue // it means nothing there
			}
			r, err := ev.Evaluate(ctx, evaluator.Request{Study: s.Spec.Study, Trial: -1, Design: near})
			if err != nil {
				return nil, err
			}
			values := s.derive.Row(r.Values)
			j := judge.Judge(near, &events.TrialResult{Outcome: string(r.Outcome), Values: values})
			out = append(out, Change{i, level, to, values, j.Feasible})
		}
	}
	return out, nil
}

// Kept reports whether a design keeps the rules and the constraints of the study. At what
// level a parameter stands that means nothing in it does not matter.
func (s *Subject) Kept(design events.Design, r *report.Design) (events.Judgement, error) {
	judge, err := events.NewJudge(s.Spec)
	if err != nil {
		return events.Judgement{}, err
	}
	t := events.TrialResult{Outcome: events.OutcomeMeasured, Values: s.Values(r)}
	if !r.Feasible {
		t.Outcome = events.OutcomeInfeasible
		if r.Reason != nil {
			t.Reason = &events.Reason{Code: r.Reason.Code, Layer: r.Reason.Layer, Need: r.Reason.Need, Have: r.Reason.Have, Unit: r.Reason.Unit, Message: r.Reason.Message}
		}
	}
	design = slices.Clone(design)
	judge.Settle(design)
	return judge.Judge(design, &t), nil
}

// Broken lists the rules of the study that a point breaks; none without a study.
func (s *Subject) Broken(p report.Point) (rules []events.Rule, err error) {
	if s.Spec == nil {
		return nil, nil
	}
	design := s.design(p)
	for i, r := range s.Spec.Rules {
		judge, err := events.NewJudge(&events.Spec{Parameters: s.Spec.Parameters, Rules: s.Spec.Rules[i : i+1]})
		if err != nil {
			return nil, err
		}
		judge.Settle(design)
		if judge.Rules(design) != nil {
			rules = append(rules, r)
		}
	}
	return rules, nil
}
