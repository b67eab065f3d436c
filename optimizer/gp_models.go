package optimizer

import (
	"fmt"
	"math"
	"slices"

	"apollo/optimizer/surrogate"
)

// gpModels is what the strategies on Gaussian processes share: hyper-parameters
// that are fitted at checkpoints, and models of the active records.
type gpModels struct {
	history
	prior surrogate.Prior
	// limit is the largest number of records in a model, fitLimit in a fit.
	limit, fitLimit int
	// local says that beyond limit records models are local.
	local bool

	// The fits are caches: each is a function of the records before at.
	values   fitted
	nearby   fitted   // of values near the best designs
	classes  []fitted // by cause
	wild     []fitted // by cause, of its wild violations
	outliers fitted
	broken   fitted // by failures; without a process

	odd unexplained
}

// lesson is what a model learns from the first n records: those that keep takes,
// under the labels of the rows that it took. It is a function of these alone.
type lesson func(n int) (keep func(i int) bool, label func(rows []int) []float64)

type fitted struct {
	at    int // checkpoint; 0 means none yet
	hyper surrogate.Hyper
	// gp holds the inputs of rows, and may hold pending ones behind them. It
	// grows as trials come in, which gives bit for bit what a new one would be.
	gp   *surrogate.GP
	rows []int
}

// growth is for how many more inputs a process has room. Chosen: hyper-parameters
// are fitted anew, and the process with them, about as often.
const growth = 32

// grow returns the process of the given records, of which row returns the coordinates,
// with room for extra inputs, under the hyper-parameters that were fitted last. It is good
// until the next one of the same cache.
func (f *fitted) grow(categorical []bool, row func(i int) []float64, rows []int, extra int) (*surrogate.GP, error) {
	if f.gp == nil || f.gp.Cap() < len(rows)+extra {
		gp, err := surrogate.NewGP(categorical, f.hyper, len(rows)+extra+growth)
		if err != nil {
			return nil, err
		}
		f.gp, f.rows = gp, nil
	}
	known := 0
	for known < min(len(f.rows), len(rows)) && f.rows[known] == rows[known] {
		known++
	}
	f.gp.Truncate(known)
	for _, i := range rows[known:] {
		f.gp.Append(row(i))
	}
	f.rows = rows
	return f.gp, nil
}

// taken returns which of the first n records a model takes. A local one takes half of
// limit, so that a proposal of a long study takes half of the time.
func (p *gpModels) taken(n, limit int, keep func(i int) bool) []int {
	if p.local && n > p.limit {
		return p.near(n, min(limit, p.limit/2), keep)
	}
	return p.active(n, limit, keep)
}

// model is a process on the active records, standardised.
type model struct {
	gp *surrogate.GP
	// labels of the active records, and how to bring others to their scale.
	labels []float64
	rows   []int
}

// hyper brings the cache's hyper-parameters up to the checkpoint before n
// records.
func (p *gpModels) hyper(cache *fitted, n int, prior surrogate.Prior, learn lesson) {
	at := checkpoint(n)
	if at != cache.at || at == 0 {
		keep, label := learn(at)
		rows := p.taken(at, p.fitLimit, keep)
		fit := surrogate.Fit{Prior: prior}
		*cache = fitted{at: at, hyper: fit.Hyper(p.encoder.Categorical(), p.gather(rows), label(rows))}
	}
}

// model returns the process of what all records teach, with room for extra
// pending inputs. It is good until the next one of the same cache.
func (p *gpModels) model(cache *fitted, learn lesson, extra int) (model, error) {
	n := len(p.records)
	p.hyper(cache, n, p.prior, learn)
	keep, label := learn(n)
	rows := p.taken(n, p.limit, keep)
	gp, err := cache.grow(p.encoder.Categorical(), p.row, rows, extra)
	if err != nil {
		return model{}, err
	}
	m := model{gp: gp, labels: label(rows), rows: rows}
	gp.SetLabels(m.labels)
	return m, nil
}

// classifier returns the models of feasibility, one for each cause that designs
// cannot run for, in the order in which they were met, one of outliers and one of
// failures; none when all trials run and belong to the landscape. What is checked for free is not its business: a design that was measured
// and is only barred counts as feasible. It has room to believe in so many designs.
func (p *gpModels) classifier(room int) (feasibility, error) {
	for len(p.classes) < len(p.causes) {
		p.classes, p.wild = append(p.classes, fitted{}), append(p.wild, fitted{})
	}
	var all feasibility
	for cause := range p.causes {
		of := outcomes(p.outcomes)
		m, err := p.verdictModel(&p.classes[cause], surrogate.FeasibilityPrior(), of.border(cause))
		if err != nil {
			return nil, fmt.Errorf("feasibility: %w", err)
		}
		all = append(all, m)
		if math.IsInf(of.wildFrom(len(p.records), cause), 1) {
			continue
		}
		if m, err = p.verdictModel(&p.wild[cause], surrogate.FeasibilityPrior(), of.wild(cause)); err != nil {
			return nil, fmt.Errorf("feasibility: %w", err)
		}
		all = append(all, m)
	}
	if limit := p.outliersFrom(len(p.records)); !math.IsInf(limit, 1) || p.odd.found {
		m, err := p.outlierModel()
		if err != nil {
			return nil, fmt.Errorf("outliers: %w", err)
		}
		all = append(all, m)
	}
	if m, err := p.failureModel(room); err != nil {
		return nil, err
	} else if m != nil {
		all = append(all, m)
	}
	return all, nil
}

