package optimizer

import (
	"fmt"
	"slices"

	"apollo/optimizer/space"
	"apollo/optimizer/surrogate"
)

// failure is an evaluation that broke, of which it is not known whether that is
// the design's doing or was a passing trouble.
type failure struct {
	point space.Point
	x     []float64 // coordinates
	seen  int       // records before it; failures of the same number are one burst
	// run is the distance of the nearest record that runs, and other that of the
	// nearest failure of another burst; far while there is none.
	run, other float64
}

const (
	// forgetAfter is after how many more records a failure is forgotten that
	// nothing confirms: a trouble that passes must not bar the best designs for
	// long, and one more failure for as many trials costs little. Chosen.
	forgetAfter = 10
	// mostFailures is how many failures, the last ones, a model takes. Chosen.
	mostFailures = 100
	// far is beyond the distance of any two designs.
	far = 1e9
)

// noteFailure adds an evaluation that broke.
func (h *history) noteFailure(o Observation) {
	f := failure{point: o.Point.Clone(), x: h.encoder.Append(nil, o.Point), seen: len(h.records), run: far, other: far}
	for i := range h.records {
		if r := &h.records[i]; r.runs() {
			f.run = min(f.run, h.problem.Space.Distance(f.point, r.point))
		}
	}
	for i := range h.failures {
		g := &h.failures[i]
		if g.seen == f.seen {
			continue
		}
		d := h.problem.Space.Distance(f.point, g.point)
		f.other, g.other = min(f.other, d), min(g.other, d)
	}
	h.failures = append(h.failures, f)
}

// noteRun tells the failures of the last record, which runs.
func (h *history) noteRun() {
	last := h.records[len(h.records)-1].point
	for i := range h.failures {
		f := &h.failures[i]
		f.run = min(f.run, h.problem.Space.Distance(f.point, last))
	}
}

// standing are the failures that count: those of late, and those that are
// confirmed by another one, at another time and no farther than any design that
// runs. A burst confirms nothing: what fails in a row may have failed together.
func (h *history) standing() []failure {
	var out []failure
	for _, f := range h.failures {
		if len(h.records)-f.seen < forgetAfter || f.other <= f.run && f.other < far {
			out = append(out, f)
		}
	}
	return out[max(0, len(out)-mostFailures):]
}

// failureModel is the model of feasibility that learns from what runs and from
// the failures that count; nil when there are none. Its hyper-parameters are
// fitted to all failures before the checkpoint.
func (p *gpModels) failureModel() (*surrogate.Feasibility, error) {
	standing := p.standing()
	if len(standing) == 0 {
		return nil, nil
	}
	n := len(p.records)
	if at := checkpoint(n); at != p.broken.at || at == 0 {
		before, _ := slices.BinarySearchFunc(p.failures, at, func(f failure, at int) int { return f.seen - at })
		p.broken = fitted{at: at, hyper: surrogate.ScatterPrior().Mode(p.encoder.Len())}
		if before > 0 {
			x, verdicts := p.attempts(at, p.fitLimit, p.failures[max(0, before-mostFailures):before])
			labels, _ := surrogate.FeasibilityLabels(verdicts)
			fit := surrogate.Fit{Prior: surrogate.ScatterPrior()}
			p.broken.hyper = fit.Hyper(p.encoder.Categorical(), x, labels)
		}
	}
	x, verdicts := p.attempts(n, p.limit, standing)
	m, err := surrogate.NewFeasibility(p.encoder.Categorical(), p.broken.hyper, x, verdicts)
	if err != nil {
		return nil, fmt.Errorf("failures: %w", err)
	}
	return m, nil
}

// attempts are the coordinates and verdicts of failures and of what runs of the
// first n records, of which at most limit are taken.
func (p *gpModels) attempts(n, limit int, failures []failure) (x, verdicts []float64) {
	rows := p.active(n, limit, (*record).runs)
	x = p.gather(rows)
	good := make([]bool, len(rows)+len(failures))
	for i := range rows {
		good[i] = true
	}
	for _, f := range failures {
		x = append(x, f.x...)
	}
	return x, surrogate.Verdicts(good, nil)
}
