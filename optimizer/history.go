package optimizer

import (
	"cmp"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"

	"apollo/optimizer/space"
	"apollo/optimizer/surrogate"
)

// record is what a model-based strategy keeps of a told point.
type record struct {
	individual
	// value is the objective where the design was measured, also when it broke
	// a constraint.
	value    float64
	measured bool
	// barred designs are ruled out by what is checked for free: trials of
	// another study, whose limits were wider.
	barred bool
	cause  int // position in causes; means nothing where the design runs
	origin string
}

// runs reports of record i what runs does.
func (h *history) runs(i int) bool { return h.records[i].runs() }

// wasMeasured reports whether record i has a value.
func (h *history) wasMeasured(i int) bool { return h.records[i].measured }

// runs reports whether nothing but a free check stands against the design.
func (r *record) runs() bool { return r.class == feasible || r.barred && r.measured }

// history holds every told trial that says something about its design, in
// order, with its coordinates for models. It is the whole state of a
// model-based strategy: all else is computed from it, or is a cache of what
// was computed from a prefix of it. Memory: about 200 bytes and 8 a coordinate
// for each trial.
type history struct {
	sampler
	mutation mutation
	encoder  *surrogate.Encoder
	records  []record
	x        []float64 // coordinates, row by row
	feasible int
	running  int    // records that run
	causes   causes // what the others broke
	ranked   []int  // positions in records, best first, the earlier of equals first
	failures failureLog
}

func newHistory(p Problem, origin string, maxChecks int) (history, error) {
	if p.Objectives > 1 {
		return history{}, fmt.Errorf("%s searches one objective, but the problem has %d", origin, p.Objectives)
	}
	return history{
		sampler:  newSampler(p, maxChecks),
		mutation: newMutation(&p, 0.7), // as GA
		encoder:  surrogate.NewEncoder(p.Space, p.Features),
	}, nil
}

// note adds a trial and reports whether it is a new record: no repeat, no
// failed trial (which is kept apart), no foreign point.
func (h *history) note(o Observation) bool {
	if !h.markTold(o.Point) && !h.again(o) {
		return false
	}
	if o.Status == Failed && o.Cause != "" {
		h.noteFailure(o)
	}
	member, ok := newIndividual(o)
	if !ok {
		return false
	}
	r := record{individual: member, origin: o.Origin}
	if len(o.Values) > 0 && finite(o.Values[0]) {
		r.value, r.measured = o.Values[0], true
	}
	r.barred = !h.problem.Legal(r.point)
	if r.class == feasible {
		h.feasible++
	}
	if r.runs() {
		h.running++
	} else {
		r.cause = h.causes.number(o.Cause)
	}
	at, _ := slices.BinarySearchFunc(h.ranked, r.individual, func(old int, new individual) int {
		if compareFitness(h.records[old].individual, new) <= 0 {
			return -1
		}
		return 1
	})
	h.ranked = slices.Insert(h.ranked, at, len(h.records))
	h.records = append(h.records, r)
	h.x = h.encoder.Append(h.x, member.point)
	if r.runs() {
		h.failures.noteRun(h.problem.Space, r.point)
	}
	return true
}

// again reports whether a trial is one more measurement of a design whose answers
// differ. Each is a record of its own: what was computed from a prefix of the
// records stays true.
func (h *history) again(o Observation) bool {
	return h.problem.Noisy && o.Status == Measured && h.problem.Space.Contains(o.Point)
}

// causes are what designs broke, in the order in which it was met.
type causes []string

// maxCauses is how many causes are told apart. Chosen: each costs a model, no
// template has more than seven, and an evaluator may put numbers into its words.
const maxCauses = 16

// number returns the position of a cause. The last position is that of all
// causes that were met when the others were taken.
func (c *causes) number(name string) int {
	if i := slices.Index(*c, name); i >= 0 {
		return i
	}
	if len(*c) < maxCauses {
		*c = append(*c, name)
		return len(*c) - 1
	}
	return maxCauses - 1
}

// Tell implements Strategy for those whose state is the history.
func (h *history) Tell(obs ...Observation) {
	for _, o := range obs {
		h.note(o)
	}
}

// row returns the coordinates of a record.
func (h *history) row(i int) []float64 {
	d := h.encoder.Len()
	return h.x[i*d : (i+1)*d]
}

// gather returns the coordinates of some records, row by row.
func (h *history) gather(rows []int) []float64 {
	x := make([]float64, 0, len(rows)*h.encoder.Len())
	for _, i := range rows {
		x = append(x, h.row(i)...)
	}
	return x
}

// pendingRows returns the coordinates of the pending points.
func (b *batch) pendingRows(h *history) []float64 {
	var x []float64
	for _, key := range b.pending {
		b.point = b.problem.Space.PointInto(b.point, key)
		x = h.encoder.Append(x, b.point)
	}
	return x
}

// elite returns the best k individuals, best first.
func (h *history) elite(k int) []individual {
	var best []individual
	for _, i := range h.ranked[:min(k, len(h.ranked))] {
		best = append(best, h.records[i].individual)
	}
	return best
}

