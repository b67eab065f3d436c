package transfer

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"

	"apollo/optimizer/surrogate"
)

// member is an expert with the method that trained it.
type member struct {
	Expert
	method string
	prior  float64 // weight before any evidence
}

// ensemble is what all methods know about one kind of label.
type ensemble struct {
	sources *Sources
	members []member
	hyper   surrogate.Prior
	// spread is the deviation of residuals that is expected before any is
	// known, in the unit of the labels, and worth priorResiduals of them.
	spread float64
	// low and high are the ends of what the sources' labels can be: a model that
	// goes beyond them extrapolates, and is not believed.
	low, high float64
	// label turns the target's raw values into labels.
	label func([]float64) []float64
	// predictions holds what every member predicts for the told designs, in order.
	predictions [][]float64
	// fits is a cache: a function of the rows before the checkpoint.
	fits fits
}

// fits are hyper-parameters of processes of the target: of its labels, and of
// what the experts leave of them.
type fits struct {
	checkpoint int // 0 means none yet
	own, rest  surrogate.Hyper
}

// toldRows are told designs with a raw value, in order.
type toldRows struct {
	x, y   []float64
	record []int // number among all told designs
	d      int
}

func (r toldRows) at(k int) []float64 { return r.x[k*r.d : (k+1)*r.d] }

const (
	// priorResiduals is how many residuals the expected spread is worth.
	// Chosen.
	priorResiduals = 2
	// fitRows is how many rows hyper-parameters are fitted to. Chosen: a
	// likelihood takes 1 ms.
	fitRows = 120
)

func newEnsemble(s *Sources, chosen []Method, asked func(source int) surrogate.Regressor, prior surrogate.Prior, spread float64) (*ensemble, error) {
	e := &ensemble{sources: s, hyper: prior, spread: spread}
	for i := range s.Tables {
		if t := &s.Tables[i]; t.Asked {
			e.members = append(e.members, member{Expert: Expert{Model: asked(t.Source), Source: t.Source}, method: "prior", prior: 1})
		}
	}
	learned := s.learned()
	for _, m := range chosen {
		experts, err := m.Train(learned)
		if err != nil {
			return nil, fmt.Errorf("method %s: %w", m.Name(), err)
		}
		for _, x := range experts {
			e.members = append(e.members, member{Expert: x, method: m.Name(), prior: 1 / float64(len(experts))})
		}
	}
	var sum float64
	for _, m := range e.members {
		sum += m.prior
	}
	for i := range e.members {
		e.members[i].prior /= sum
	}
	for i := range s.Tables {
		for _, y := range s.Tables[i].Y {
			e.low, e.high = min(e.low, y), max(e.high, y)
		}
	}
	e.predictions = make([][]float64, len(e.members))
	return e, nil
}

// targetModel is a process of the target on top of a weighted mean of experts.
type targetModel struct {
	*ensemble
	weights []float64
	gp      *surrogate.GP
	labels  []float64 // scaled residuals, pending ones included
	shift   float64   // added to the experts' mean
	unit    float64   // of the residuals
	// sourceWeight is the sum of the weights; tested says that they follow from
	// evidence.
	sourceWeight float64
	tested       bool
}

// checkpoint is the largest number of told designs up to n at which
// hyper-parameters are fitted: every one up to 16, then at steps of an eighth,
// rounded down to a power of two.
func checkpoint(n int) int {
	if n < 16 {
		return n
	}
	step := 1 << (bits.Len(uint(n/8)) - 1)
	return n - n%step
}

// fitTarget returns the model after n told designs, of which of returns the rows
// for a model; extra is the room for pending designs.
func (e *ensemble) fitTarget(of func(n int) toldRows, n, extra int, seed uint64) (*targetModel, error) {
	if at := checkpoint(n); at != e.fits.checkpoint || at == 0 {
		e.fits = e.fit(of(at), at, seed)
	}
	rows := of(n)
	y := e.label(rows.y)
	b := &targetModel{ensemble: e}
	b.weights, b.tested = e.expertWeights(rows, y, e.fits.own, n, seed)
	for _, w := range b.weights {
		b.sourceWeight += w
	}
	rest := b.center(e.residuals(rows, y, b.weights), e.spread)
	gp, err := surrogate.NewGP(e.sources.Categorical, e.fits.rest, len(y)+extra)
	if err != nil {
		return nil, fmt.Errorf("model of the target: %w", err)
	}
	for k := range y {
		gp.Append(rows.at(k))
	}
	gp.SetLabels(rest)
	b.gp, b.labels = gp, rest
	return b, nil
}

