package main

import (
	"cmp"
	"context"
	"iter"
	"slices"

	"apollo/events"
	"apollo/optimizer/pareto"
	"apollo/services/client"
	"apollo/services/inspect"
)

// readTrials yields the trials of a run that are numbered below an end, in order, as the
// ledger has them, and holds one batch at a time. Each is valid until the next one is asked
// for, also what it points to.
func readTrials(ctx context.Context, bus events.Bus, view *client.StudyView, end int) iter.Seq2[*trial, error] {
	return func(yield func(*trial, error) bool) {
		judge, err := events.NewJudge(view.Spec)
		if err != nil {
			yield(nil, err)
			return
		}
		for b, err := range client.Batches(ctx, bus, view, end) {
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range b.Designs {
				t := trialOf(b, i)
				if t.number >= end {
					return
				}
				if t.voidedBy = view.VoidedBy[t.number]; t.result != nil && t.voidedBy == 0 {
					t.judgement = judge.Judge(t.design, t.result)
				}
				if !yield(&t, nil) {
					return
				}
			}
		}
	}
}

// trialOf is a trial of a batch, not judged.
func trialOf(b *client.Batch, i int) trial {
	t := trial{number: b.FirstTrial + i, batch: b.Batch, design: b.Designs[i], result: b.Answers[i]}
	if i < len(b.Origins) {
		t.origin = b.Origins[i]
	}
	if i < len(b.Parents) {
		t.parents = b.Parents[i]
	}
	if t.result != nil && !b.Known[i] {
		t.worker = b.Worker
	}
	return t
}

// clone is a copy that does not keep its batch in memory.
func (t *trial) clone() *trial {
	c := *t
	c.design, c.parents = slices.Clone(t.design), slices.Clone(t.parents)
	if t.result != nil {
		r := *t.result
		r.Values = slices.Clone(r.Values)
		c.result = &r
	}
	return &c
}

// all yields the trials of a ledger.
func (l *ledger) all(yield func(*trial, error) bool) {
	for i := range l.trials {
		if !yield(&l.trials[i], nil) {
			return
		}
	}
}

// choice says which trials are meant.
type choice struct {
	feasible bool
	where    func(*trial) bool // nil for any
	// best and last are how many of them, 0 for all.
	best, last int
}

// of returns those of the trials that are meant. What is not all of them is read at once.
func (c *choice) of(spec *events.Spec, trials iter.Seq2[*trial, error]) (iter.Seq2[*trial, error], error) {
	if c.feasible || c.where != nil {
		trials = c.those(trials)
	}
	if c.best == 0 && c.last == 0 {
		return trials, nil
	}
	var few []*trial
	var err error
	switch {
	case c.best > 0:
		if few, err = bestOf(spec, trials, c.best); c.last > 0 {
			few = few[max(0, len(few)-c.last):]
		}
	default:
		few, err = lastOf(trials, c.last)
	}
	return func(yield func(*trial, error) bool) {
		for _, t := range few {
			if !yield(t, nil) {
				return
			}
		}
	}, err
}

func (c *choice) those(trials iter.Seq2[*trial, error]) iter.Seq2[*trial, error] {
	return func(yield func(*trial, error) bool) {
		for t, err := range trials {
			if err == nil && (c.feasible && !t.judgement.Feasible || c.where != nil && !c.where(t)) {
				continue
			}
			if !yield(t, err) {
				return
			}
		}
	}
}

// lastOf returns the last n trials.
func lastOf(trials iter.Seq2[*trial, error], n int) ([]*trial, error) {
	var ring []*trial
	at := 0
	for t, err := range trials {
		if err != nil {
			return nil, err
		}
		if len(ring) < n {
			ring = append(ring, t.clone())
			continue
		}
		ring[at] = t.clone()
		at = (at + 1) % n
	}
	return slices.Concat(ring[at:], ring[:at]), nil
}

// bestOf returns the n best of feasible trials, best first, as ranked has them.
func bestOf(spec *events.Spec, trials iter.Seq2[*trial, error], n int) ([]*trial, error) {
	few := bestFew{spec: spec, n: n}
	for t, err := range trials {
		if err != nil {
			return nil, err
		}
		few.add(t)
	}
	return few.ranked(), nil
}

// bestFew are the n best of feasible trials. It holds few more than may be among them.
type bestFew struct {
	spec   *events.Spec
	n      int
	pool   []*trial
	points [][]float64
	most   int
}

// spareTrials is how many more than the best a pool has at least before it is made small
// again; else it has grown by half.
const spareTrials = 1024

func (b *bestFew) add(t *trial) {
	p := minimisedOf(b.spec, inspect.Metrics(b.spec, t.result.Values))
	if dominators(b.points, p, b.n) >= b.n {
		return
	}
	b.pool, b.points = append(b.pool, t.clone()), append(b.points, p)
	if len(b.pool) > max(b.most, spareTrials) {
		b.pool, b.points = prune(b.pool, b.points, b.n)
		b.most = len(b.pool) + len(b.pool)/2 + spareTrials
	}
}

// ranked returns the best, in order.
func (b *bestFew) ranked() []*trial {
	all := ranked(b.spec, b.pool)
	return all[:min(b.n, len(all))]
}

// dominators counts the points that are better than p, up to n of them. What n trials
// dominate is in no front that the n best are of, and neither is what it dominates: without
// it those fronts are the same, and so is the order in each. Of one objective the earlier
// of two equal ones is the better.
func dominators(points [][]float64, p []float64, n int) (count int) {
	for i := 0; i < len(points) && count < n; i++ {
		if pareto.Dominates(points[i], p) || len(p) == 1 && points[i][0] == p[0] {
			count++
		}
	}
	return count
}

// prune leaves out what n others of the pool dominate.
func prune(pool []*trial, points [][]float64, n int) (left []*trial, at [][]float64) {
	if len(points[0]) == 1 {
		order := make([]int, len(pool))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(points[a][0], points[b][0]) })
		for _, i := range order[:min(n, len(order))] {
			left, at = append(left, pool[i]), append(at, points[i])
		}
		return left, at
	}
	for i, p := range points {
		if dominators(points, p, n) < n {
			left, at = append(left, pool[i]), append(at, p)
		}
	}
	return left, at
}
