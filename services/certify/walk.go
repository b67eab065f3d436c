package certify

import (
	"math"
	"slices"

	"apollo/evaluator"
	"apollo/optimizer/space"
)

// counts are what a proof saw of the legal designs.
type counts struct {
	// Legal designs pass the rules and the constraints on metrics that are
	// free. Every legal design was evaluated, or pruned with its group.
	Legal     uint64 `json:"legal"`
	Evaluated uint64 `json:"evaluated"`
	Pruned    uint64 `json:"pruned"`
	// Infeasible is how many of the legal ones, evaluated or pruned, cannot run
	// the networks or break a constraint on a measured metric. Groups that a
	// bound removed are not looked at, so there may be more.
	Infeasible uint64 `json:"infeasible"`
}

func (c *counts) add(o counts) {
	c.Legal += o.Legal
	c.Evaluated += o.Evaluated
	c.Pruned += o.Pruned
	c.Infeasible += o.Infeasible
}

// found is the best of the designs that were seen. key is the objective, or its
// negative where it is maximized; +Inf when there is none.
type found struct {
	key   float64
	index uint64 // the lowest of those that tie
	tied  uint64 // how many designs have this key
}

func nothing() found { return found{key: math.Inf(1)} }

func (f *found) merge(o found) {
	switch {
	case o.tied == 0 || o.key > f.key:
	case o.key < f.key || f.tied == 0:
		*f = o
	default:
		f.tied += o.tied
		f.index = min(f.index, o.index)
	}
}

// walker visits groups of designs. It is used by one goroutine.
type walker struct {
	p         *Problem
	probe     evaluator.Probe
	design    []space.Value
	index     uint64
	low, high []space.Value // the design with the parameters of later stages at their ends
	fixed     []space.Value // of the stages that are set
	// values are the metrics of a design, or what no design of a group is below;
	// upper is what none of those that matter is above.
	values, upper []float64
	a, b          []float64 // results of Check, of a group those of its corners

	cut  float64 // the best key before the round
	best found
	counts
}

func newWalker(p *Problem) *walker {
	n, metrics := p.space.Len(), len(p.spec.Metrics)
	w := &walker{
		p: p, cut: math.Inf(1), best: nothing(), design: make([]space.Value, n), low: make([]space.Value, n), high: make([]space.Value, n),
		values: make([]float64, metrics), upper: make([]float64, metrics), a: make([]float64, metrics), b: make([]float64, metrics),
	}
	if p.prover != nil {
		w.probe = p.prover.NewProbe(p.wanted)
	} else {
		w.probe = &enumerationProbe{p: p, last: len(p.stages) - 1}
	}
	return w
}

// root visits a group of the first stage. Nothing but cut enters from groups
// visited before.
func (w *walker) root(n uint64, cut float64) (found, counts) {
	w.cut, w.best, w.counts, w.index = cut, nothing(), counts{}, 0
	w.group(0, n)
	return w.best, w.counts
}

// set gives a stage's parameters the values of its group n, the last parameter
// varying fastest, and returns what that adds to the design's index.
func (w *walker) set(stage int, n uint64) (index uint64) {
	params := w.p.stages[stage]
	for _, i := range slices.Backward(params) {
		m := uint64(len(w.p.levels[i]))
		level := n % m
		n /= m
		w.design[i] = w.p.levels[i][level]
		index += level * w.p.strides[i]
	}
	return index
}

// group visits group n of a stage that is not the last, under the stages that
// are set.
func (w *walker) group(stage int, n uint64) {
	offset := w.set(stage, n)
	none, _ := w.enclose(stage)
	if none {
		return
	}
	switch {
	case !w.bound(stage):
		legal := w.legal(stage)
		w.add(counts{Legal: legal, Pruned: legal, Infeasible: legal})
	case w.hopeless():
		legal := w.legal(stage)
		w.add(counts{Legal: legal, Pruned: legal})
	default:
		w.index += offset
		w.descend(stage)
		w.index -= offset
	}
}

func (w *walker) descend(stage int) {
	next := stage + 1
	if next < len(w.p.stages)-1 {
		for n := range w.p.groups(next) {
			w.group(next, n)
		}
		return
	}
	_, all := w.enclose(stage)
	for n := range w.p.groups(next) {
		index := w.index + w.set(next, n)
		if all || w.isLegal() {
			w.measure(next, index)
		}
	}
}

