package transfer

import (
	"math"
	"math/rand/v2"
	"slices"

	"apollo/optimizer/space"
	"apollo/optimizer/surrogate"
)

// modelProposer proposes by the models: the largest expected improvement times the
// probability of feasibility, with what the sources say as prior means.
type modelProposer struct {
	*strategy
	values, classes *ensemble
	spread          float64       // deviation of a source's labels
	elite           []space.Point // worth mutating
}

const (
	// maxTold is how many told designs a model of the target holds: the best
	// half and every so many of the others. Chosen: it bounds the time of a
	// proposal.
	maxTold = 160
	// maxUntested is how many designs may wait for an answer before the models
	// have to have had one: three batches of a study by default. Chosen.
	maxUntested = 24
	// maxPending is how many pending designs the models know of, the last ones.
	// Chosen, for the same reason.
	maxPending = 64
)

// feasibilityWeight is the weight of feasibility against improvement, as in the default
// strategy (docs/decisions/0007).
const feasibilityWeight = 2

// halvingTrials is after how many proposals in a row that were no improvement the
// share of the models halves. Chosen.
const halvingTrials = 8

// modelStream keeps the models' random streams apart from the base's: any fixed odd
// constant.
const modelStream = 0xd1342543de82ef95

// targetModels are the models at one ask.
type targetModels struct {
	value, class *targetModel
	best         float64 // label of the best feasible design
	any          bool    // whether there is one
	spread       float64

	priors, mean, deviation []float64
}

// propose adds the models' share of a batch of n, until the batch has most designs.
func (a *modelProposer) propose(d *draft, n, most int) error {
	room := min(n, len(d.out)+modelProposals)
	b, err := a.targetModels(d, room-len(d.out))
	if err != nil {
		return err
	}
	share := a.share(d, b)
	origin := a.origin(b)
	rng := rand.New(rand.NewPCG(a.problem.Seed^modelStream, d.at))
	for k := len(d.out); k < room && len(d.out) < most; k++ {
		turn := float64(d.at + uint64(k))
		if math.Floor((turn+1)*share) == math.Floor(turn*share) {
			continue
		}
		s := search{
			space: a.problem.Space, legal: a.problem.Legal, fresh: d.fresh, rng: rng, elite: a.elites(),
			score: func(_ []space.Key, points []space.Point, score []float64) { a.score(b, points, score) },
		}
		p, ok := s.best()
		if !ok {
			return nil
		}
		d.propose(a.problem.Space.Key(p), p, origin)
		x := a.inputs.Append(nil, p)
		b.value.believe(x)
		b.class.believe(x)
	}
	return nil
}

// share is the part of the proposals that the models make: three in four while the
// sources explain that much of values or feasibility, nothing when neither.
// Chosen: with half the development networks came later near their optima.
//
// Where no trial says anything of the models yet they are trusted for what the
// seeds came to: not at all once every source has had bad ones, and a little
// before. Without seeds they are trusted fully for the first trials, and a little after
// several that say nothing, because all were infeasible or have no answer yet.
// While many designs wait for theirs they are not.
func (a *modelProposer) share(d *draft, b *targetModels) float64 {
	weight := 0.0
	for _, m := range []*targetModel{b.value, b.class} {
		if m.tested {
			weight = max(weight, m.sourceWeight)
		}
	}
	waiting := len(d.pending) - len(d.out)
	switch {
	case b.value.tested || b.class.tested:
	case waiting >= maxUntested || a.allSourcesBad(d):
		return 0
	case len(a.seeds) == 0 && len(b.class.labels) < 2*minRanked:
		weight = 1
	default:
		weight = 1.0 / 4
	}
	if weight < 0.2 {
		return 0
	}
	// It halves with every few proposals that are no improvement, and one that is
	// brings it back: what the sources know is used up early, and late the
	// base knows better.
	return math.Ldexp(min(0.75, weight), -a.sinceImprovement/halvingTrials)
}

