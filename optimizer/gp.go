package optimizer

import (
	"fmt"
	"slices"

	"apollo/optimizer/space"
	"apollo/optimizer/surrogate"
)

// GP is Bayesian optimisation on the design lattice: a Gaussian process of the
// logarithm of the objective (see standard), one of feasibility for each cause that designs
// cannot run for (the 16th stands for all further ones), one of outliers, and the
// design of the largest expected improvement times the squared probability of
// feasibility. Outliers, such as penalties, are no labels of the objective, and neither are
// a value of many designs that their neighbours contradict (see unexplained).
//
// References: D. R. Jones, M. Schonlau, W. J. Welch, Efficient Global
// Optimization, J. Global Optim. 13, 1998; J. R. Gardner et al., Bayesian
// Optimization with Inequality Constraints, ICML 2014 (the product with the
// probability of feasibility); D. Ginsbourger, R. Le Riche, L. Carraro, Kriging
// Is Well-Suited to Parallelize Optimization, 2010 (the believer, for pending
// designs).
//
// The first design of its own is the baseline, or the centre of the space, whatever
// other studies proposed before; those of Sobol follow until a trial is feasible, or
// there are Initial of its own, and until one is feasible or says by how much it is
// not, and not all have one value. While nothing is feasible the objective is the
// violation. A pending design is believed to be at its predicted mean. While the
// trials since the best one are more than
// Breed, every Breed-th proposal is a child of the best designs, as GA breeds
// them, and so are always those of a batch after the eighth. Where numbers have many
// levels, every second proposal comes from a model of the neighbourhood of the best
// designs, once there are enough of them (see refine).
//
// Models take at most Limit trials. Of more trials they take half of Limit, the best and
// those nearest to the best one, and are models of its neighbourhood. Hyper-parameters are fitted to at most 200, at every trial up to 20
// and then about ten times while trials double. With m active trials a
// proposal takes O(m²·candidates) time after O(m³) for the batch, and as much
// for each cause; memory is 8·m² bytes a model and 300 a trial. It uses Features
// and not Prior; several objectives are searched by gp_multi.go.
type GP struct {
	// Initial is the largest number of designs before the first model, at least 1.
	// 0 means 10.
	Initial int `json:"initial"`
	// Breed says that every so many-th proposal is bred instead of modelled after
	// more than as many trials in a row that brought nothing better. 0 means 5, a negative number never.
	Breed int `json:"breed"`
	// Limit is the largest number of trials in a model, at least 10; longer studies
	// have models of half as many. Time grows with its square. 0 means 400.
	Limit int `json:"limit"`
	// Pool is the number of uniform designs, and of mutants, that the search of
	// a proposal starts from, at least 1. 0 means 250.
	Pool int `json:"pool"`
	// MaxChecks bounds the search for a uniform legal point; see Random.
	MaxChecks int `json:"maxChecks"`
}

var _ Strategy = (*gp)(nil)

// Start implements Algorithm. With several objectives the search is that of
// multiObjectiveGP.
func (g GP) Start(p Problem) (Strategy, error) {
	if err := g.validate(); err != nil {
		return nil, err
	}
	g = g.withDefaults()
	if p.Objectives > 1 {
		return newMultiObjectiveGP(p, g), nil
	}
	h, err := newHistory(p, "gp", g.MaxChecks)
	if err != nil {
		return nil, err
	}
	return &gp{
		gpModels: gpModels{history: h, prior: surrogate.DefaultPrior(), limit: g.Limit, fitLimit: min(200, g.Limit), local: true},
		knobs:    g,
		sequence: newSobolSequence(p),
	}, nil
}

func (g GP) withDefaults() GP {
	if g.Initial == 0 {
		g.Initial = 10
	}
	if g.Breed == 0 {
		g.Breed = 5
	}
	if g.Limit == 0 {
		g.Limit = 400
	}
	if g.Pool == 0 {
		g.Pool = 250
	}
	return g
}

func (g GP) validate() error {
	switch {
	case g.Initial < 0:
		return fmt.Errorf("initial is %d, but must be at least 1", g.Initial)
	case g.Limit != 0 && g.Limit < 10:
		return fmt.Errorf("limit is %d, but must be at least 10", g.Limit)
	case g.Pool < 0:
		return fmt.Errorf("pool is %d, but must be at least 1", g.Pool)
	}
	return Random{MaxChecks: g.MaxChecks}.validate()
}

type gp struct {
	gpModels
	knobs      GP
	sequence   *sobolSequence
	violations fitted // hyper-parameters while nothing is feasible
}

