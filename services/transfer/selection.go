package transfer

import (
	"cmp"
	"container/heap"
	"slices"

	"apollo/archiver"
	"apollo/optimizer"
	"apollo/optimizer/space"
)

// How many trials of one source are used; chosen: no model learns from more
// than a few thousand in the time of a proposal. A source that has no more
// sound rows is used as a whole.
const (
	keptBest       = 1024
	keptOthers     = 2048
	keptInfeasible = 1024
	maxKept        = keptBest + keptOthers + keptInfeasible
	// strata is the number of equal shares of the objective's distribution
	// that the other trials are drawn from.
	strata = 8
)

// pick is a trial of a source that may be used.
type pick struct {
	trial archiver.Trial
	point space.Point
	// values are in this study's metrics and units.
	values []float64
	// objectives are minimised; nil without a measurement.
	objectives []float64
	status     optimizer.Status
	violation  float64
	cause      string
	moved      float64
	// priority is a hash of the trial's number: the order of a random sample
	// that is the same every time.
	priority uint64
}

// selection keeps a bounded number of picks: the best, a stratified sample of
// the others, and a sample of the infeasible ones.
type selection struct {
	best    []bounded // one per objective
	strata  [strata]bounded
	broken  bounded // measured, but against a constraint
	without bounded // no measurement
	edges   []float64
}

// newSelection makes room for a source with that many sound rows.
func newSelection(objectives, sound int, edges []float64) *selection {
	best, others, infeasible := keptBest/objectives, keptOthers/strata, keptInfeasible/2
	if sound <= maxKept {
		best, others, infeasible = maxKept, maxKept, maxKept
	}
	byPriority := func(a, b *pick) int {
		return cmp.Or(cmp.Compare(a.priority, b.priority), cmp.Compare(a.trial.Trial, b.trial.Trial))
	}
	s := &selection{edges: edges, broken: bounded{room: infeasible, less: byPriority}, without: bounded{room: infeasible, less: byPriority}}
	for i := range objectives {
		s.best = append(s.best, bounded{room: best, less: func(a, b *pick) int {
			return cmp.Or(cmp.Compare(a.objectives[i], b.objectives[i]), cmp.Compare(a.trial.Trial, b.trial.Trial))
		}})
	}
	for i := range s.strata {
		s.strata[i] = bounded{room: others, less: byPriority}
	}
	return s
}

func (s *selection) offer(p *pick) {
	switch {
	case p.objectives == nil:
		s.without.offer(p)
		return
	case p.status != optimizer.Measured:
		s.broken.offer(p)
		return
	}
	for i := range s.best {
		if p = s.best[i].offer(p); p == nil {
			return
		}
	}
	at, _ := slices.BinarySearch(s.edges, p.objectives[0])
	s.strata[at].offer(p)
}

// all returns what was kept, in the order of the trials.
func (s *selection) all() []*pick {
	out := slices.Concat(s.broken.items, s.without.items)
	for i := range s.best {
		out = append(out, s.best[i].items...)
	}
	for i := range s.strata {
		out = append(out, s.strata[i].items...)
	}
	slices.SortStableFunc(out, func(a, b *pick) int { return cmp.Compare(a.trial.Trial, b.trial.Trial) })
	return out
}

// bounded keeps the smallest picks: a heap with the largest of them on top.
type bounded struct {
	room  int
	less  func(a, b *pick) int
	items []*pick
}

// offer takes a pick and returns the one that there is no room for, or nil.
func (b *bounded) offer(p *pick) *pick {
	switch {
	case len(b.items) < b.room:
		heap.Push(b, p)
		return nil
	case b.less(p, b.items[0]) >= 0:
		return p
	}
	out := b.items[0]
	b.items[0] = p
	heap.Fix(b, 0)
	return out
}

func (b *bounded) Len() int           { return len(b.items) }
func (b *bounded) Less(i, j int) bool { return b.less(b.items[i], b.items[j]) > 0 }
func (b *bounded) Swap(i, j int)      { b.items[i], b.items[j] = b.items[j], b.items[i] }
func (b *bounded) Push(x any)         { b.items = append(b.items, x.(*pick)) }
func (b *bounded) Pop() any {
	n := len(b.items) - 1
	p := b.items[n]
	b.items = b.items[:n]
	return p
}

// priority mixes the bits of a trial's number (splitmix64: Steele, Lea and
// Flood 2014).
func priority(trial int) uint64 {
	z := uint64(trial) + 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
