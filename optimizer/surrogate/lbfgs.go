package surrogate

import (
	"slices"

	"gonum.org/v1/gonum/floats"
)

// minimizer is L-BFGS in a box: variables at a bound that the gradient pushes
// outwards stand still, the rest move by the two-loop recursion and
// backtracking. It needs no goroutine, unlike gonum's methods.
//
// References: J. Nocedal, S. J. Wright, Numerical Optimization, 2nd edition,
// Springer 2006, algorithms 7.4 and 3.1; D. P. Bertsekas, Projected Newton
// Methods, SIAM J. Control Optim. 20, 1982 (the active set).
type minimizer struct {
	low, high   []float64
	evaluations int // budget of calls to f
	steps       [][]float64
	changes     [][]float64
}

const (
	memory    = 8    // correction pairs; Nocedal and Wright advise 3 to 20
	armijo    = 1e-4 // sufficient decrease; Nocedal and Wright, section 3.1
	tolerance = 1e-3 // of the gradient's largest entry: a log hyper-parameter needs no more
	firstStep = 0.5  // largest entry of a step without curvature; chosen: a factor of 1.6
	longest   = 2.0  // largest entry of any step; chosen: a factor of 7.4
)

// minimize improves x in place and returns the value there.
func (m *minimizer) minimize(f func(x, gradient []float64) float64, x []float64) float64 {
	n := len(x)
	gradient, trial, trialGradient := make([]float64, n), make([]float64, n), make([]float64, n)
	m.clamp(x)
	value := f(x, gradient)
	m.evaluations--
	m.steps, m.changes = nil, nil
	for m.evaluations > 0 && m.residual(x, gradient) > tolerance {
		direction := m.direction(x, gradient)
		slope := floats.Dot(direction, gradient)
		if slope >= 0 {
			m.steps, m.changes = nil, nil
			direction = m.direction(x, gradient)
			slope = floats.Dot(direction, gradient)
		}
		next, ok := m.search(f, x, value, direction, slope, trial, trialGradient)
		if !ok {
			if len(m.steps) == 0 {
				break
			}
			m.steps, m.changes = nil, nil
			continue
		}
		m.remember(x, gradient, trial, trialGradient)
		copy(x, trial)
		copy(gradient, trialGradient)
		value = next
	}
	return value
}

// search halves the step until the value falls enough.
func (m *minimizer) search(f func(x, gradient []float64) float64, x []float64, value float64, direction []float64, slope float64, trial, gradient []float64) (float64, bool) {
	for step := 1.0; m.evaluations > 0 && step > 1e-3; step /= 2 {
		floats.AddScaledTo(trial, x, step, direction)
		m.clamp(trial)
		m.evaluations--
		if next := f(trial, gradient); next <= value+armijo*step*slope {
			return next, true
		}
	}
	return 0, false
}

func (m *minimizer) clamp(x []float64) {
	for i := range x {
		x[i] = min(max(x[i], m.low[i]), m.high[i])
	}
}

// blocked reports whether descent would leave the box through variable i.
func (m *minimizer) blocked(i int, x, gradient []float64) bool {
	return x[i] <= m.low[i] && gradient[i] > 0 || x[i] >= m.high[i] && gradient[i] < 0
}

func (m *minimizer) residual(x, gradient []float64) float64 {
	var largest float64
	for i, g := range gradient {
		if !m.blocked(i, x, gradient) {
			largest = max(largest, g, -g)
		}
	}
	return largest
}

// direction is the two-loop recursion; a curvature-free first step is scaled to
// firstStep.
func (m *minimizer) direction(x, gradient []float64) []float64 {
	d := slices.Clone(gradient)
	for i := range d {
		if m.blocked(i, x, gradient) {
			d[i] = 0
		}
	}
	limit := firstStep
	if len(m.steps) > 0 {
		m.recur(d)
		limit = longest
	}
	for i := range d {
		if m.blocked(i, x, gradient) {
			d[i] = 0
		}
	}
	largest := max(floats.Max(d), -floats.Min(d))
	scale := -1.0
	if largest > limit || len(m.steps) == 0 && largest > 0 {
		scale = -limit / largest
	}
	floats.Scale(scale, d)
	return d
}

func (m *minimizer) recur(q []float64) {
	k := len(m.steps)
	a := make([]float64, k)
	for i := k - 1; i >= 0; i-- {
		a[i] = floats.Dot(m.steps[i], q) / floats.Dot(m.steps[i], m.changes[i])
		floats.AddScaled(q, -a[i], m.changes[i])
	}
	last := k - 1
	floats.Scale(floats.Dot(m.steps[last], m.changes[last])/floats.Dot(m.changes[last], m.changes[last]), q)
	for i := range k {
		b := floats.Dot(m.changes[i], q) / floats.Dot(m.steps[i], m.changes[i])
		floats.AddScaled(q, a[i]-b, m.steps[i])
	}
}

// remember keeps the pair when its curvature is positive.
func (m *minimizer) remember(x, gradient, next, nextGradient []float64) {
	step, change := make([]float64, len(x)), make([]float64, len(x))
	floats.SubTo(step, next, x)
	floats.SubTo(change, nextGradient, gradient)
	if !(floats.Dot(step, change) > 1e-10*floats.Dot(change, change)) {
		return
	}
	if len(m.steps) == memory {
		m.steps, m.changes = m.steps[1:], m.changes[1:]
	}
	m.steps, m.changes = append(m.steps, step), append(m.changes, change)
}
