package surrogate

import "gonum.org/v1/gonum/floats"

// Regressor predicts a label from an input. Models for ensembles implement it;
// they are immutable after they were made.
type Regressor interface {
	// Predict returns the label expected at x, which has the coordinates of the
	// training inputs.
	Predict(x []float64) float64
}

// Ridge is linear regression with a penalty on the squares of the coefficients,
// which the intercept does not pay.
//
// Reference: A. E. Hoerl, R. W. Kennard, Ridge Regression, Technometrics 12,
// 1970. Training takes O(n·p² + p³) time for n inputs of p coordinates.
type Ridge struct {
	coefficients, center []float64
	intercept            float64
}

var _ Regressor = (*Ridge)(nil)

// NewRidge returns the coefficients w that minimise Σ(y − b − w·x)² + penalty·|w|²
// for len(y) inputs of d coordinates in x, row by row. penalty must be
// positive.
func NewRidge(d int, x, y []float64, penalty float64) *Ridge {
	r := &Ridge{coefficients: make([]float64, d), center: make([]float64, d)}
	n := float64(len(y))
	if len(y) == 0 {
		return r
	}
	r.intercept = floats.Sum(y) / n
	for i := range y {
		floats.AddScaled(r.center, 1/n, x[i*d:(i+1)*d])
	}
	gram := make([]float64, d*d)
	row := make([]float64, d)
	for i := range y {
		floats.SubTo(row, x[i*d:(i+1)*d], r.center)
		floats.AddScaled(r.coefficients, y[i]-r.intercept, row)
		for a := range d {
			floats.AddScaled(gram[a*d:a*d+a+1], row[a], row[:a+1])
		}
	}
	chol := newFactor(d)
	for a := range d {
		gram[a*d+a] += penalty
		chol.append(gram[a*d:(a+1)*d], penalty/2)
	}
	chol.solveLower(r.coefficients)
	chol.solveUpper(r.coefficients)
	return r
}

// Predict implements Regressor.
func (r *Ridge) Predict(x []float64) float64 {
	sum := r.intercept
	for i, w := range r.coefficients {
		sum += w * (x[i] - r.center[i])
	}
	return sum
}

// OneHot appends x to dst with every category spread over as many coordinates
// as levels says, one of them 1 and the others 0; other coordinates stay. Linear
// models need it.
func OneHot(dst, x []float64, categorical []bool, levels []int) []float64 {
	for i, v := range x {
		if !categorical[i] {
			dst = append(dst, v)
			continue
		}
		for level := range levels[i] {
			one := 0.0
			if int(v) == level {
				one = 1
			}
			dst = append(dst, one)
		}
	}
	return dst
}
