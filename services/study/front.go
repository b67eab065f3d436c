package study

import (
	"math"
	"slices"

	"apollo/events"
	"apollo/optimizer/pareto"
	"apollo/optimizer/surrogate"
)

// Front is the answer of a study with several objectives: the feasible trials
// that no other dominates, and the hypervolume they dominate below a reference
// point that never moves. It is a pure function of the trials that were added,
// in order.
//
// An objective's reference is the specification's. Where that says none, it is
// fixed by the first ten feasible trials, see Corner, as it will be for every front of
// the study from then on.
type Front struct {
	spec      *events.Spec
	reference []float64   // to be minimised; nil while one is not known
	early     [][]float64 // the first feasible trials, while reference is nil
	members   []member
	volume    float64
}

// member is a trial of the front; point holds its objectives, to be minimised.
type member struct {
	best  events.BestTrial
	point []float64
}

const (
	// earlyTrials feasible trials fix what the specification leaves open, and
	// margin is the share of a range that a corner lies behind it. Chosen: early
	// enough for a plateau to be judged, and the margin that is common.
	earlyTrials = 10
	margin      = 0.1
)

// NewFront returns the empty front of a study with two objectives or more.
func NewFront(spec *events.Spec) *Front {
	f := &Front{spec: spec}
	if open := slices.IndexFunc(spec.Objectives, func(o events.Objective) bool { return o.Reference == nil }); open < 0 {
		f.fix(nil)
	}
	return f
}

// fix sets the reference point; points are the early trials.
func (f *Front) fix(points [][]float64) {
	if points != nil {
		f.reference = Corner(points)
	} else {
		f.reference = make([]float64, len(f.spec.Objectives))
	}
	for i, o := range f.spec.Objectives {
		if o.Reference != nil {
			f.reference[i] = minimised(o, *o.Reference)
		}
	}
	f.early = nil
	f.volume = pareto.Hypervolume(f.points(), f.reference)
}

// Corner lies a tenth of the range of points, which are to be minimised, behind the worst
// of them. What is worse by far than all others in an objective, such as a penalty for designs
// that do not work, is not of that range: behind it every later gain would be nothing.
func Corner(points [][]float64) []float64 {
	if len(points) == 0 {
		return nil
	}
	corner := make([]float64, len(points[0]))
	values := make([]float64, len(points))
	for k := range corner {
		for i, p := range points {
			values[i] = p[k]
		}
		limit := surrogate.GapLimit(values)
		least, worst := math.Inf(1), math.Inf(-1)
		for _, v := range values {
			if least = min(least, v); v < limit {
				worst = max(worst, v)
			}
		}
		span := worst - least
		if span == 0 { // all alike: a tenth of the value, or of 1
			span = math.Abs(worst)
		}
		if span == 0 {
			span = 1
		}
		corner[k] = min(worst+margin*span, math.MaxFloat64)
	}
	return corner
}

// references are the corners that a specification states, to be minimised: NaN where it
// leaves one open, nil where it leaves all.
func references(spec *events.Spec) []float64 {
	if !slices.ContainsFunc(spec.Objectives, func(o events.Objective) bool { return o.Reference != nil }) {
		return nil
	}
	out := make([]float64, len(spec.Objectives))
	for i, o := range spec.Objectives {
		if out[i] = math.NaN(); o.Reference != nil {
			out[i] = minimised(o, *o.Reference)
		}
	}
	return out
}

func (f *Front) points() [][]float64 {
	points := make([][]float64, len(f.members))
	for i := range f.members {
		points[i] = f.members[i].point
	}
	return points
}

// Add adds a feasible trial, and reports whether it joined the front. Of trials
// with equal objectives only the first does; one without a number for every
// objective does not count. The order of the calls is that of the trials.
func (f *Front) Add(trial int, design events.Design, values []float64) bool {
	p := objectives(f.spec, values)
	if p == nil {
		return false
	}
	joined := f.join(p, func() events.BestTrial { return *best(f.spec, trial, design, values) })
	if f.reference == nil {
		if f.early = append(f.early, p); len(f.early) == earlyTrials {
			f.fix(f.early)
		}
	}
	return joined
}

// Join adds a trial by its names, for those who know only trials that joined
// the front: it never fixes the reference.
func (f *Front) Join(b events.BestTrial) bool {
	p := make([]float64, len(f.spec.Objectives))
	for i, o := range f.spec.Objectives {
		v, ok := b.Metrics[o.Metric]
		if !ok {
			return false
		}
		p[i] = minimised(o, v)
	}
	return f.join(p, func() events.BestTrial { return b })
}

func (f *Front) join(p []float64, trial func() events.BestTrial) bool {
	for i := range f.members {
		if q := f.members[i].point; slices.Equal(q, p) || pareto.Dominates(q, p) {
			return false
		}
	}
	if f.reference != nil {
		f.volume += pareto.Contribution(p, f.points(), f.reference)
	}
	f.members = slices.DeleteFunc(f.members, func(m member) bool { return pareto.Dominates(p, m.point) })
	f.members = append(f.members, member{trial(), p})
	return true
}

// Len returns the number of trials on the front.
func (f *Front) Len() int { return len(f.members) }

// last is the trial that joined last.
func (f *Front) last() *member { return &f.members[len(f.members)-1] }

// Trials returns the front in the order in which its trials joined.
func (f *Front) Trials() []events.BestTrial {
	out := make([]events.BestTrial, len(f.members))
	for i := range f.members {
		out[i] = f.members[i].best
	}
	return out
}

// Hypervolume returns what the front dominates, in the product of the
// objectives' units, or nil while the reference is not known. It is at most the
// largest float.
func (f *Front) Hypervolume() *float64 {
	if f.reference == nil {
		return nil
	}
	return new(min(f.volume, math.MaxFloat64))
}

// Reference returns the reference point by metric, nil while it is not known.
func (f *Front) Reference() map[string]float64 {
	if f.reference == nil {
		return nil
	}
	out := map[string]float64{}
	for i, o := range f.spec.Objectives {
		out[o.Metric] = minimised(o, f.reference[i]) // its own inverse
	}
	return out
}

// Brief returns the front as it fits into room bytes of an event: where it would
// take more, the most crowded trials are left out.
func (f *Front) Brief(room int) []events.BestTrial {
	trials := f.Trials()
	most := max(1, room/events.BestBytes(f.spec))
	if len(trials) <= most {
		return trials
	}
	all := make([]int, len(trials))
	for i := range all {
		all[i] = i
	}
	kept := pareto.Spread(f.points(), all)[:most]
	slices.Sort(kept)
	out := make([]events.BestTrial, 0, most)
	for _, i := range kept {
		out = append(out, trials[i])
	}
	return out
}

// minimised turns the value of an objective into one to minimise, and back.
func minimised(o events.Objective, v float64) float64 {
	if o.Goal == "maximize" {
		return -v
	}
	return v
}
