package optimizer

import (
	"fmt"
	"math"

	"apollo/optimizer/space"
	"apollo/optimizer/surrogate"
)

// GPBandit is the Gaussian process bandit of Vizier, the paper's "Vizier"
// baseline: an upper confidence bound for the first design of a batch, and pure
// exploration, inside the region that may still hold the optimum, for the rest.
//
// References: X. Song et al., The Vizier Gaussian Process Bandit Algorithm,
// arXiv 2408.11527 (kernel, priors, warping, trust region, coefficients);
// E. Contal et al., Parallel Gaussian Process Optimization with Upper
// Confidence Bound and Pure Exploration, ECML 2013; A. Yazdanbakhsh et al.,
// Apollo, arXiv 2102.01723 (the baseline).
//
// Labels are half-rank and log warped; infeasible trials and failures
// get one bad label. The mean comes from finished trials, the deviation from pending ones too. Unlike
// Vizier, which evaluates 75,000 designs with an evolutionary search, it
// searches the lattice: uniform points and mutants, of which the best climb.
//
// Models take at most Limit trials (the best half, and every so many of the
// others), hyper-parameters are fitted to at most 200, at every trial up to 20
// and then about ten times while trials double. With m active trials a
// proposal takes O(m²·candidates) time after O(m³) for the batch; memory is
// 8·m² bytes and 300 a trial. After 8 proposals of a batch the rest are
// mutants. It searches one objective, uses Features and not Prior.
type GPBandit struct {
	// UCB weighs the deviation against the mean in the confidence bound; larger
	// explores more. 0 means 1.8.
	UCB float64 `json:"ucb"`
	// Limit is the largest number of trials in a model, at least 10. Time grows
	// with its square. 0 means 400.
	Limit int `json:"limit"`
	// Pool is the number of uniform designs, and of mutants, that the search of
	// a proposal starts from, at least 1. 0 means 250.
	Pool int `json:"pool"`
	// MaxChecks bounds the search for a uniform legal point; see Random.
	MaxChecks int `json:"maxChecks"`
}

var _ Strategy = (*gpBandit)(nil)

// Start implements Algorithm. A problem with several objectives is an error.
func (g GPBandit) Start(p Problem) (Strategy, error) {
	if err := g.validate(); err != nil {
		return nil, err
	}
	g = g.withDefaults()
	h, err := newHistory(p, "gp-bandit", g.MaxChecks)
	if err != nil {
		return nil, err
	}
	return &gpBandit{
		gpModels: gpModels{history: h, prior: surrogate.VizierPrior(), limit: g.Limit, fitLimit: min(200, g.Limit)},
		knobs:    g,
	}, nil
}

func (g GPBandit) withDefaults() GPBandit {
	if g.UCB == 0 {
		g.UCB = 1.8
	}
	if g.Limit == 0 {
		g.Limit = 400
	}
	if g.Pool == 0 {
		g.Pool = 250
	}
	return g
}

// The comparisons are written so that a NaN is out of range.
func (g GPBandit) validate() error {
	switch {
	case !(g.UCB >= 0) || math.IsInf(g.UCB, 0):
		return fmt.Errorf("ucb is %v, but must not be negative", g.UCB)
	case g.Limit != 0 && g.Limit < 10:
		return fmt.Errorf("limit is %d, but must be at least 10", g.Limit)
	case g.Pool < 0:
		return fmt.Errorf("pool is %d, but must be at least 1", g.Pool)
	}
	return Random{MaxChecks: g.MaxChecks}.validate()
}

type gpBandit struct {
	gpModels
	knobs GPBandit
}

const (
	// modelProposals is how many designs of a batch come from a model. Chosen: it
	// bounds the time of a large batch.
	modelProposals = 8
	// exploreUCB bounds the region of pure exploration and violation is the
	// price of leaving it: Vizier's explore_region_ucb_coefficient and
	// cb_violation_penalty_coefficient.
	exploreUCB, violation = 0.5, 10.0
)

func (g *gpBandit) Ask(at uint64, n int, pending []space.Point) ([]Proposal, error) {
	b, err := g.open(at, n, pending, "gp-bandit")
	if err != nil {
		return nil, err
	}
	b.begin(min(n, 1-len(g.records)-len(b.pending)))
	if len(b.out) < n {
		if err := g.model(b, min(n, modelProposals)); err != nil {
			return nil, fmt.Errorf("gp-bandit: %w", err)
		}
	}
	for len(b.out) < n && g.mutant(b) {
	}
	b.fill(n)
	return b.close()
}

