package inspect

import (
	"context"
	"iter"
	"math"
	"slices"

	"apollo/evaluator/report"
	"apollo/events"
	"apollo/optimizer/space"
)

// areaMetric is what a repair is to cost least of.
const areaMetric = "area_mm2"

// Step is a change of one parameter of a point to another level.
type Step struct {
	Index    int
	Param    space.Param
	From, To space.Value
}

// Steps are the changes of one parameter of a point to the next level below or above, or
// to every level with all; the parameter with index not stays. What a parameter means is
// not asked: Moot says it of the point after them.
func Steps(params []space.Param, p report.Point, all bool, not int) (steps []Step) {
	for i, param := range params {
		if i == not {
			continue
		}
		for _, to := range levelsAround(param, p.Values[i], all) {
			steps = append(steps, Step{i, param, p.Values[i], to})
		}
	}
	return steps
}

// After is a point after a step.
func (t *Step) After(p report.Point) report.Point {
	p.Values = slices.Clone(p.Values)
	p.Values[t.Index] = t.To
	return p
}

// Repair returns the change of a parameter by one level, of any but the one with index
// not, after which a point is possible with the least area; nil where none is.
func (s *Subject) Repair(ctx context.Context, p report.Point, not int) (*Step, error) {
	best, _, err := s.fewest(ctx, p, singles(Steps(s.Levels(), p, false, not)), math.MaxInt)
	if err != nil || best == nil {
		return nil, err
	}
	return &best[0], nil
}

// SmallestRepair returns the fewest changes by one level each, one or two, after which a
// point is possible, and of those the ones with the least area; none where no two are
// enough. It evaluates most points at most: whole is false where it did not look at all
// that could have been better. The error is that of ctx, or of an evaluation.
func (s *Subject) SmallestRepair(ctx context.Context, p report.Point, most int) (best []Step, whole bool, err error) {
	steps := Steps(s.Levels(), p, false, -1)
	return s.fewest(ctx, p, func(yield func([]Step) bool) {
		for _, all := range []iter.Seq[[]Step]{singles(steps), pairs(steps)} {
			for changes := range all {
				if !yield(changes) {
					return
				}
			}
		}
	}, most)
}

// fewest looks at changes, those of the fewest parameters first, and ends where more
// parameters would change than have to.
func (s *Subject) fewest(ctx context.Context, p report.Point, all iter.Seq[[]Step], most int) (best []Step, whole bool, err error) {
	least := math.Inf(1)
	for changes := range all {
		switch {
		case best != nil && len(changes) > len(best):
			return best, true, nil
		case most == 0:
			return best, false, nil
		case ctx.Err() != nil:
			return nil, false, ctx.Err()
		}
		after := p
		for i := range changes {
			after = changes[i].After(after)
		}
		moot, err := s.Moot(after, changes...)
		if err != nil {
			return nil, false, err
		}
		if moot {
			continue
		}
		most--
		area, err := s.possible(after)
		if err != nil {
			return nil, false, err
		}
		if area < least {
			least, best = area, changes
		}
	}
	return best, true, nil
}

func singles(steps []Step) iter.Seq[[]Step] {
	return func(yield func([]Step) bool) {
		for _, step := range steps {
			if !yield([]Step{step}) {
				return
			}
		}
	}
}

// pairs are two changes of different parameters, each pair once.
func pairs(steps []Step) iter.Seq[[]Step] {
	return func(yield func([]Step) bool) {
		for i, first := range steps {
			for _, second := range steps[i+1:] {
				if second.Index != first.Index && !yield([]Step{first, second}) {
					return
				}
			}
		}
	}
}

// possible returns the area of a point that is feasible, by the rules and limits of the
// study where there is one, and +Inf of one that is not.
func (s *Subject) possible(p report.Point) (area float64, err error) {
	r, err := s.Measure(p)
	if err != nil || !r.Feasible {
		return math.Inf(1), err
	}
	if s.Spec != nil {
		kept, err := s.Kept(s.design(p), &r)
		if err != nil || !kept.Feasible {
			return math.Inf(1), err
		}
	}
	if v := r.Metrics.Of(areaMetric); v != nil {
		return *v, nil
	}
	return math.Inf(1), nil
}

// design is a point in the order of the study's parameters.
func (s *Subject) design(p report.Point) events.Design {
	d := make(events.Design, len(s.Spec.Parameters))
	for i, t := range s.Template.Template().Params {
		if k := slices.IndexFunc(s.Spec.Parameters, func(p events.Parameter) bool { return p.Name == t.Name }); k >= 0 && i < len(p.Values) {
			d[k] = p.Values[i]
		}
	}
	return d
}

// levelsAround returns the levels other than v: the next below and above, or all; of
// labels, which have no order, always all.
func levelsAround(p space.Param, v space.Value, all bool) []space.Value {
	var out []space.Value
	if p.Categorical() {
		for _, label := range p.Labels {
			if label != v.Label {
				out = append(out, space.Value{Label: label})
			}
		}
		return out
	}
	at, on := slices.BinarySearch(p.Values, v.Num)
	above := at
	if on {
		above++
	}
	low, high := max(at-1, 0), min(above+1, len(p.Values))
	if all {
		low, high = 0, len(p.Values)
	}
	for _, num := range slices.Concat(p.Values[low:at], p.Values[above:high]) {
		out = append(out, space.Value{Num: num})
	}
	return out
}
