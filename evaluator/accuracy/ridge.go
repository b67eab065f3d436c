package accuracy

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"apollo/evaluator/workload"
)

// Predictor is a sum: Intercept, the weight of every parameter's level, and that of
// every pair of levels.
type Predictor struct {
	Intercept float64 `json:"intercept"`
	// Interval is half of the interval in percent.
	Interval float64 `json:"interval"`
	// Params are the parameters that it looks at, in the family's order, with their
	// levels; all others are those of the family's own network.
	Params []Levels `json:"params"`
	// Singles are the weights of the levels, parameter by parameter. Pairs are those
	// of the levels of two parameters, for each pair i < j in order, those of j next
	// to each other; there may be none.
	Singles []float64 `json:"singles"`
	Pairs   []float64 `json:"pairs,omitempty"`

	at1 []int // where the weights of a parameter begin
	at2 []int // where those of a pair begin
	of  []int // by parameter of the family: that of Params, -1 for one that it ignores
}

// Levels are those of a parameter.
type Levels struct {
	Name   string  `json:"name"`
	Values []int64 `json:"values"`
}

// prepare checks the predictor against its family and finds its places.
func (p *Predictor) prepare(f *workload.Family) error {
	p.of = slices.Repeat([]int{-1}, len(f.Params))
	last := -1
	for i, l := range p.Params {
		at := slices.IndexFunc(f.Params, func(o workload.FamilyParam) bool { return o.Name == l.Name })
		if at <= last {
			return fmt.Errorf("parameter %.40q of the predictor: want parameters of %s in their order", l.Name, f.Name)
		}
		if len(l.Values) == 0 {
			return fmt.Errorf("parameter %s of the predictor has no values, want some of %v, ascending", l.Name, f.Params[at].Values)
		}
		for k, v := range l.Values {
			if !slices.Contains(f.Params[at].Values, v) || k > 0 && v <= l.Values[k-1] {
				return fmt.Errorf("parameter %s of the predictor has the values %v, want some of %v, ascending", l.Name, l.Values, f.Params[at].Values)
			}
		}
		last, p.of[at] = at, i
	}
	p.layout()
	if len(p.Singles) != p.singles() || len(p.Pairs) != 0 && len(p.Pairs) != p.at2[len(p.at2)-1] {
		return fmt.Errorf("the predictor has %d weights of levels and %d of pairs, want %d, and %d or none", len(p.Singles), len(p.Pairs), p.singles(), p.at2[len(p.at2)-1])
	}
	for _, v := range slices.Concat(p.Singles, p.Pairs, []float64{p.Intercept, p.Interval}) {
		if math.IsNaN(v) || math.Abs(v) > 100 {
			return fmt.Errorf("the predictor has a number of %v, want at most 100 percent", v)
		}
	}
	if p.Interval <= 0 {
		return fmt.Errorf("the predictor's interval is %v, want half of the interval in percent, above 0: 0 means measured", p.Interval)
	}
	return nil
}

func (p *Predictor) singles() int { return p.at1[len(p.Params)] }

// layout finds where weights begin.
func (p *Predictor) layout() {
	p.at1, p.at2 = []int{0}, []int{0}
	for i, l := range p.Params {
		p.at1 = append(p.at1, p.at1[i]+len(l.Values))
		for _, o := range p.Params[i+1:] {
			p.at2 = append(p.at2, p.at2[len(p.at2)-1]+len(l.Values)*len(o.Values))
		}
	}
}

// Most is what no prediction of the networks that are not in the table is above, in percent.
func (k *Known) Most() float64 {
	p := k.predictor
	if p == nil {
		return math.Inf(1)
	}
	sum := p.Intercept
	for i := range p.Params {
		sum += slices.Max(p.Singles[p.at1[i]:p.at1[i+1]])
	}
	for i := 0; len(p.Pairs) > 0 && i+1 < len(p.at2); i++ {
		sum += slices.Max(p.Pairs[p.at2[i]:p.at2[i+1]])
	}
	return sum
}

