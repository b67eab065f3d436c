package optimizer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"

	"apollo/optimizer/space"
)

// Lessons are trials of earlier searches that a Policy learns from: which designs of the
// frontier opened a cell. Any search may be one; what it never did nobody learns.
type Lessons struct {
	// Bins is that of Explore; 0 means 2.
	Bins    float64
	samples []judged
}

type judged struct {
	x      []float64
	opened bool
}

// LessonTrials is how many trials of a search count: what follows is alike.
const LessonTrials = 2000

// fewestLessons is what a policy needs at least; chosen.
const fewestLessons = 100

// Add takes the trials of a search of a space, in the order in which they were told. It
// takes O(trials²·parameters) time.
func (l *Lessons) Add(s space.Space, obs []Observation) error {
	a := Explore{Bins: l.Bins, Policy: &Policy{}}.withDefaults()
	e := a.start(Problem{Space: s})
	for i := range obs {
		if len(e.order) == LessonTrials {
			break
		}
		o := &obs[i]
		key, ok := s.KeyOf(o.Point)
		if !ok {
			return fmt.Errorf("trial %d does not belong to the space", o.Trial)
		}
		cell := CellOf(*o, a.Bins)
		if cell == "" || e.told.Has(key) {
			continue
		}
		if len(e.order) >= a.Initial {
			x := e.frontier.describe(o.Point, nil, a.Bins, e.numbers)
			_, known := e.numbers[cell]
			l.samples = append(l.samples, judged{slices.Clone(x), !known})
		}
		e.Tell(*o)
	}
	return nil
}

// Len returns the number of designs that were judged, and how many of them opened a cell.
func (l *Lessons) Len() (designs, opened int) {
	for i := range l.samples {
		if l.samples[i].opened {
			opened++
		}
	}
	return len(l.samples), opened
}

// Learn fits a policy to the lessons: logistic loss, stochastic gradients by Adam
// (D. P. Kingma, J. Ba, arXiv 1412.6980). The same lessons and seed give the same policy.
func (l *Lessons) Learn(seed uint64) (*Policy, error) {
	if n, opened := l.Len(); n < fewestLessons || opened == 0 || opened == n {
		return nil, fmt.Errorf("there are %d trials to learn from, %d of a new cell: at least %d are needed, some of a new cell and some of none", n, opened, fewestLessons)
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	p := l.blank(rng)
	d := policyFeatures + 1
	weights := make([]*float64, 0, policyHidden*(d+1)+1)
	for k := range p.Hidden {
		for i := range p.Hidden[k] {
			weights = append(weights, &p.Hidden[k][i])
		}
	}
	for k := range p.Output {
		weights = append(weights, &p.Output[k])
	}
	// Of the paper, but for the epochs, the batch and the rate: chosen.
	const epochs, batch, rate, keep1, keep2, epsilon = 15, 64, 0.003, 0.9, 0.999, 1e-8
	mean, square, gradient := make([]float64, len(weights)), make([]float64, len(weights)), make([]float64, len(weights))
	bias1, bias2 := 1.0, 1.0
	order := rng.Perm(len(l.samples))
	for epoch := range epochs {
		step := rate * (1 - float64(epoch)/epochs)
		rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for low := 0; low+batch <= len(order); low += batch {
			clear(gradient)
			for _, at := range order[low : low+batch] {
				p.slope(&l.samples[at], 1.0/batch, gradient)
			}
			bias1, bias2 = bias1*keep1, bias2*keep2
			for i, w := range weights {
				mean[i] += (1 - keep1) * (gradient[i] - mean[i])
				square[i] += (1 - keep2) * (gradient[i]*gradient[i] - square[i])
				*w -= step * mean[i] / (1 - bias1) / (math.Sqrt(square[i]/(1-bias2)) + epsilon)
			}
		}
	}
	for _, w := range weights {
		*w = short(*w)
	}
	return p, p.validate()
}

// blank is a policy before it learned.
func (l *Lessons) blank(rng *rand.Rand) *Policy {
	p := &Policy{Schema: PolicySchema, Output: make([]float64, policyHidden+1)}
	n := float64(len(l.samples))
	for i := range policyFeatures {
		var sum, squares float64
		for k := range l.samples {
			v := l.samples[k].x[i]
			sum, squares = sum+v, squares+v*v
		}
		const least = 1e-6 // variance of what never changes
		p.Mean = append(p.Mean, short(sum/n))
		p.Scale = append(p.Scale, short(1/math.Sqrt(max(squares/n-sum/n*sum/n, least))))
	}
	for range policyHidden {
		w := make([]float64, policyFeatures+1)
		for i := range w {
			w[i] = rng.NormFloat64() / math.Sqrt(policyFeatures)
		}
		p.Hidden = append(p.Hidden, w)
	}
	return p
}

// slope adds the gradient of a lesson's loss to that of the weights.
func (p *Policy) slope(s *judged, share float64, gradient []float64) {
	var hidden [policyHidden]float64
	z := p.Output[policyHidden]
	for k, w := range p.Hidden {
		hidden[k] = p.unit(w, s.x)
		z += p.Output[k] * hidden[k]
	}
	e := share / (1 + math.Exp(-z))
	if s.opened {
		e -= share
	}
	const d = policyFeatures + 1
	for k, h := range hidden {
		gradient[policyHidden*d+k] += e * h
		back := e * p.Output[k] * (1 - h*h)
		for i, v := range s.x {
			gradient[k*d+i] += back * (v - p.Mean[i]) * p.Scale[i]
		}
		gradient[k*d+policyFeatures] += back
	}
	gradient[policyHidden*d+policyHidden] += e
}

// short rounds to five digits: more say nothing, and a policy is part of every study
// that uses it.
func short(v float64) float64 {
	r, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 5, 64), 64)
	return r
}
