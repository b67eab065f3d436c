package optimizer

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"apollo/optimizer/space"
	"apollo/optimizer/surrogate"
)

// Answers says what is known of the designs that a noisy evaluator measured, by a
// Gaussian process of their values: one lucky measurement makes no best design.
// It is a function of what it was told, in order, as a Strategy is.
//
// A call after n trials takes O(n³) time, n being at most 400: of more the
// better half is taken, and every so many of the others.
type Answers struct {
	gpModels
	known []Estimate // what Designs found
	last  model      // by which model
	upTo  int        // of how many records
}

// Estimate is what is known of the objective of a design, to be minimised.
type Estimate struct {
	// Point is the design. It belongs to the Answers: do not write it.
	Point space.Point
	// Trial is the first one that measured the design.
	Trial int
	// Mean is the most likely value. The value lies between Low and High with a
	// probability of 95 %, as far as the model is right.
	Mean, Low, High float64
	// Measurements is how often the design was measured.
	Measurements int
}

// interval is how many deviations lie between the mean and an end of an interval
// of 95 %.
const interval = 1.96

// NewAnswers returns the answers of a problem, of which Noisy is taken for true.
// Several objectives are an error.
func NewAnswers(p Problem) (*Answers, error) {
	p.Noisy = true
	h, err := newHistory(p, "answers", 0)
	if err != nil {
		return nil, err
	}
	return &Answers{gpModels: gpModels{history: h, prior: surrogate.DefaultPrior(), limit: 400, fitLimit: 200}}, nil
}

// Designs returns what is known of every feasible design, the one with the least
// High first and the earlier among equals. The slice belongs to the Answers.
func (a *Answers) Designs() []Estimate {
	if a.feasible == 0 || a.upTo == len(a.records) {
		return a.known
	}
	m, err := a.model(&a.values, a.learn, 0)
	if err != nil {
		panic(fmt.Sprintf("optimizer: the answers have no model: %v", err)) // the encoder gives what the kernel expects
	}
	a.upTo, a.known, a.last = len(a.records), nil, m
	scale := a.scaleOf(m.rows)
	mean, deviation := make([]float64, len(m.rows)), make([]float64, len(m.rows))
	m.gp.Predict(a.gather(m.rows), mean, deviation)
	var at space.Map[int]
	for k, i := range m.rows {
		r := &a.records[i]
		if r.class != feasible {
			continue
		}
		key := a.problem.Space.Key(r.point)
		if first, again := at.Get(key); again {
			a.known[first].Measurements++
			continue
		}
		at.Put(key, len(a.known))
		reach := interval * deviation[k]
		a.known = append(a.known, Estimate{
			Point: r.point, Trial: r.trial, Measurements: 1,
			Mean: scale.value(mean[k]), Low: scale.value(mean[k] - reach), High: scale.value(mean[k] + reach),
		})
	}
	slices.SortStableFunc(a.known, func(x, y Estimate) int { return cmp.Compare(x.High, y.High) })
	return a.known
}

// Contender returns the design that one more measurement says most of: among
// those that may be better than the one with the least High, that with the
// least Low. Designs that skip says yes to are left out. ok is false where no
// measurement can change which is best.
func (a *Answers) Contender(skip func(*Estimate) bool) (e Estimate, ok bool) {
	known := a.Designs()
	if len(known) == 0 || a.constant() {
		return Estimate{}, false
	}
	for i := range known {
		c := &known[i]
		if c.Low < known[0].High && (!ok || c.Low < e.Low) && !skip(c) {
			e, ok = *c, true
		}
	}
	return e, ok
}

// Noise returns the deviation of one measurement: relative to the value where all
// values have one sign, else in their unit. It is 0 while nothing is feasible.
func (a *Answers) Noise() (deviation float64, relative bool) {
	if len(a.Designs()) == 0 {
		return 0, false
	}
	s := a.scaleOf(a.last.rows)
	deviation = math.Exp(a.values.hyper.LogNoise/2) * s.deviation
	if s.sign != 0 {
		return math.Expm1(deviation), true
	}
	return deviation * s.factor, false
}