// fit fits the target's processes to the rows of the first n told designs.
func (e *ensemble) fit(rows toldRows, n int, seed uint64) fits {
	search := surrogate.Fit{Prior: e.hyper, Scales: e.sources.Scales(), Evaluations: 20}
	first := max(0, len(rows.y)-fitRows)
	of := func(y []float64) surrogate.Hyper {
		return search.Hyper(e.sources.Categorical, rows.x[first*rows.d:], y[first:])
	}
	y := e.label(rows.y)
	standard, _, _ := surrogate.Standardize(y)
	f := fits{checkpoint: n, own: of(standard)}
	weights, _ := e.expertWeights(rows, y, f.own, n, seed)
	var b targetModel
	f.rest = of(b.center(e.residuals(rows, y, weights), e.spread))
	return f
}

// expertWeights weighs the experts by the last rows, and reports whether these say
// anything.
func (e *ensemble) expertWeights(rows toldRows, y []float64, own surrogate.Hyper, n int, seed uint64) ([]float64, bool) {
	tail := max(0, len(y)-evidenceRows)
	weighting := rankWeighting{y: y[tail:], own: e.leaveOneOut(rows, y, own)[tail:], priorCount: minRanked}
	for i, m := range e.members {
		predicted := make([]float64, 0, len(y)-tail)
		for k := tail; k < len(y); k++ {
			predicted = append(predicted, e.predicted(i, rows.record[k], rows.at(k)))
		}
		weighting.experts = append(weighting.experts, predicted)
		weighting.prior = append(weighting.prior, m.prior)
	}
	weights := weighting.weights(rand.New(rand.NewPCG(seed, uint64(n))))
	return keepLargest(weights, maxWeighted), weighting.informative()
}

// residuals are what weighted experts leave of the labels.
func (e *ensemble) residuals(rows toldRows, y, weights []float64) []float64 {
	rest := slices.Clone(y)
	for i, w := range weights {
		if w == 0 {
			continue
		}
		for k, r := range rows.record {
			rest[k] -= w * e.predicted(i, r, rows.at(k))
		}
	}
	return rest
}

// predictClamped is what member i says of an input.
func (e *ensemble) predictClamped(i int, x []float64) float64 {
	return min(max(e.members[i].Model.Predict(x), e.low), e.high)
}

// predicted is what member i says of told design r, kept from the first time.
func (e *ensemble) predicted(i, r int, x []float64) float64 {
	for len(e.predictions[i]) <= r {
		e.predictions[i] = append(e.predictions[i], math.NaN())
	}
	if math.IsNaN(e.predictions[i][r]) {
		e.predictions[i][r] = e.predictClamped(i, x)
	}
	return e.predictions[i][r]
}

// leaveOneOut predicts every label from all the others, by a process without
// experts.
func (e *ensemble) leaveOneOut(rows toldRows, y []float64, h surrogate.Hyper) []float64 {
	out := make([]float64, len(y))
	if len(y) < minRanked {
		return out
	}
	labels, _, _ := surrogate.Standardize(y)
	p, err := newGPRegressor(e.sources.Categorical, h, rows.x, labels)
	if err != nil {
		return out
	}
	p.LeaveOneOut(labels, out, make([]float64, len(y)))
	return out
}

// center turns residuals into labels of a process, in place: mean 0, deviation
// about 1.
func (b *targetModel) center(rest []float64, spread float64) []float64 {
	var squares float64
	for i, r := range rest {
		b.shift += (r - b.shift) / float64(i+1)
	}
	for i := range rest {
		rest[i] -= b.shift
		squares += rest[i] * rest[i]
	}
	b.unit = math.Sqrt((squares + priorResiduals*spread*spread) / (float64(len(rest)) + priorResiduals))
	if !(b.unit > 0) || math.IsInf(b.unit, 0) {
		b.unit = 1
	}
	for i := range rest {
		rest[i] /= b.unit
	}
	return rest
}

// prior is what the experts say of an input.
func (b *targetModel) prior(x []float64) float64 {
	sum := b.shift
	for i, w := range b.weights {
		if w != 0 {
			sum += w * b.predictClamped(i, x)
		}
	}
	return sum
}

// predict writes mean and deviation of the label of rows, one after the other;
// priors holds what prior says of each.
func (b *targetModel) predict(x, priors, mean, deviation []float64) {
	b.gp.Predict(x, mean, deviation)
	for i := range mean {
		mean[i] = priors[i] + b.unit*mean[i]
		deviation[i] *= b.unit
	}
}

// believe adds a pending design at its predicted label.
func (b *targetModel) believe(x []float64) {
	b.labels = append(b.labels, b.gp.Mean(x))
	b.gp.Append(x)
	b.gp.SetLabels(b.labels)
}

// mainSource is the method, and the source where a single one has most of the
// weight, behind the prior mean.
func (b *targetModel) mainSource() (method string, source int) {
	byMethod := map[string]float64{}
	source = -1
	var most float64
	for i, m := range b.members {
		byMethod[m.method] += b.weights[i]
		if m.Source >= 0 && b.weights[i] > b.sourceWeight/2 {
			source = m.Source
		}
	}
	for _, m := range b.members {
		if w := byMethod[m.method]; w > most {
			method, most = m.method, w
		}
	}
	return method, source
}