// allSourcesBad reports whether there are seeds, and those of every source were
// bad.
func (a *modelProposer) allSourcesBad(d *draft) bool {
	_, bad := a.seedCounts(d)
	return len(a.seeds) > 0 && !slices.ContainsFunc(a.seeds, func(s seed) bool { return bad[s.source] < badSeeds })
}

func (a *modelProposer) origin(b *targetModels) string {
	from := b.value
	if b.class.sourceWeight > from.sourceWeight {
		from = b.class
	}
	method, source := from.mainSource()
	if source >= 0 {
		return "transfer:" + method + ":" + a.problem.Prior[source].Name
	}
	return "transfer:" + method
}

func (a *modelProposer) targetModels(d *draft, room int) (*targetModels, error) {
	recent := d.pending[max(0, len(d.pending)-maxPending):]
	n, extra := len(a.records), len(recent)+room
	b := &targetModels{spread: a.spread}
	var err error
	if b.value, err = a.values.fitTarget(a.valueRows, n, extra, a.problem.Seed); err != nil {
		return nil, err
	}
	if b.class, err = a.classes.fitTarget(a.classRows, n, extra, a.problem.Seed); err != nil {
		return nil, err
	}
	values := a.valueRows(n)
	labels := a.values.label(values.y)
	for k, i := range values.record {
		if r := &a.records[i]; r.feasible && (!b.any || labels[k] < b.best) {
			b.best, b.any = labels[k], true
		}
	}
	for _, p := range recent {
		if !a.problem.Space.Contains(p) {
			continue
		}
		x := a.inputs.Append(nil, p)
		b.value.believe(x)
		b.class.believe(x)
	}
	return b, nil
}

// valueRows are the measured ones of the first n told designs.
func (a *modelProposer) valueRows(n int) toldRows {
	return a.rowsOf(n, func(r *row) bool { return len(r.values) > 0 }, func(r *row) float64 { return r.values[0] })
}

// classRows are the first n told designs.
func (a *modelProposer) classRows(n int) toldRows {
	return a.rowsOf(n, func(*row) bool { return true }, classLabel)
}

func (a *modelProposer) rowsOf(n int, keep func(*row) bool, label func(*row) float64) toldRows {
	var numbered []row
	for i := range a.records[:n] {
		if keep(&a.records[i]) {
			r := a.records[i]
			r.record = i
			numbered = append(numbered, r)
		}
	}
	out := toldRows{d: a.inputs.Len()}
	for _, r := range thin(numbered, maxTold, rank) {
		out.x, out.y, out.record = append(out.x, r.x...), append(out.y, label(&r)), append(out.record, r.record)
	}
	return out
}

// elites are the best designs told and the seeds.
func (a *modelProposer) elites() []space.Point {
	var out []space.Point
	for _, i := range a.best[:min(12, len(a.best))] {
		out = append(out, a.records[i].point)
	}
	return append(out, a.elite...)
}

func (a *modelProposer) score(b *targetModels, points []space.Point, score []float64) {
	var x []float64
	b.priors = b.priors[:0]
	for _, p := range points {
		x = a.inputs.Append(x, p)
	}
	d := a.inputs.Len()
	for i := range points {
		b.priors = append(b.priors, b.value.prior(x[i*d:(i+1)*d]))
	}
	b.mean = append(b.mean[:0], make([]float64, len(points))...)
	b.deviation = append(b.deviation[:0], make([]float64, len(points))...)
	b.value.predict(x, b.priors, b.mean, b.deviation)
	for i := range score {
		if b.any {
			score[i] = surrogate.LogImprovement(b.best, b.mean[i], b.deviation[i])
			continue
		}
		score[i] = -b.mean[i] / b.spread
	}
	for i := range points {
		b.priors[i] = b.class.prior(x[i*d : (i+1)*d])
	}
	b.class.predict(x, b.priors, b.mean, b.deviation)
	for i := range score {
		score[i] += feasibilityWeight * surrogate.LogNormalCDF(-b.mean[i]/math.Sqrt(classBlur+b.deviation[i]*b.deviation[i]))
	}
}