// knows are the levels of a parameter.
func (p *Predictor) knows(param *workload.FamilyParam) []int64 {
	for i := range p.Params {
		if p.Params[i].Name == param.Name {
			return p.Params[i].Values
		}
	}
	return []int64{param.Own}
}

// maxParams bounds the parameters of a family.
const maxParams = 64

// at predicts; NaN for a level that it has not.
func (p *Predictor) at(f *workload.Family, values []int64) float64 {
	var room [maxParams]int
	levels := room[:len(p.Params)]
	for i, v := range values {
		k := p.of[i]
		switch {
		case k < 0 && v != f.Params[i].Own:
			return math.NaN()
		case k >= 0:
			if levels[k] = slices.Index(p.Params[k].Values, v); levels[k] < 0 {
				return math.NaN()
			}
		}
	}
	sum := p.Intercept
	for i, l := range levels {
		sum += p.Singles[p.at1[i]+l]
	}
	if len(p.Pairs) == 0 {
		return bounded(sum)
	}
	pair := 0
	for i, l := range levels {
		for j := i + 1; j < len(levels); j++ {
			sum += p.Pairs[p.at2[pair]+l*len(p.Params[j].Values)+levels[j]]
			pair++
		}
	}
	return bounded(sum)
}

// bounded keeps a prediction what an accuracy can be, with the digits of a table.
func bounded(percent float64) float64 { return thousandths(min(max(percent, 0.001), 100)) }

// columns appends the weights that a network has.
func (p *Predictor) columns(to []int32, values []int64) []int32 {
	levels := make([]int, 0, maxParams)
	for i, v := range values {
		if k := p.of[i]; k >= 0 {
			levels = append(levels, slices.Index(p.Params[k].Values, v))
		}
	}
	for i, l := range levels {
		to = append(to, int32(p.at1[i]+l))
	}
	pair := 0
	for i, l := range levels {
		for j := i + 1; j < len(levels); j++ {
			to = append(to, int32(p.singles()+p.at2[pair]+l*len(p.Params[j].Values)+levels[j]))
			pair++
		}
	}
	return to
}

// Fit is a predictor that was fitted to a table, and how it did on networks that it
// had not seen.
type Fit struct {
	*Known
	// Predicted and Measured are of the networks that were left out, in pairs.
	Predicted, Measured []float64
}

const (
	// folds of the cross-validation.
	folds = 10
	// coverage is the share of networks left out that the interval holds.
	coverage = 0.95
	// many networks need no choice of the ridge; chosen.
	many = 1000
)

// ridges are what a squared weight may cost, in squared percents: the one that
// predicts networks left out best is taken. On Accel-NASBench 1 to 30 rank equally
// well (0.990), so that large tables are not asked.
func ridges(networks int) []float64 {
	if networks > many {
		return []float64{10}
	}
	return []float64{0.001, 0.01, 0.1, 1, 10}
}

// ErrFewNetworks is returned by Fit for a table that is too small.
var ErrFewNetworks = errors.New("a predictor needs at least 20 networks")