// outcomes is the records of a strategy as models of feasibility see them.
type outcomes func(i int) outcome

// outcome is whether a design runs, and if not what it broke and by how much.
type outcome struct {
	runs   bool
	cause  int
	member individual
}

// outcomes are those of all records.
func (h *history) outcomes(i int) outcome {
	r := &h.records[i]
	return outcome{r.runs(), r.cause, r.individual}
}

// beyond reports whether the design violates a cause by a limit or more.
func (o outcome) beyond(cause int, limit float64) bool {
	return !o.runs && o.cause == cause && o.member.class == violating && o.member.score >= limit
}

// border is the lesson of the records that broke the cause and of those that
// run. Evaluators stop at the first thing that is wrong, so that records which
// broke another one say nothing of this.
func (of outcomes) border(cause int) lesson {
	return func(n int) (func(i int) bool, func(rows []int) []float64) {
		limit := of.wildFrom(n, cause)
		keep := func(i int) bool {
			o := of(i)
			return o.runs || o.cause == cause && !o.beyond(cause, limit)
		}
		return keep, func(rows []int) []float64 {
			good, violation := make([]bool, len(rows)), make([]float64, len(rows))
			for k, i := range rows {
				o := of(i)
				if good[k] = o.runs; !o.runs && o.member.class == violating {
					violation[k] = math.Log1p(o.member.score)
				}
			}
			return surrogate.Verdicts(good, violation)
		}
	}
}

// wild is the lesson of where the violations of a cause are wild ones.
func (of outcomes) wild(cause int) lesson {
	return func(n int) (func(i int) bool, func(rows []int) []float64) {
		limit := of.wildFrom(n, cause)
		keep := func(i int) bool {
			o := of(i)
			return o.runs || o.beyond(cause, limit)
		}
		return keep, func(rows []int) []float64 {
			good := make([]bool, len(rows))
			for k, i := range rows {
				good[k] = of(i).runs
			}
			return surrogate.Verdicts(good, nil)
		}
	}
}

// leastWild is the least violation that may be wild: no metric that is computed is a
// thousand times beyond its limit. Chosen.
const leastWild = 1e3

// wildFrom is the violation from which on those of a cause, among the first n
// records, are wild: no distance from the border, but a penalty for designs that do
// not work. +Inf where none is.
func (of outcomes) wildFrom(n, cause int) float64 {
	var known []float64
	for i := range n {
		if o := of(i); o.beyond(cause, 0) {
			known = append(known, o.member.score)
		}
	}
	if len(known) == 0 || slices.Max(known) < leastWild {
		return math.Inf(1)
	}
	return max(leastWild, surrogate.OutlierLimit(known))
}

// outlierModel learns from what was measured which values are outliers.
func (p *gpModels) outlierModel() (*surrogate.Feasibility, error) {
	return p.verdictModel(&p.outliers, surrogate.ScatterPrior(), func(n int) (func(i int) bool, func(rows []int) []float64) {
		limit := p.outliersFrom(n)
		return p.wasMeasured, func(rows []int) []float64 {
			good := make([]bool, len(rows))
			for k, i := range rows {
				good[k] = p.records[i].value < limit && !p.odd.is(&p.records[i])
			}
			return surrogate.Verdicts(good, nil)
		}
	})
}

// verdictModel returns the model of feasibility that learns verdicts.
func (p *gpModels) verdictModel(cache *fitted, prior surrogate.Prior, learn lesson) (*surrogate.Feasibility, error) {
	n := len(p.records)
	p.hyper(cache, n, prior, func(n int) (func(i int) bool, func(rows []int) []float64) {
		keep, verdicts := learn(n)
		return keep, func(rows []int) []float64 {
			labels, _ := surrogate.FeasibilityLabels(verdicts(rows))
			return labels
		}
	})
	keep, verdicts := learn(n)
	rows := p.taken(n, p.limit, keep)
	gp, err := cache.grow(p.encoder.Categorical(), p.row, rows, 0)
	if err != nil {
		return nil, err
	}
	return surrogate.FeasibilityOf(gp, verdicts(rows)), nil
}

// feasibility is the product of what is known about every cause.
type feasibility []chance

// chance is what is known about one cause: AddLog adds ln P(feasible) of the len(dst)
// inputs in x to dst.
type chance interface {
	AddLog(x, dst []float64)
}

// believe tells the model of failures of a design whose answer is not known yet.
func (f feasibility) believe(x []float64) {
	for _, m := range f {
		if p, ok := m.(*passing); ok {
			p.believe(x)
			return
		}
	}
}

// addLog adds ln P(feasible) of the len(dst) inputs in x to dst.
func (f feasibility) addLog(x, dst []float64) {
	for _, m := range f {
		m.AddLog(x, dst)
	}
}
