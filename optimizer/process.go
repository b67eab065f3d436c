package optimizer

import (
	"apollo/optimizer/surrogate"
)

// process is what the strategies on Gaussian processes share: hyper-parameters
// that are fitted at checkpoints, and models of the active records.
type process struct {
	history
	prior surrogate.Prior
	// limit is the largest number of records in a model, fitLimit in a fit.
	limit, fitLimit int

	// The fits are caches: each is a function of the records before at.
	values, classes fitted
}

type fitted struct {
	at    int // checkpoint; 0 means none yet
	hyper surrogate.Hyper
}

// model is a process on the active records, standardised.
type model struct {
	gp *surrogate.GP
	// labels of the active records, and how to bring others to their scale.
	labels []float64
	rows   []int
}

// hyper returns the hyper-parameters for n records, fitted at the checkpoint
// before. label returns the labels of the given rows.
func (p *process) hyper(cache *fitted, n int, prior surrogate.Prior, keep func(*record) bool, label func(rows []int) []float64) surrogate.Hyper {
	at := checkpoint(n)
	if at != cache.at || at == 0 {
		rows := p.active(at, p.fitLimit, keep)
		fit := surrogate.Fit{Prior: prior}
		*cache = fitted{at: at, hyper: fit.Hyper(p.encoder.Categorical(), p.gather(rows), label(rows))}
	}
	return cache.hyper
}

// model returns the process of all records that keep takes, with room for
// extra pending inputs.
func (p *process) model(cache *fitted, keep func(*record) bool, label func(rows []int) []float64, extra int) (model, error) {
	n := len(p.records)
	h := p.hyper(cache, n, p.prior, keep, label)
	rows := p.active(n, p.limit, keep)
	gp, err := surrogate.NewGP(p.encoder.Categorical(), h, len(rows)+extra)
	if err != nil {
		return model{}, err
	}
	for _, i := range rows {
		gp.Append(p.row(i))
	}
	m := model{gp: gp, labels: label(rows), rows: rows}
	gp.SetLabels(m.labels)
	return m, nil
}

// classifier returns the model of feasibility, or nil when all records agree.
func (p *process) classifier() (*surrogate.Feasibility, error) {
	n := len(p.records)
	if p.feasible == 0 || p.feasible == n {
		return nil, nil
	}
	all := func(*record) bool { return true }
	verdicts := func(rows []int) []float64 {
		good, violation := make([]bool, len(rows)), make([]float64, len(rows))
		for k, i := range rows {
			r := &p.records[i]
			if good[k] = r.class == feasible; r.class == violating {
				violation[k] = r.score
			}
		}
		return surrogate.Verdicts(good, violation)
	}
	h := p.hyper(&p.classes, n, surrogate.FeasibilityPrior(), all, func(rows []int) []float64 {
		labels, _ := surrogate.FeasibilityLabels(verdicts(rows))
		return labels
	})
	rows := p.active(n, p.limit, all)
	return surrogate.NewFeasibility(p.encoder.Categorical(), h, p.gather(rows), verdicts(rows))
}