// Fit fits a predictor to the table, and to as many tables with a tenth of the
// networks left out as are asked for, 1 to 10.
func (k *Known) Fit(times int) (*Fit, error) {
	const fewest = 20 // chosen: two networks in every fold
	if len(k.measured) < fewest {
		return nil, ErrFewNetworks
	}
	d := k.design()
	rng := rand.New(rand.NewPCG(1, 0)) // any fixed seed
	fold := make([]int, len(d.y))
	for i, at := range rng.Perm(len(d.y)) {
		fold[at] = i % folds
	}
	var best *Fit
	least, ridge := math.Inf(1), 0.0
	for _, r := range ridges(len(d.y)) {
		one, squares := &Fit{Known: new(*k)}, 0.0
		for left := range min(times, folds) {
			w := d.fit(r, func(i int) bool { return fold[i] != left })
			for i, y := range d.y {
				if fold[i] == left {
					v := d.sum(w, i)
					one.Predicted, one.Measured = append(one.Predicted, v), append(one.Measured, y)
					squares += (v - y) * (v - y)
				}
			}
		}
		if squares < least {
			best, least, ridge = one, squares, r
		}
	}
	var wrong []float64
	for i, v := range best.Predicted {
		wrong = append(wrong, math.Abs(v-best.Measured[i]))
	}
	slices.Sort(wrong)
	w := d.fit(ridge, func(int) bool { return true })
	for i := range w.weights {
		w.weights[i] = math.Round(w.weights[i]*micro) / micro
	}
	p := d.of
	p.Intercept, p.Singles, p.Pairs = thousandths(w.mean), w.weights[:p.singles()], w.weights[p.singles():]
	p.Interval = max(1.0/milli, thousandths(wrong[min(int(math.Ceil(coverage*float64(len(wrong)))), len(wrong)-1)])) // 0 means measured
	best.predictor = p
	return best, nil
}

// micro rounds weights: a few hundred of them are summed for a thousandth of a percent.
const micro = 1e6

// design is a table as a regression sees it.
type design struct {
	of   *Predictor
	rows [][]int32
	y    []float64
}

func (k *Known) design() *design {
	p := &Predictor{}
	for i := range k.family.Params {
		if levels := k.levels(i); len(levels) > 1 || levels[0] != k.family.Params[i].Own {
			p.Params = append(p.Params, Levels{k.family.Params[i].Name, levels})
		}
	}
	p.of = make([]int, len(k.family.Params))
	for i, f := range k.family.Params {
		p.of[i] = slices.IndexFunc(p.Params, func(l Levels) bool { return l.Name == f.Name })
	}
	p.layout()
	d := &design{of: p}
	for _, values := range k.Measured() {
		v, _ := k.At(values)
		d.rows, d.y = append(d.rows, p.columns(nil, values)), append(d.y, v)
	}
	return d
}

// fitted are the weights of a regression on the distance from the mean.
type fitted struct {
	mean    float64
	weights []float64
}

func (d *design) sum(w fitted, row int) float64 {
	sum := w.mean
	for _, c := range d.rows[row] {
		sum += w.weights[c]
	}
	return sum
}

// fit minimises the squared errors and ridge times the squared weights over some of
// the rows: by conjugate gradients on the normal equations (M. Hestenes and
// E. Stiefel, 1952), which need the rows' few columns alone.
func (d *design) fit(ridge float64, with func(row int) bool) fitted {
	const (
		most  = 500
		small = 1e-10 // of the residual's square; chosen: six digits of a prediction
	)
	var rows []int
	w := fitted{weights: make([]float64, d.of.singles()+d.of.at2[len(d.of.at2)-1])}
	for i, y := range d.y {
		if with(i) {
			rows = append(rows, i)
			w.mean += y
		}
	}
	w.mean /= float64(len(rows))
	r, step := make([]float64, len(w.weights)), make([]float64, len(w.weights))
	for _, i := range rows {
		for _, c := range d.rows[i] {
			r[c] += d.y[i] - w.mean
		}
	}
	q := slices.Clone(r)
	size := dot(r, r)
	enough := small * size
	for range most {
		if size <= enough {
			break
		}
		for c := range step {
			step[c] = ridge * q[c]
		}
		for _, i := range rows {
			sum := 0.0
			for _, c := range d.rows[i] {
				sum += q[c]
			}
			for _, c := range d.rows[i] {
				step[c] += sum
			}
		}
		alpha := size / dot(q, step)
		for c := range r {
			w.weights[c] += alpha * q[c]
			r[c] -= alpha * step[c]
		}
		before := size
		size = dot(r, r)
		for c := range q {
			q[c] = r[c] + size/before*q[c]
		}
	}
	return w
}

func dot(a, b []float64) (sum float64) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}
