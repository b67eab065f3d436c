package optimizer

import (
	"fmt"
	"math"

	"apollo/optimizer/space"
)

// MBO is the paper's model-based optimisation: several kinds of regressors,
// tuned by random search and cross-validation, of which those that predict well
// form an ensemble; evolution maximises its mean plus its spread.
//
// References: A. Yazdanbakhsh et al., Apollo, arXiv 2102.01723 (the strategy);
// C. Angermueller et al., Population-Based Black-Box Optimization for
// Biological Sequence Design, ICML 2020, section on adaptive ensembles (random
// search, 5-fold cross-validation, a threshold on R², the mean and spread).
//
// The kinds are ridge regression, random forests, gradient-boosted trees and
// Gaussian processes, three configurations of each. Labels are logarithms where
// they are positive, half-rank warped; infeasible trials, and failed ones that count, get one bad label.
// The ensemble is tuned and trained every four trials up to 40 and then about
// ten times while trials double, on at most 200 trials (the best half, and every
// so many of the others), so that time and memory are bounded: about 300 bytes
// a trial. All designs of a batch come from one evolution of the acquisition.
// It searches one objective, uses Features and not Prior.
type MBO struct {
	// Initial is the number of uniform designs before the first model, at least
	// 1. 0 means 20.
	Initial int `json:"initial"`
	// Threshold is the share of the labels' variance, in (0, 1), that a model
	// must explain in cross-validation to join the ensemble; the best model
	// always does. 0 means 0.4.
	Threshold float64 `json:"threshold"`
	// Spread weighs the deviation of the ensemble against its mean; larger
	// explores more. 0 means 1; a negative number means that it has no weight.
	Spread float64 `json:"spread"`
	// Generations is the number of generations of 40 designs in which evolution
	// maximises the acquisition, at least 1. 0 means 15.
	Generations int `json:"generations"`
	// MaxChecks bounds the search for a uniform legal point; see Random.
	MaxChecks int `json:"maxChecks"`
}

var _ Strategy = (*mbo)(nil)

// Start implements Algorithm. A problem with several objectives is an error.
func (m MBO) Start(p Problem) (Strategy, error) {
	if err := m.validate(); err != nil {
		return nil, err
	}
	m = m.withDefaults()
	h, err := newHistory(p, "mbo", m.MaxChecks)
	if err != nil {
		return nil, err
	}
	return &mbo{history: h, knobs: m}, nil
}

func (m MBO) withDefaults() MBO {
	if m.Initial == 0 {
		m.Initial = 20
	}
	if m.Threshold == 0 {
		m.Threshold = 0.4
	}
	if m.Spread == 0 {
		m.Spread = 1
	}
	m.Spread = max(0, m.Spread)
	if m.Generations == 0 {
		m.Generations = 15
	}
	return m
}

// The comparisons are written so that a NaN is out of range.
func (m MBO) validate() error {
	switch {
	case m.Initial < 0:
		return fmt.Errorf("initial is %d, but must be at least 1", m.Initial)
	case !(m.Threshold >= 0 && m.Threshold < 1):
		return fmt.Errorf("threshold is %v, but must be above 0 and below 1", m.Threshold)
	case math.IsNaN(m.Spread) || math.IsInf(m.Spread, 0):
		return fmt.Errorf("spread is %v, but must be finite", m.Spread)
	case m.Generations < 0:
		return fmt.Errorf("generations is %d, but must be at least 1", m.Generations)
	}
	return Random{MaxChecks: m.MaxChecks}.validate()
}

type mbo struct {
	history
	knobs MBO
	// models is a cache: the ensemble for the records before trained.
	models  *ensemble
	trained int
}

func (m *mbo) Ask(at uint64, n int, pending []space.Point) ([]Proposal, error) {
	b, err := m.open(at, n, pending, "mbo")
	if err != nil {
		return nil, err
	}
	cover := m.uncovered(m.knobs.Initial, b)
	b.begin(min(cover, m.uncovered(1, b)))
	b.fill(min(n, cover))
	if len(b.out) < n && len(m.records) > 0 {
		if err := m.train(); err != nil {
			return nil, fmt.Errorf("mbo: %w", err)
		}
		m.evolve(b, n)
	}
	for len(b.out) < n && m.mutant(b) {
	}
	b.fill(n)
	return b.close()
}

// trainLimit is the largest number of trials that models are trained on.
// Chosen: tuning twelve models takes about 0.3 s there.
const trainLimit = 200

// retrain is the smallest number of new trials that is worth training for.
// Chosen: a round of the paper's batches is larger still.
const retrain = 4

func (m *mbo) train() error {
	at := checkpoint(len(m.records))
	if at > retrain {
		at -= at % retrain
	}
	if m.models != nil && m.trained == at {
		return nil
	}
	rows := m.active(at, trainLimit, func(int) bool { return true })
	data := newTrainingSet(&m.history, rows, m.standingAt(at))
	models, err := data.tune(newStream(m.problem.Seed, uint64(at)), m.knobs.Threshold)
	if err != nil {
		return err
	}
	m.models, m.trained = models, at
	return nil
}

// broodSize is the population that maximises the acquisition. Chosen.
const broodSize = 40

// evolve proposes the designs of largest acquisition that evolution meets. Told
// designs may be parents; proposals are new ones only.
func (m *mbo) evolve(b *batch, n int) {
	search := latticeSearch{
		batch: b, encoder: m.encoder, mutate: m.mutation, pool: broodSize,
		elite: m.elitePoints(16),
		score: func(x, score []float64) { m.models.acquire(x, score, m.knobs.Spread) },
	}
	for _, c := range search.evolve(m.knobs.Generations) {
		if len(b.out) == n {
			return
		}
		b.point = b.problem.Space.PointInto(b.point, c.key)
		b.propose(c.key, b.point)
	}
}
