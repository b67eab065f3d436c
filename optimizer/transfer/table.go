package transfer

import (
	"cmp"
	"slices"

	"apollo/optimizer"
	"apollo/optimizer/space"
	"apollo/optimizer/surrogate"
)

const (
	// maxSources is how many sources models are trained on, the first ones.
	// Chosen: it bounds the time of a proposal.
	maxSources = 8
	// maxRows is how many designs of a source a model is trained on. Chosen: a
	// prediction takes time in proportion.
	maxRows = 100
)

// Table is what one source says about one kind of label.
type Table struct {
	// Source is the position in Problem.Prior.
	Source int
	// X holds the coordinates of the designs, row by row.
	X []float64
	// Y holds a label per row, to be minimised: logarithms of values about their
	// mean (standardised values where some have no logarithm), or −1 for feasible
	// and 1 for infeasible designs.
	Y []float64
	// Bad holds the coordinates of designs that have no label because they were
	// infeasible, row by row; none where feasibility is the label.
	Bad []float64
	// Workload describes the source; nil when unknown.
	Workload []float64
	// Hyper is what a process of the table alone was fitted to.
	Hyper surrogate.Hyper
	// Asked says that the source can be asked for any design: no method need learn
	// from the table.
	Asked bool
}

// Sources is what Methods are trained on. It is read only.
type Sources struct {
	// Categorical says of each coordinate whether it is a category.
	Categorical []bool
	// Tables has one entry for each source with a label.
	Tables []Table
	// Workload describes the target; nil when unknown.
	Workload []float64
}

// Scales is the prior of the length scales of a related study: those of the
// tables' processes. It is nil without tables.
func (s *Sources) Scales() []surrogate.Normal {
	if len(s.learned().Tables) == 0 {
		return nil
	}
	priors := make([]surrogate.Normal, len(s.Categorical))
	for k := range priors {
		var logs []float64
		for i := range s.Tables {
			// What a source says everywhere explains the labels of its own table
			// and nothing of what it leaves of the target's.
			if !s.Tables[i].Asked {
				logs = append(logs, s.Tables[i].Hyper.LogScale[k])
			}
		}
		_, mean, _ := surrogate.Standardize(logs)
		// Half of the default's deviation. Chosen: sources are few, and their
		// fits uncertain.
		priors[k] = surrogate.Normal{Mean: mean, Deviation: 0.5}
	}
	return priors
}

// learned are the sources without those that can be asked.
func (s *Sources) learned() *Sources {
	out := *s
	out.Tables = slices.DeleteFunc(slices.Clone(s.Tables), func(t Table) bool { return t.Asked })
	return &out
}

// scale says how values become labels.
type scale struct{ log bool }

// labels compresses values and centres them. Logarithms keep their unit, so
// that a factor means the same in every study.
func (s scale) labels(values []float64) []float64 {
	out := surrogate.Compress(values)
	standard, mean, _ := surrogate.Standardize(out)
	if !s.log {
		return standard
	}
	for i := range out {
		out[i] -= mean
	}
	return out
}

// row is a design of a source that belongs to the target's space.
type row struct {
	key        space.Key
	point      space.Point
	x          []float64
	trial      int
	record     int       // number among the told designs
	fromSource bool      // proposed because of the sources
	feasible   bool      // under the target's constraints
	built      bool      // feasible but for what the free checks of the target say
	values     []float64 // nil when there is no measurement
}

// row returns what an observation says, or false when that is nothing.
func (s *strategy) row(o optimizer.Observation) (row, bool) {
	key, ok := s.problem.Space.KeyOf(o.Point)
	if !ok || o.Status == optimizer.Failed {
		return row{}, false
	}
	r := row{key: key, point: o.Point.Clone(), x: s.inputs.Append(nil, o.Point), trial: o.Trial}
	if len(o.Values) == s.problem.Objectives && finite(o.Values) {
		r.values = slices.Clone(o.Values)
		r.feasible = o.Status == optimizer.Measured
		// What the free checks forbid is never proposed, and must not count
		// against what else is known of such designs.
		r.built = r.feasible || !s.problem.Legal(r.point)
	}
	return r, true
}

// rows returns the designs of a task with a usable outcome, each once, in
// order.
func (s *strategy) rows(task optimizer.Task) []row {
	var out []row
	seen := map[space.Key]bool{}
	for _, o := range task.Observations {
		if r, ok := s.row(o); ok && !seen[r.key] {
			seen[r.key] = true
			out = append(out, r)
		}
	}
	return out
}

// thin returns at most limit rows, in order: the better half of what is
// allowed, and every so many of the others. value must be total.
func thin(rows []row, limit int, value func(*row) float64) []row {
	if len(rows) <= limit {
		return rows
	}
	order := make([]int, len(rows))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(value(&rows[a]), value(&rows[b])) })
	best := limit / 2
	rest := order[best:]
	slices.Sort(rest)
	keep := slices.Clone(order[:best])
	for k := range limit - best {
		keep = append(keep, rest[k*len(rest)/(limit-best)])
	}
	slices.Sort(keep)
	out := make([]row, len(keep))
	for k, i := range keep {
		out[k] = rows[i]
	}
	return out
}
