package optimizer

import (
	"fmt"
	"math"
	"slices"

	"apollo/optimizer/space"
)

// TPE is the tree-structured Parzen estimator: one density of the designs of
// the good trials, one of the others, and the candidate drawn from the first
// where the first is largest beside the second.
//
// References: J. Bergstra, R. Bardenet, Y. Bengio, B. Kégl, Algorithms for
// Hyper-Parameter Optimization, NeurIPS 2011; S. Watanabe, Tree-Structured
// Parzen Estimator: Understanding Its Algorithm Components, arXiv 2304.11127
// (the multivariate kernels, bandwidths and weights, which are those of Optuna
// with its defaults).
//
// Kernels are products over parameters: normals cut to the range and to levels,
// and for categories the observed one with the prior's share for the others.
// Infeasible trials rank after the feasible ones, by their violation. Pending
// designs count as bad, so a batch spreads, and so do failed ones that are recent
// or confirmed by others. Candidates that are not legal or
// not new are drawn again, at most 64 times as often in all; when all fail the proposal is
// uniform. With n trials an ask takes O(n·Candidates·parameters) time, the
// memory is about 200 bytes a trial. It searches one objective and uses neither
// Features nor Prior.
type TPE struct {
	// Initial is the number of uniform designs before the first model, at
	// least 1. 0 means 10.
	Initial int `json:"initial"`
	// Candidates is the number of designs drawn for each proposal, at least 1.
	// More is greedier. 0 means 24.
	Candidates int `json:"candidates"`
	// Good is the share of the trials that are good, in (0, 1]; never more than
	// 25 trials are. 0 means 0.1.
	Good float64 `json:"good"`
	// MaxChecks bounds the search for a uniform legal point; see Random.
	MaxChecks int `json:"maxChecks"`
}

var _ Strategy = (*tpe)(nil)

// Start implements Algorithm. A problem with several objectives is an error.
func (t TPE) Start(p Problem) (Strategy, error) {
	if err := t.validate(); err != nil {
		return nil, err
	}
	t = t.withDefaults()
	h, err := newHistory(p, "tpe", t.MaxChecks)
	if err != nil {
		return nil, err
	}
	return &tpe{history: h, knobs: t}, nil
}

func (t TPE) withDefaults() TPE {
	if t.Initial == 0 {
		t.Initial = 10
	}
	if t.Candidates == 0 {
		t.Candidates = 24
	}
	if t.Good == 0 {
		t.Good = 0.1
	}
	return t
}

// The comparisons are written so that a NaN is out of range.
func (t TPE) validate() error {
	switch {
	case t.Initial < 0:
		return fmt.Errorf("initial is %d, but must be at least 1", t.Initial)
	case t.Candidates < 0:
		return fmt.Errorf("candidates is %d, but must be at least 1", t.Candidates)
	case !(t.Good >= 0 && t.Good <= 1):
		return fmt.Errorf("good is %v, but must be above 0 and at most 1", t.Good)
	}
	return Random{MaxChecks: t.MaxChecks}.validate()
}

type tpe struct {
	history
	knobs TPE
}

const (
	// mostGood is the largest number of good trials, and recent the number of
	// trials with full weight; both are Optuna's defaults.
	mostGood, recent = 25, 25
	// redraws is how often a candidate may be drawn to be legal and new. Chosen.
	redraws = 64
)

func (t *tpe) Ask(at uint64, n int, pending []space.Point) ([]Proposal, error) {
	b, err := t.open(at, n, pending, "tpe")
	if err != nil {
		return nil, err
	}
	cover := t.uncovered(t.knobs.Initial, b)
	b.begin(min(cover, t.uncovered(1, b)))
	b.fill(min(n, cover))
	if len(b.out) < n && len(t.records) > 0 {
		good, bad := t.densities(b)
		for len(b.out) < n && t.propose(b, good, bad) {
			bad.addKernel(b.out[len(b.out)-1].Point, 1)
		}
	}
	b.fill(n)
	return b.close()
}

// densities splits the trials; kernels are in the order of telling, which
// decides their weight.
func (t *tpe) densities(b *batch) (good, bad *parzen) {
	split := min(int(math.Ceil(t.knobs.Good*float64(len(t.records)))), mostGood)
	better := slices.Clone(t.ranked[:split])
	worse := slices.Clone(t.ranked[split:])
	slices.Sort(better)
	slices.Sort(worse)
	good = newParzen(t.problem.Space, len(better))
	for i, r := range better {
		good.addKernel(t.records[r].point, ramp(i, len(better)))
	}
	broken := t.standing()
	bad = newParzen(t.problem.Space, len(worse)+len(broken)+len(b.pending))
	for i, r := range worse {
		bad.addKernel(t.records[r].point, ramp(i, len(worse)))
	}
	for i := range broken {
		bad.addKernel(broken[i].point, 1)
	}
	for _, key := range b.pending {
		bad.addKernel(t.problem.Space.PointInto(nil, key), 1)
	}
	return good, bad
}

// ramp is Optuna's weight of observation i of n: 1 for the last 25, before
// them rising from 1/n.
func ramp(i, n int) float64 {
	old := n - recent
	if i >= old {
		return 1
	}
	if old == 1 {
		return 1 / float64(n)
	}
	low := 1 / float64(n)
	return low + (1-low)*float64(i)/float64(old-1)
}

// propose draws candidates from good and proposes the one of the largest ratio.
func (t *tpe) propose(b *batch, good, bad *parzen) bool {
	var best space.Point
	bestScore := math.Inf(-1)
	found := 0
	for range t.knobs.Candidates * redraws {
		b.point = good.sample(b.point, b.rng)
		t.problem.Settle(b.point)
		if !b.fresh(t.problem.Space.Key(b.point)) || !t.problem.Legal(b.point) {
			continue
		}
		if score := good.log(b.point) - bad.log(b.point); found == 0 || score > bestScore {
			best, bestScore = append(best[:0], b.point...), score
		}
		if found++; found == t.knobs.Candidates {
			break
		}
	}
	return found > 0 && b.offer(t.problem.Space.Key(best), best)
}
