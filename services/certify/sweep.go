package certify

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// Optimum is the best of a problem under one limit of a sweep.
type Optimum struct {
	// Limit is the largest value of the swept metric that counts.
	Limit float64 `json:"limit"`
	// Value is the best objective, nil when no design is feasible; Index is the
	// lowest of the Tied designs that have it.
	Value *float64 `json:"value"`
	Index uint64   `json:"index"`
	Tied  uint64   `json:"tied"`
}

// Sweep proves the optimum under each of some limits of a metric, in one walk: a
// design counts under every limit that it keeps, and a group of designs is left
// out when its bounds say that it is no better than what is known under the
// tightest limit that it can keep. limits rise, and the last one must be the
// problem's own limit on the metric. evaluated is how many designs were measured;
// neither depends on the number of workers. report hears after every round how many
// groups are settled; nil hears nothing.
func (p *Problem) Sweep(ctx context.Context, metric string, limits []float64, workers int, report func(done, groups int)) (optima []Optimum, evaluated uint64, err error) {
	column := p.spec.MetricIndex(metric)
	if own := slices.IndexFunc(p.limits, func(l limit) bool { return l.column == column }); own < 0 || !slices.IsSorted(limits) || p.limits[own].max != limits[len(limits)-1] {
		return nil, 0, fmt.Errorf("sweep %s: the limits must rise to the problem's own", metric)
	}
	r := &run{p: p, walkers: p.newWalkers(ctx, workers)}
	if err := r.sort(ctx); err != nil {
		return nil, 0, err
	}
	sweepers := map[*walker]*sweeper{}
	for _, w := range r.walkers {
		// The walker's own best stays none: what is known is the sweeper's.
		sweepers[w] = &sweeper{walker: w, column: column, limits: limits, found: fresh(len(limits))}
	}
	best := fresh(len(limits))
	for done := 0; done < len(r.order); {
		n := min(roundGroups, max(1, done), len(r.order)-done)
		answers := make([][]found, n)
		counted := make([]uint64, n)
		err := r.each(ctx, n, func(w *walker, i int) {
			answers[i], counted[i] = sweepers[w].root(r.order[done+i].group, best)
		})
		if err != nil {
			return nil, 0, err
		}
		for i, under := range answers {
			evaluated += counted[i]
			for k := range under {
				best[k].merge(under[k])
			}
		}
		done += n
		if report != nil {
			report(done, len(r.order))
		}
	}
	for k, f := range best {
		o := Optimum{Limit: limits[k], Index: f.index, Tied: f.tied}
		if f.tied > 0 {
			o.Value = new(p.sign * f.key)
		}
		optima = append(optima, o)
	}
	return optima, evaluated, nil
}

func fresh(n int) []found { return slices.Repeat([]found{nothing()}, n) }

// sweeper is a walker that keeps the best under each limit.
type sweeper struct {
	*walker
	column int
	limits []float64
	cuts   []found // the best before the round
	found  []found
	seen   uint64
}

// root visits a group of the first stage, as walker.root does.
func (s *sweeper) root(n uint64, cuts []found) (best []found, evaluated uint64) {
	s.cuts, s.found, s.seen, s.index = cuts, fresh(len(s.limits)), 0, 0
	s.group(0, n)
	return s.found, s.seen
}

func (s *sweeper) group(stage int, n uint64) {
	offset := s.set(stage, n)
	if none, _ := s.enclose(stage); none {
		return
	}
	low := s.corner()
	if !s.bound(stage) || s.hopeless() {
		return
	}
	if v := s.values[s.column]; v > low {
		low = v
	}
	if s.useless(low, s.key()) {
		return
	}
	s.index += offset
	s.descend(stage)
	s.index -= offset
}

// corner is the least that the group can have of the swept metric, as far as the
// corners that enclose looked at tell.
func (s *sweeper) corner() float64 {
	p := s.p
	if !p.enclosed || p.check == nil || !p.cheap[s.column] {
		return math.Inf(-1)
	}
	return s.a[s.column]
}

// useless reports whether designs with at least so much of the swept metric, and
// keys not below key, are worse than what is known under every limit that they
// can keep: under the tightest of these the best known is the worst.
func (s *sweeper) useless(low, key float64) bool {
	k, _ := slices.BinarySearch(s.limits, low)
	return k == len(s.limits) || key > min(s.cuts[k].key, s.found[k].key)
}

func (s *sweeper) descend(stage int) {
	next := stage + 1
	if next < len(s.p.stages)-1 {
		for n := range s.p.groups(next) {
			s.group(next, n)
		}
		return
	}
	bound := s.key()
	free := s.p.check != nil && s.p.cheap[s.column]
	for n := range s.p.groups(next) {
		index := s.index + s.set(next, n)
		if !s.isLegal() {
			continue
		}
		if free {
			if s.free(); s.useless(s.a[s.column], bound) {
				continue
			}
		}
		s.take(next, index)
	}
}

// take measures a design and keeps it under every limit that it keeps.
func (s *sweeper) take(stage int, index uint64) {
	s.seen++
	if !s.feasible(stage) {
		return
	}
	f := found{key: s.p.sign * s.values[s.p.objective], index: index, tied: 1}
	from, _ := slices.BinarySearch(s.limits, s.values[s.column])
	for k := from; k < len(s.limits); k++ {
		if f.key <= s.cuts[k].key {
			s.found[k].merge(f)
		}
	}
}
