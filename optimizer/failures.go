package optimizer

import (
	"fmt"
	"iter"
	"math"
	"slices"
	"sort"

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
	// comparedFailures is how many failures, the last ones, are compared with each
	// other and may count, and comparedRuns with how many earlier records a new one is
	// compared. Chosen: without an end a study of many failures takes a time that grows
	// with the square of its length.
	comparedFailures, comparedRuns = 300, 1024
	// far is beyond the distance of any two designs.
	far = 1e9
)

// failureLog is the evaluations that broke, in order. The distances of those before the
// last comparedFailures are no longer kept up to date. All stay: what counted after
// fewer records must be found again.
type failureLog []failure

func (l failureLog) compared() failureLog { return l[max(0, len(l)-comparedFailures):] }

// note adds one to those of a space, of which running are designs that run.
func (l *failureLog) note(s space.Space, f failure, running iter.Seq[space.Point]) {
	f.run, f.other = far, far
	for p := range running {
		f.run = min(f.run, s.Distance(f.point, p))
	}
	last := l.compared()
	for i := range last {
		g := &last[i]
		if g.seen == f.seen {
			continue
		}
		d := s.Distance(f.point, g.point)
		f.other, g.other = min(f.other, d), min(g.other, d)
	}
	*l = append(*l, f)
}

// noteRun tells the failures of a design that runs.
func (l failureLog) noteRun(s space.Space, design space.Point) {
	last := l.compared()
	for i := range last {
		f := &last[i]
		f.run = min(f.run, s.Distance(f.point, design))
	}
}

// standing are the failures that count after so many records: those of late, and
// those that are confirmed by another one, at another time and no farther than any
// design that runs. A burst confirms nothing: what fails in a row may have failed
// together.
func (l failureLog) standing(records int) []failure {
	var out []failure
	for _, f := range l.compared() {
		if records-f.seen < forgetAfter || f.other <= f.run && f.other < far {
			out = append(out, f)
		}
	}
	return out[max(0, len(out)-mostFailures):]
}

// before returns how many failures are among the first n attempts, which are records
// and failures.
func (l failureLog) before(n int) int {
	return sort.Search(len(l), func(i int) bool { return l[i].seen+i >= n })
}

// failureModels is a model of feasibility that learns from what runs and from the
// failures that count.
type failureModels struct {
	encoder *surrogate.Encoder
	// running returns the coordinates of those of the first n records that run, of
	// which at most limit are taken.
	running func(n, limit int) []float64
	// limit is the largest number of records in the model, fitLimit in a fit.
	limit, fitLimit int
	cache           *fitted
}

// of returns the model after n records; nil when no failure counts. Its
// hyper-parameters are fitted to all records and failures before the checkpoint, which
// counts both: failures in a row must teach something too.
func (m failureModels) of(l failureLog, n, extra int) (*passing, error) {
	standing := l.standing(n)
	if len(standing) == 0 {
		return nil, nil
	}
	if at := checkpoint(n + len(l)); at != m.cache.at || at == 0 {
		before := l.before(at)
		*m.cache = fitted{at: at, hyper: surrogate.ScatterPrior().Mode(m.encoder.Len())}
		if before > 0 {
			x, verdicts := m.attempts(at-before, m.fitLimit, l[max(0, before-mostFailures):before])
			labels, _ := surrogate.FeasibilityLabels(verdicts)
			fit := surrogate.Fit{Prior: surrogate.ScatterPrior()}
			m.cache.hyper = fit.Hyper(m.encoder.Categorical(), x, labels)
		}
	}
	x, verdicts := m.attempts(n, m.limit, standing)
	model, err := surrogate.NewFeasibility(m.encoder.Categorical(), m.cache.hyper, x, verdicts, extra)
	if err != nil {
		return nil, fmt.Errorf("failures: %w", err)
	}
	return &passing{Feasibility: model, least: 1 - (1-leastPassing)*math.Pow(doubt, float64(l.lately(n)))}, nil
}

// lately is how many of the last lookBack attempts failed.
func (l failureLog) lately(records int) int {
	return len(l) - l.before(records+len(l)-lookBack)
}

// passing is a model of failures by which designs that rather fail come last. A failed
// evaluation teaches nothing about the objective, so that no hope of improvement, which
// is largest where nothing was ever measured, pays for a likely failure.
type passing struct {
	*surrogate.Feasibility
	least float64
	own   []float64 // scratch
}

