package optimizer

import (
	"cmp"
	"math"
	"slices"

	"apollo/optimizer/space"
	"apollo/optimizer/surrogate"
)

// acquisition scores designs by their coordinates, row by row: the larger the
// better. It adds nothing and keeps nothing.
type acquisition func(x, score []float64)

// latticeSearch maximises an acquisition over the new legal points of a
// lattice: uniform points and mutants of the elite are scored, and the best of
// them climb by the best change of a single parameter, each over all its
// levels or, when sparse, over fewer, until no change is better.
type latticeSearch struct {
	batch   *batch
	encoder *surrogate.Encoder
	mutate  mutation
	score   acquisition
	// chance is what is known of feasibility, weight times which is added to scores.
	chance feasibility
	weight float64
	// pool is the number of uniform points and of mutants; climbs that of
	// starts; steps bounds each climb.
	pool, climbs, steps int
	// sparse climbs move numbers by 1, 2, 4, … levels only: on parameters of
	// many levels a step takes a third of the time.
	sparse bool
	// near searches only among designs that differ from one of the elite in one
	// parameter, without climbs.
	near bool
	// box, where there is one, bounds the search: it begins with mutants alone.
	box *box
	// given, where there are any, are the only designs that are looked at.
	given []space.Point
	// elite are points worth mutating, best first; may be empty.
	elite []space.Point

	seen       space.Set
	candidates []candidate
	x          []float64
	scores     []float64
}

type candidate struct {
	key   space.Key
	score float64
}

// checksPerPoint bounds the draws for a uniform candidate: where fewer than one
// point in eight is legal, the reservoir makes up for what is not met. Chosen.
const checksPerPoint = 8

// run returns the candidates that were looked at, the best first, by key among equals;
// none when no new legal point turned up. Where there is a chance only that of the first is
// sure to count.
func (l *latticeSearch) run() []candidate {
	l.seen = space.Set{}
	b := l.batch
	if size := b.problem.Space.Size(); size <= uint64(2*l.pool) {
		for i := range size {
			b.point = b.problem.Space.AtInto(b.point, i)
			l.offer(b.problem.Space.KeyAt(i), b.point)
		}
		l.evaluate(1, math.Inf(-1))
		l.sort()
		return l.candidates
	}
	if l.near || len(l.given) > 0 {
		for _, p := range l.given {
			l.offer(b.problem.Space.Key(p), p)
		}
		if len(l.given) == 0 {
			l.neighbours()
		}
		l.evaluate(1, math.Inf(-1))
		l.sort()
		return l.candidates
	}
	if l.box == nil {
		b.sample(l.pool, l.pool*checksPerPoint, b.rng, func(key space.Key, p space.Point) { l.queue(key, p) })
	}
	l.mutants()
	l.evaluate(max(1, l.climbs), math.Inf(-1))
	l.sort()
	starts := slices.Clone(l.candidates[:min(l.climbs, len(l.candidates))])
	for _, start := range starts {
		l.climb(start)
	}
	l.sort()
	return l.candidates
}

func (l *latticeSearch) mutants() {
	if len(l.elite) == 0 {
		return
	}
	b := l.batch
	found := 0
	for attempt := 0; found < l.pool && attempt < 4*l.pool; attempt++ {
		// The first of the elite are drawn more often: the minimum of two draws.
		i := min(b.rng.IntN(len(l.elite)), b.rng.IntN(len(l.elite)))
		b.point = append(b.point[:0], l.elite[i]...)
		child := b.point
		if b.rng.Uint64()&1 == 0 {
			crossUniform(child, l.elite[b.rng.IntN(len(l.elite))], b.rng)
		}
		l.mutate.apply(child, 2, b.rng)
		b.problem.Settle(child)
		if l.offer(b.problem.Space.Key(child), child) {
			found++
		}
	}
}

// neighbours queues up to twice pool designs that differ in one parameter from any of
// the elite.
func (l *latticeSearch) neighbours() {
	b := l.batch
	found := 0
	for attempt := 0; found < 2*l.pool && attempt < 8*l.pool && len(l.elite) > 0; attempt++ {
		b.point = append(b.point[:0], l.elite[b.rng.IntN(len(l.elite))]...)
		l.mutate.apply(b.point, 1, b.rng)
		b.problem.Settle(b.point)
		if l.offer(b.problem.Space.Key(b.point), b.point) {
			found++
		}
	}
}

// box is the points whose numbers have levels from low to high.
type box struct{ low, high space.Point }

// boxAround holds the points and one level more to each side; any label is in it.
func boxAround(s space.Space, points []space.Point) *box {
	b := &box{points[0].Clone(), points[0].Clone()}
	for i, p := range s.Params() {
		for _, q := range points {
			b.low[i], b.high[i] = min(b.low[i], q[i]), max(b.high[i], q[i])
		}
		b.low[i], b.high[i] = b.low[i]-1, b.high[i]+1
		if p.Categorical() {
			b.low[i], b.high[i] = 0, p.Len()
		}
	}
	return b
}

func (b *box) holds(p space.Point) bool {
	for i, level := range p {
		if level < b.low[i] || level > b.high[i] {
			return false
		}
	}
	return true
}