func (g *gpBandit) model(b *batch, n int) error {
	n = max(0, n-len(b.out))
	waiting := b.pendingRows(&g.history)
	d := g.encoder.Len()
	broken := g.standing()
	m, err := g.gpModels.model(&g.values, g.learn, len(broken)+len(b.pending)+len(b.out)+n)
	if err != nil {
		return err
	}
	for _, f := range broken {
		m.gp.Append(f.x)
	}
	m.gp.SetLabels(g.labels(m.rows, len(broken)))
	for i := range b.pending {
		m.gp.Append(waiting[i*d : (i+1)*d])
	}
	for _, p := range b.out {
		m.gp.Append(g.encoder.Append(nil, p.Point))
	}
	trust := g.trustRegion(b, m.rows)
	threshold := g.bestMean(&m)
	for k := range n {
		score := func(x, score []float64) { g.ucb(&m, x, score, trust) }
		if k > 0 {
			score = func(x, score []float64) { g.explore(&m, x, score, trust, threshold) }
		}
		search := latticeSearch{
			batch: b, encoder: g.encoder, mutate: g.mutation, score: score,
			pool: g.knobs.Pool, climbs: 3, steps: 8, elite: g.elitePoints(16),
		}
		if !search.proposeBest() {
			return nil
		}
		m.gp.Append(g.encoder.Append(nil, b.out[len(b.out)-1].Point))
	}
	return nil
}

func (g *gpBandit) learn(int) (func(i int) bool, func(rows []int) []float64) {
	return func(int) bool { return true }, func(rows []int) []float64 { return g.labels(rows, 0) }
}

// labels are to be maximised: those of the rows and of so many failures.
func (g *gpBandit) labels(rows []int, broken int) []float64 {
	var values []float64
	good := make([]bool, len(rows)+broken)
	for k, i := range rows {
		if good[k] = g.records[i].class == feasible; good[k] {
			values = append(values, g.records[i].value)
		}
	}
	values = surrogate.HalfRank(surrogate.DrawIn(bounded(values)))
	for i := range values {
		values[i] = -values[i]
	}
	return surrogate.FillInfeasible(good, surrogate.LogWarp(values))
}

// bounded scales values to at most 1, so that no difference overflows.
func bounded(values []float64) []float64 {
	var largest float64
	for _, v := range values {
		largest = max(largest, math.Abs(v))
	}
	if largest > 0 {
		for i := range values {
			values[i] /= largest
		}
	}
	return values
}

func (g *gpBandit) bestMean(m *model) float64 {
	best := math.Inf(-1)
	for _, i := range m.rows {
		best = max(best, m.gp.Mean(g.row(i)))
	}
	return best
}

func (g *gpBandit) ucb(m *model, x, score []float64, trust func([]float64) float64) {
	deviation := make([]float64, len(score))
	m.gp.Predict(x, score, deviation)
	d := g.encoder.Len()
	for i := range score {
		score[i] += g.knobs.UCB*deviation[i] - trust(x[i*d:(i+1)*d])
	}
}

func (g *gpBandit) explore(m *model, x, score []float64, trust func([]float64) float64, threshold float64) {
	mean := make([]float64, len(score))
	m.gp.Predict(x, mean, score)
	d := g.encoder.Len()
	for i := range score {
		outside := threshold - (mean[i] + exploreUCB*score[i])
		score[i] -= violation*max(0, outside) + trust(x[i*d:(i+1)*d])
	}
}

// trustRegion returns the penalty of an input whose largest distance, by
// coordinate, to the nearest known input is beyond the radius 0.2 + 0.3·n/(5(d+1)).
// Categories do not count, nor do parameters whose single step is beyond it.
func (g *gpBandit) trustRegion(b *batch, rows []int) func([]float64) float64 {
	d := g.problem.Space.Len()
	radius := 0.2 + 0.3*float64(len(g.records))/(5*float64(d+1))
	var fine []int
	for i, p := range g.problem.Space.Params() {
		if !p.Categorical() && p.Len() > 1 && 1/float64(p.Len()-1) <= radius {
			fine = append(fine, i)
		}
	}
	if radius > 0.5 || len(fine) == 0 || len(rows)+len(b.pending) == 0 {
		return func([]float64) float64 { return 0 }
	}
	trusted := append(g.gather(rows), b.pendingRows(&g.history)...)
	width := g.encoder.Len()
	return func(x []float64) float64 {
		nearest := math.Inf(1)
		for first := 0; first < len(trusted) && nearest > radius; first += width {
			var far float64
			for _, i := range fine {
				far = max(far, math.Abs(x[i]-trusted[first+i]))
			}
			nearest = min(nearest, far)
		}
		if nearest <= radius {
			return 0
		}
		return outsideTrust + nearest
	}
}

// outsideTrust is beyond any difference of scores (Vizier's too).
const outsideTrust = 1e4