// Serial estimates how much a measurement's error follows that of the trial
// before it.
func (a *Answers) Serial() Serial {
	if len(a.Designs()) == 0 {
		return Serial{}
	}
	if runs, in := a.runs(); 2*in > len(a.records) {
		return repeatedSerial(runs)
	}
	residuals, adjacent := make([]float64, 0, len(a.last.rows)), make([]bool, 0, len(a.last.rows))
	for k, i := range a.last.rows {
		residuals = append(residuals, a.last.labels[k]-a.last.gp.Mean(a.row(i)))
		adjacent = append(adjacent, k > 0 && a.last.rows[k-1] == i-1)
	}
	return signedSerial(residuals, adjacent)
}

// runs are the values of designs that were measured three times or more without
// another between them; in is how many they are. A model's mean of such a design has
// the error that they share in it, so that its residuals do not show it.
func (a *Answers) runs() (runs [][]float64, in int) {
	const least = 3
	for i := 0; i < len(a.records); {
		first := &a.records[i]
		var run []float64
		for ; i < len(a.records) && a.records[i].measured && slices.Equal(a.records[i].point, first.point); i++ {
			run = append(run, a.records[i].value)
		}
		if len(run) >= least {
			runs, in = append(runs, run), in+len(run)
		}
		if len(run) == 0 {
			i++ // it was not measured
		}
	}
	return runs, in
}

// constant reports whether designs were measured again, and every one of them
// answered what it had answered before: then there is no noise.
func (a *Answers) constant() bool {
	var first space.Map[float64]
	again := false
	for i := range a.records {
		r := &a.records[i]
		if !r.measured {
			continue
		}
		key := a.problem.Space.Key(r.point)
		value, known := first.Get(key)
		if !known {
			first.Put(key, r.value)
			continue
		}
		if value != r.value {
			return false
		}
		again = true
	}
	return again
}

// learn is the lesson of what was measured and is no outlier, on a scale that
// leads back to values.
func (a *Answers) learn(n int) (func(i int) bool, func(rows []int) []float64) {
	limit := a.outliersFrom(n)
	keep := func(i int) bool { return a.records[i].measured && a.records[i].value < limit }
	return keep, func(rows []int) []float64 { return a.scaleOf(rows).labels }
}

// valueScale is the labels of some values, and how to bring others back.
type valueScale struct {
	labels          []float64
	mean, deviation float64
	sign            float64 // of all values, of which the labels are logarithms; 0 where signs differ
	factor          float64 // of values of both signs
}

func (a *Answers) scaleOf(rows []int) valueScale {
	values := make([]float64, len(rows))
	for k, i := range rows {
		values[k] = a.records[i].value
	}
	s := valueScale{factor: 1}
	switch {
	case len(values) == 0:
	case slices.Min(values) > 0:
		s.sign = 1
	case slices.Max(values) < 0:
		s.sign = -1
	default:
		s.factor = max(-slices.Min(values), slices.Max(values), math.SmallestNonzeroFloat64)
	}
	for k, v := range values {
		if values[k] = v / s.factor; s.sign != 0 {
			values[k] = s.sign * math.Log(s.sign*v)
		}
	}
	s.labels, s.mean, s.deviation = surrogate.Standardize(values)
	return s
}

func (s *valueScale) value(label float64) float64 {
	v := s.mean + s.deviation*label
	if s.sign != 0 {
		return s.sign * math.Exp(s.sign*v)
	}
	return v * s.factor
}

// leastMean is the least mean of the feasible designs of a model: of labels with
// noise the least one is a lucky one.
func (g *gpModels) leastMean(m *model) float64 {
	least := math.Inf(1)
	for _, i := range m.rows {
		if g.records[i].class == feasible {
			least = min(least, m.gp.Mean(g.row(i)))
		}
	}
	return least
}