const (
	// leastPassing is the least chance of a design that need not come last, where one
	// of which nothing is known has no better one. Chosen: docs/decisions/0067.
	leastPassing = 2. / 3
	// doubt is the factor by which each failure of the last lookBack attempts lowers the
	// chance of a failure that need not come last: a model that was sure and wrong is
	// believed less. Chosen.
	doubt    = 0.8
	lookBack = 20
	// sure is the chance from which on a design counts as one that passes before its answer
	// is known. Chosen: docs/decisions/0067.
	sure = 0.9
	// last is beyond the difference of any two designs' scores: their logarithms of the
	// expected improvement, of which no deviation is under a thousandth of the signal's,
	// are some 1e8 apart at most.
	last = 1e9
)

// AddLog adds ln P(passes), and less where it is too small.
func (p *passing) AddLog(x, dst []float64) {
	p.own = append(p.own[:0], make([]float64, len(dst))...)
	p.Feasibility.AddLog(x, p.own)
	least := max(math.Log(p.least), p.LogPrior())
	for i, chance := range p.own {
		if chance < least {
			chance -= last
		}
		dst[i] += chance
	}
}

// believe takes a design whose answer is not known yet for a failure, unless it is sure to
// pass: what is not known is tried once, and not by its neighbours too before the answer comes.
func (p *passing) believe(x []float64) {
	chance := [1]float64{}
	p.Feasibility.AddLog(x, chance[:])
	if chance[0] < math.Log(sure) {
		p.Suspect(x)
	}
}

// attempts are the coordinates and verdicts of failures and of what runs.
func (m failureModels) attempts(n, limit int, failures []failure) (x, verdicts []float64) {
	x = m.running(n, limit)
	runs := len(x) / m.encoder.Len()
	good := make([]bool, runs+len(failures))
	for i := range runs {
		good[i] = true
	}
	for _, f := range failures {
		x = append(x, f.x...)
	}
	return x, surrogate.Verdicts(good, nil)
}

// noteFailure adds an evaluation that broke.
func (h *history) noteFailure(o Observation) {
	f := failure{point: o.Point.Clone(), x: h.encoder.Append(nil, o.Point), seen: len(h.records)}
	h.failures.note(h.problem.Space, f, h.runningOf(len(h.records)))
}

// runsOf are the designs among the first n records that a failure is compared with, of
// which of says whether they run: of all records, and of many of the last ones and of
// earlier ones at equal steps.
func runsOf(n int, of func(i int) (design space.Point, runs bool)) iter.Seq[space.Point] {
	tail, early := n, 0
	if n > comparedRuns {
		tail, early = comparedRuns/2, comparedRuns-comparedRuns/2
	}
	return func(yield func(space.Point) bool) {
		for k := range early + tail {
			i := n - tail + k - early
			if k < early {
				i = k * (n - tail) / early
			}
			if p, runs := of(i); runs && !yield(p) {
				return
			}
		}
	}
}

func (h *history) runningOf(n int) iter.Seq[space.Point] {
	return runsOf(n, func(i int) (space.Point, bool) { return h.records[i].point, h.records[i].runs() })
}

func (h *history) standing() []failure { return h.failures.standing(len(h.records)) }

// standingAt are the failures that counted when there were n records. It depends on
// these and on the failures before them alone.
func (h *history) standingAt(n int) []failure {
	before, _ := slices.BinarySearchFunc(h.failures, n, func(f failure, n int) int { return f.seen - n })
	var then failureLog
	for _, f := range h.failures[:before].compared() {
		then.note(h.problem.Space, f, h.runningOf(n))
	}
	return then.standing(n)
}

func (p *gpModels) failureModel(extra int) (*passing, error) {
	return failureModels{
		encoder: p.encoder, limit: p.limit, fitLimit: p.fitLimit, cache: &p.broken,
		running: func(n, limit int) []float64 { return p.gather(p.active(n, limit, p.runs)) },
	}.of(p.failures, len(p.records), extra)
}

// noteFailure adds an evaluation that broke.
func (s *multiObjectiveGP) noteFailure(o Observation) {
	f := failure{point: o.Point.Clone(), x: s.encoder.Append(nil, o.Point), seen: len(s.records)}
	s.failures.note(s.problem.Space, f, runsOf(len(s.records), func(i int) (space.Point, bool) {
		return s.records[i].point, s.records[i].class == feasible
	}))
}

func (s *multiObjectiveGP) failureModel(extra int) (*passing, error) {
	return failureModels{
		encoder: s.encoder, limit: s.knobs.Limit, fitLimit: min(200, s.knobs.Limit), cache: &s.broken,
		running: func(n, limit int) []float64 {
			runs := func(i int) bool { return s.records[i].class == feasible }
			return s.gather(active(constrainedRank(s.records[:n]), limit, runs))
		},
	}.of(s.failures, len(s.records), extra)
}