func (h *history) elitePoints(k int) []space.Point {
	var points []space.Point
	for _, m := range h.elite(k) {
		points = append(points, m.point)
	}
	return points
}

// mutant proposes a child of the elite, as GA breeds them; false when none was
// new and legal.
func (h *history) mutant(b *batch) bool {
	g := GA{}.withDefaults()
	parents := breeder{sampler: h.sampler, mutation: h.mutation, members: h.elite(g.Population), knobs: breederKnobs{
		tournament: g.Tournament, crossover: g.Crossover, mutation: g.Mutation,
	}}
	return len(parents.members) > 0 && parents.breed(b)
}

// active returns which of the first n records a model of at most limit takes, see
// thinned. It depends on the first n records alone.
func (h *history) active(n, limit int, keep func(i int) bool) []int {
	var rows []int
	for _, i := range h.ranked { // a prefix in rank order is ranked too
		if i < n && keep(i) {
			rows = append(rows, i)
		}
	}
	return thinned(rows, limit)
}

// thinned returns at most limit of ranked rows, in order: all while they fit, then
// the best half and, for the shape of the rest, every so many of the others. It
// overwrites ranked.
func thinned(ranked []int, limit int) []int {
	if len(ranked) > limit {
		best := limit / 2
		rest := ranked[best:]
		slices.Sort(rest)
		for k := range limit - best {
			ranked[best+k] = rest[k*len(rest)/(limit-best)]
		}
		ranked = ranked[:limit]
	}
	slices.Sort(ranked)
	return ranked
}

// near returns which of the first n records a local model of at most limit takes, in
// order: the best half, and those that are nearest to the best one. It depends on the
// first n records alone.
func (h *history) near(n, limit int, keep func(i int) bool) []int {
	var rows []int
	for _, i := range h.ranked {
		if i < n && keep(i) {
			rows = append(rows, i)
		}
	}
	if len(rows) > limit {
		home := h.records[rows[0]].point
		rest := make([]neighbor, 0, len(rows)-limit/2)
		for _, i := range rows[limit/2:] {
			rest = append(rest, neighbor{i, h.problem.Space.Distance(home, h.records[i].point)})
		}
		slices.SortFunc(rest, func(a, b neighbor) int { return cmp.Or(cmp.Compare(a.distance, b.distance), a.row-b.row) })
		rows = rows[:limit/2]
		for _, r := range rest[:limit-limit/2] {
			rows = append(rows, r.row)
		}
	}
	slices.Sort(rows)
	return rows
}

type neighbor struct {
	row      int
	distance float64
}

// checkpoint is the largest number of records up to n at which hyper-parameters
// are fitted: every one up to 20, then at steps of a tenth of n, rounded down
// to a power of two. A fit is a function of the records before its checkpoint,
// so that a restart finds the same.
func checkpoint(n int) int {
	if n < 20 {
		return n
	}
	step := 1 << (bits.Len(uint(n/10)) - 1)
	return n - n%step
}

// sample draws up to n new legal points, with at most checks draws, and hands
// each to keep with its key; where that is too few to meet n, points of the
// reservoir follow. Some may come twice. keep must not hold the point.
func (b *batch) sample(n, checks int, rng *rand.Rand, keep func(key space.Key, p space.Point)) {
	s := b.problem.Space
	for ; n > 0 && checks > 0; checks-- {
		b.point = s.Draw(b.point, rng)
		b.problem.Settle(b.point)
		if !b.problem.Legal(b.point) {
			continue
		}
		if key := s.Key(b.point); b.fresh(key) {
			keep(key, b.point)
			n--
		}
	}
	if n == 0 {
		return
	}
	for known := b.reservoir(); n > 0 && len(known) > 0; n-- {
		key := known[rng.IntN(len(known))]
		if b.fresh(key) {
			b.point = s.PointInto(b.point, key)
			keep(key, b.point)
		}
	}
}

const (
	// reservoirSize is how many legal points are kept, and reservoirChecks how
	// many draws are spent to find them. Chosen: once a study, and no longer
	// than two seconds where a check takes 30 µs.
	reservoirSize   = 2048
	reservoirChecks = 1 << 16
)

// reservoir returns legal points that were drawn once: where few are legal,
// each ask could draw but a handful anew. It depends on the problem alone.
func (s *sampler) reservoir() []space.Key {
	if s.stock != nil {
		return s.stock
	}
	s.stock = make([]space.Key, 0, reservoirSize)
	rng := newStream(s.problem.Seed, reservoirStream)
	var p space.Point
	for checks := 0; checks < reservoirChecks && len(s.stock) < reservoirSize; checks++ {
		p = s.problem.Space.Draw(p, rng)
		if s.problem.Settle(p); s.problem.Legal(p) {
			s.stock = append(s.stock, s.problem.Space.Key(p))
		}
	}
	return s.stock
}

// reservoirStream is beyond the numbers of trials, which other streams use.
const reservoirStream = 1 << 62