// bound encloses the metrics of those designs of a group, set up to stage, that can
// matter: they keep the limits, and are no worse than the best known. It returns
// false when no design of the group is feasible.
func (w *walker) bound(stage int) bool {
	p := w.p
	if !w.probe.Fix(stage, w.design, w.values[:len(p.desc.Metrics)]) {
		return false
	}
	for i := range w.upper {
		w.upper[i] = math.Inf(1)
	}
	for _, l := range p.limits {
		w.upper[l.column] = min(w.upper[l.column], l.max)
	}
	if p.sign > 0 {
		w.upper[p.objective] = min(w.upper[p.objective], w.cut, w.best.key)
	}
	p.derive.Bounds(w.values, w.upper)
	return true
}

// key is what no design's key is below, after bound.
func (w *walker) key() float64 {
	if w.p.sign < 0 {
		return -w.upper[w.p.objective]
	}
	return w.values[w.p.objective]
}

// hopeless reports whether the bounds say that no design of the group can be
// feasible and as good as the best known.
func (w *walker) hopeless() bool {
	p := w.p
	if w.key() > min(w.cut, w.best.key) {
		return true
	}
	for i := range p.limits {
		l := &p.limits[i]
		if w.values[l.column] > l.max || w.upper[l.column] < l.min {
			return true
		}
	}
	return false
}

func (w *walker) measure(stage int, index uint64) {
	w.Legal++
	w.Evaluated++
	if !w.feasible(stage) {
		w.Infeasible++
		return
	}
	if key := w.p.sign * w.values[w.p.objective]; key <= w.cut {
		w.best.merge(found{key: key, index: index, tied: 1})
	}
}

// feasible measures the design, which is complete: whether it runs the networks,
// keeps the limits, and has a value of every computed metric.
func (w *walker) feasible(stage int) bool {
	p := w.p
	if !w.probe.Fix(stage, w.design, w.values[:len(p.desc.Metrics)]) {
		return false
	}
	p.derive.Fill(w.values)
	return p.judge.MetricsOK(w.values) && !slices.ContainsFunc(w.values[len(p.desc.Metrics):], func(v float64) bool { return v != v })
}

// isLegal applies the free checks to the design.
func (w *walker) isLegal() bool {
	if !w.p.judge.RulesOK(w.design) {
		return false
	}
	if len(w.p.free) == 0 || w.p.check == nil {
		return true
	}
	w.free()
	return w.p.judge.MetricsOK(w.a)
}

// free tells the metrics of the design that need no evaluation.
func (w *walker) free() {
	w.p.check.Check(w.design, w.a)
	w.p.derive.Fill(w.a)
}

// enclose reports whether the free constraints rule out every design of the
// group that is set up to stage, and whether every one of them is legal.
func (w *walker) enclose(stage int) (none, all bool) {
	p := w.p
	ruled := p.judge.Ruled()
	if w.forbidden(stage) {
		return true, false
	}
	if len(p.free) == 0 {
		return false, !ruled
	}
	if !p.enclosed || p.check == nil {
		return false, false
	}
	copy(w.low, w.design)
	copy(w.high, w.design)
	for _, params := range p.stages[stage+1:] {
		for _, i := range params {
			w.low[i], w.high[i] = p.levels[i][0], p.levels[i][len(p.levels[i])-1]
		}
	}
	p.check.Check(w.low, w.a)
	p.check.Check(w.high, w.b)
	p.derive.Bounds(w.a, w.b)
	all = !ruled
	for _, l := range p.free {
		low, high := w.a[l.column], w.b[l.column]
		if low > l.max || high < l.min {
			return true, false
		}
		all = all && !(high > l.max) && !(low < l.min)
	}
	return false, all
}

// forbidden reports whether the stages that are set break a rule that they decide.
func (w *walker) forbidden(stage int) bool {
	if stage >= len(w.p.partial) || w.p.partial[stage].judge == nil {
		return false
	}
	w.fixed = w.fixed[:0]
	for _, i := range w.p.partial[stage].params {
		w.fixed = append(w.fixed, w.design[i])
	}
	return !w.p.partial[stage].judge.RulesOK(w.fixed)
}

// legal counts the legal designs of the group that is set up to stage.
func (w *walker) legal(stage int) uint64 {
	none, all := w.enclose(stage)
	switch {
	case none:
		return 0
	case all:
		return w.p.below(stage)
	}
	var legal uint64
	next := stage + 1
	for n := range w.p.groups(next) {
		w.set(next, n)
		switch {
		case next < len(w.p.stages)-1:
			legal += w.legal(next)
		case w.isLegal():
			legal++
		}
	}
	return legal
}