func (g *gp) Ask(at uint64, n int, pending []space.Point) ([]Proposal, error) {
	b, err := g.open(at, n, pending, "gp")
	if err != nil {
		return nil, err
	}
	cover, first := g.uncovered(g.knobs.Initial, b), g.uncovered(1, b)
	switch {
	case g.feasibilityUnknown():
		cover = n
	case g.feasible > 0:
		cover = first
	}
	b.begin(min(cover, first))
	b.cover(g.sequence, min(n, cover))
	if len(b.out) < n && len(g.records) > 0 {
		if err := g.improve(b, at, min(n, len(b.out)+modelProposals)); err != nil {
			return nil, fmt.Errorf("gp: %w", err)
		}
	}
	for len(b.out) < n && g.mutant(b) {
	}
	b.fill(n)
	return b.close()
}

// feasibilityUnknown reports whether no trial says where feasible designs might be: then
// the largest deviation of a model lies in corners, and covering the space
// finds one sooner. A plateau alone says no more.
func (h *history) feasibilityUnknown() bool {
	return len(h.ranked) == 0 || h.records[h.ranked[0]].class == unknown || h.level()
}

// improve adds proposals by expected improvement until there are n.
func (g *gp) improve(b *batch, at uint64, n int) error {
	believer, err := g.believer(b, n)
	if err != nil {
		return err
	}
	classifier, err := g.classifier(len(b.pending) + n)
	if err != nil {
		return err
	}
	g.believeWaiting(b, classifier.believe)
	believe := func() {
		x := g.encoder.Append(nil, b.out[len(b.out)-1].Point)
		believer.believe(x)
		classifier.believe(x)
	}
	for len(b.out) < n {
		turn := at + uint64(len(b.out)) + 1
		if g.stale() && turn%uint64(g.knobs.Breed) == 0 && g.mutant(b) {
			believe()
			continue
		}
		found := false
		if turn%2 == 1 && g.refinable() {
			if found, err = g.refine(b, classifier); err != nil {
				return err
			}
		}
		if !found && !g.search(b, believer, classifier, 16).proposeBest() {
			return nil
		}
		believe()
	}
	return nil
}

// search is one for a proposal, of which the elite is so many designs.
func (g *gp) search(b *batch, v *believer, classifier feasibility, elite int) *latticeSearch {
	return &latticeSearch{
		batch: b, encoder: g.encoder, mutate: g.mutation, score: v.score, chance: classifier, weight: feasibilityWeight,
		pool: g.knobs.Pool, climbs: 4, steps: 8, sparse: g.neighbours() > sparseFrom, elite: g.elitePoints(elite),
	}
}

const (
	// nearby is how many designs the model of a neighbourhood takes, and corners how many
	// of the best ones span the box in which it proposes. Chosen
	// (docs/decisions/0084).
	nearby, corners = 40, 10
)

// refinable reports whether there are enough designs for a model of a neighbourhood, and
// levels between them that the model of all of them does not tell apart.
func (g *gp) refinable() bool {
	steps := 0
	for _, p := range g.problem.Space.Params() {
		if !p.Categorical() {
			steps += p.Len() - 1
		}
	}
	return g.feasible >= nearby && steps > sparseFrom
}

// refine proposes by expected improvement of a model of the designs nearby, in the box of
// the best ones and a level around it. Of all designs the best ones have labels that
// are nearly equal, and a model takes what is left for noise. It reports
// whether the box had a design that is new and legal.
func (g *gp) refine(b *batch, classifier feasibility) (bool, error) {
	believer, err := g.believerOf(b, &g.nearby, g.learnNearby, len(b.out))
	if err != nil {
		return false, err
	}
	search := g.search(b, believer, classifier, corners)
	search.box = boxAround(g.problem.Space, search.elite)
	return search.proposeBest(), nil
}

// learnNearby is the lesson of what is measured near the best designs.
func (g *gp) learnNearby(n int) (func(i int) bool, func(rows []int) []float64) {
	keep, label := g.learnValues(n)
	rows := g.near(n, nearby, keep)
	return func(i int) bool {
		_, found := slices.BinarySearch(rows, i)
		return found
	}, label
}

// sparseFrom is the number of neighbours from which on climbs are sparse: a step over
// all of them would take most of the time. Chosen.
const sparseFrom = 128

// neighbours is how many designs differ from another in one parameter.
func (g *gp) neighbours() (n int) {
	for _, p := range g.problem.Space.Params() {
		n += p.Len() - 1
	}
	return n
}

// stale reports whether more than Breed trials brought nothing better: then the
// models may have settled on a place that is not the best, which breeding
// leaves. While they improve, a bred design is mostly one that cannot run.
func (g *gp) stale() bool {
	return g.knobs.Breed > 0 && len(g.records)-1-g.ranked[0] > g.knobs.Breed
}