// offer queues a point for evaluation when it is in the box, new, legal and was not seen.
func (l *latticeSearch) offer(key space.Key, p space.Point) bool {
	if l.box != nil && !l.box.holds(p) {
		return false
	}
	if l.seen.Has(key) || !l.batch.fresh(key) || !l.batch.problem.Legal(p) {
		return false
	}
	return l.queue(key, p)
}

func (l *latticeSearch) queue(key space.Key, p space.Point) bool {
	if !l.seen.Add(key) {
		return false
	}
	l.candidates = append(l.candidates, candidate{key: key})
	l.x = l.encoder.Append(l.x, p)
	return true
}

// evaluate scores what was queued since the last call and returns it. Of what is above
// floor the first ones, so many, have the right score, as discount says.
func (l *latticeSearch) evaluate(first int, floor float64) []candidate {
	n := len(l.candidates) // the space without parameters has one point
	if d := l.encoder.Len(); d > 0 {
		n = len(l.x) / d
	}
	queued := l.candidates[len(l.candidates)-n:]
	l.scores = append(l.scores[:0], make([]float64, n)...)
	l.score(l.x, l.scores)
	l.discount(first, floor)
	for i := range queued {
		queued[i].score = l.scores[i]
		if math.IsNaN(l.scores[i]) {
			queued[i].score = math.Inf(-1)
		}
	}
	l.x = l.x[:0]
	return queued
}

// block is how many designs are discounted before the next look at which may still be
// among the first ones. Chosen: so many are predicted side by side.
const block = 8

// discount adds the chance of feasibility to the scores that it may matter for. Its
// logarithm is at most 0 and takes most of the time, so it is left out for designs that
// come after the first ones, so many, without it, and for what is no better than floor.
func (l *latticeSearch) discount(first int, floor float64) {
	if len(l.chance) == 0 || len(l.scores) == 0 {
		return
	}
	d := len(l.x) / len(l.scores)
	order := make([]int, 0, len(l.scores))
	for i, score := range l.scores {
		if score > floor {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(l.scores[b], l.scores[a]) })
	var inputs, best []float64
	chance := make([]float64, block)
	for len(order) > 0 && (len(best) < first || l.scores[order[0]] > best[first-1]) {
		some := order[:min(block, len(order))]
		order = order[len(some):]
		inputs = inputs[:0]
		for _, i := range some {
			inputs = append(inputs, l.x[i*d:(i+1)*d]...)
		}
		clear(chance)
		l.chance.addLog(inputs, chance[:len(some)])
		for k, i := range some {
			l.scores[i] += l.weight * chance[k]
			best = append(best, l.scores[i])
		}
		slices.SortFunc(best, func(a, b float64) int { return cmp.Compare(b, a) })
		best = best[:min(first, len(best))]
	}
}

func (l *latticeSearch) climb(at candidate) {
	s := l.batch.problem.Space
	for range l.steps {
		l.around(s.PointInto(nil, at.key))
		next := at
		for _, c := range l.evaluate(1, at.score) {
			if c.score > next.score {
				next = c
			}
		}
		if next == at {
			return
		}
		at = next
	}
}

// around queues the points that a step of a climb may go to.
func (l *latticeSearch) around(home space.Point) {
	s := l.batch.problem.Space
	for i, partners := range l.mutate.partners {
		for _, k := range partners {
			if k < i && home[k] != home[i] {
				home[i], home[k] = home[k], home[i]
				l.offer(s.Key(home), home)
				home[i], home[k] = home[k], home[i]
			}
		}
	}
	if !l.sparse {
		for key, p := range s.Neighbors(home) {
			l.offer(key, p)
		}
		return
	}
	for i, level := range home {
		param := s.Param(i)
		for other := range param.Len() {
			gap := max(other-level, level-other)
			if gap == 0 || gap&(gap-1) != 0 && !param.Categorical() {
				continue
			}
			home[i] = other
			l.offer(s.Key(home), home)
		}
		home[i] = level
	}
}

func (l *latticeSearch) sort() {
	slices.SortFunc(l.candidates, func(a, b candidate) int {
		if c := cmp.Compare(b.score, a.score); c != 0 {
			return c
		}
		return a.key.Compare(b.key)
	})
}

// evolve maximises the acquisition by generations of children of the best
// candidates and of the elite, pool at a time, in place of climbs. The return is
// that of run.
func (l *latticeSearch) evolve(generations int) []candidate {
	l.seen = space.Set{}
	b := l.batch
	b.sample(l.pool, l.pool*checksPerPoint, b.rng, func(key space.Key, p space.Point) { l.queue(key, p) })
	l.mutants()
	l.evaluate(l.pool, math.Inf(-1))
	l.sort()
	for range generations {
		l.elite = l.elite[:0:0]
		for _, c := range l.candidates[:min(l.pool, len(l.candidates))] {
			l.elite = append(l.elite, b.problem.Space.PointInto(nil, c.key))
		}
		l.mutants()
		if len(l.evaluate(l.pool, math.Inf(-1))) == 0 {
			break
		}
		l.sort()
	}
	return l.candidates
}

// proposeBest proposes the best candidate and reports whether there was one.
func (l *latticeSearch) proposeBest() bool {
	found := l.run()
	if len(found) == 0 {
		return false
	}
	b := l.batch
	b.point = b.problem.Space.PointInto(b.point, found[0].key)
	b.propose(found[0].key, b.point)
	return true
}