// believer is a model of the objective in which pending designs have the label
// that was predicted for them ("Kriging believer").
type believer struct {
	model
	best float64 // the best label that was told
	buf  []float64
}

func (g *gp) believer(b *batch, n int) (*believer, error) {
	if g.running == 0 {
		return g.believerOf(b, &g.violations, g.learnViolations, n)
	}
	if err := g.explain(); err != nil {
		return nil, err
	}
	return g.believerOf(b, &g.values, g.learnValues, n)
}

// believerOf believes what is pending and proposed, with room for n proposals.
func (g *gp) believerOf(b *batch, cache *fitted, learn lesson, n int) (*believer, error) {
	m, err := g.model(cache, learn, len(b.pending)+n)
	if err != nil {
		return nil, err
	}
	v := &believer{model: m}
	switch best := g.ranked[0]; {
	case g.running > 0 && g.feasible == 0:
		v.best = slices.Max(m.labels) // all that is known is barred: any value will do
	case g.feasible > 0 && g.problem.Noisy:
		v.best = g.leastMean(&m)
	case g.feasible > 0 || g.records[best].class == violating:
		v.best = m.labels[slices.Index(m.rows, best)]
	}
	g.believeWaiting(b, v.believe)
	return v, nil
}

// believeWaiting tells of the designs that are pending or proposed.
func (g *gp) believeWaiting(b *batch, believe func(x []float64)) {
	waiting := b.pendingRows(&g.history)
	d := g.encoder.Len()
	for i := range b.pending {
		believe(waiting[i*d : (i+1)*d])
	}
	for _, p := range b.out {
		believe(g.encoder.Append(nil, p.Point))
	}
}

// learnValues is the lesson of what was measured, is no outlier, and is not unexplained.
func (g *gp) learnValues(n int) (func(i int) bool, func(rows []int) []float64) {
	limit := g.outliersFrom(n)
	keep := func(i int) bool {
		return g.records[i].measured && g.records[i].value < limit && !g.odd.is(&g.records[i])
	}
	return keep, g.labelsBy(func(r *record) float64 { return r.value })
}

func (g *gp) learnViolations(int) (func(i int) bool, func(rows []int) []float64) {
	keep := func(i int) bool { return g.records[i].class == violating }
	return keep, g.labelsBy(func(r *record) float64 { return r.score })
}

// labelsBy are standard labels of a number of each record.
func (g *gp) labelsBy(number func(*record) float64) func(rows []int) []float64 {
	return func(rows []int) []float64 {
		values := make([]float64, len(rows))
		for k, i := range rows {
			values[k] = number(&g.records[i])
		}
		return standard(values)
	}
}

// standard brings values to mean 0 and deviation 1: as logarithms, of what they are
// behind the best one where they have no natural zero (see rewards). Half-rank warped
// logarithms were worse: their worse half is no wilder than the better one, and shows
// where not to look. Values far better than most are drawn in.
func standard(values []float64) []float64 {
	compressed := surrogate.Compress(values)
	switch {
	case rewards(values):
		compressed = surrogate.LogRewards(values)
	case len(values) > 0 && slices.Min(values) <= 0:
		compressed = surrogate.LogBehind(compressed)
	}
	labels, _, _ := surrogate.Standardize(surrogate.DrawIn(compressed))
	return labels
}

// rewards reports whether values are those of a positive objective that is maximised, and
// some at least twice as good as others: then 0 is the worst there is. Of values that are nearly
// the same, it says nothing which of them are good. Chosen: docs/decisions/0094.
func rewards(values []float64) bool {
	return len(values) > 0 && slices.Max(values) < 0 && slices.Min(values) <= 2*slices.Max(values)
}

func (v *believer) believe(x []float64) {
	v.labels = append(v.labels, v.gp.Mean(x))
	v.gp.Append(x)
	v.gp.SetLabels(v.labels)
}

// feasibilityWeight is the weight of feasibility against improvement. 1 is the product of
// Gardner et al.; with 2 fewer trials are infeasible and the best is found
// sooner on the development networks (docs/decisions/0007).
const feasibilityWeight = 2

// score is the log of expected improvement.
func (v *believer) score(x, score []float64) {
	v.buf = slices.Grow(v.buf[:0], 2*len(score))[:2*len(score)]
	mean, deviation := v.buf[:len(score)], v.buf[len(score):]
	v.gp.Predict(x, mean, deviation)
	for i := range score {
		score[i] = surrogate.LogImprovement(v.best, mean[i], deviation[i])
	}
}
