package surrogate

import (
	"math"

	"gonum.org/v1/gonum/floats"
)

// factor is the lower Cholesky factor of a growing symmetric matrix, by rows
// in one pre-allocated buffer, so that a row is appended without a copy and
// dropped without work.
type factor struct {
	n, stride int
	l         []float64
}

func newFactor(capacity int) factor {
	return factor{stride: capacity, l: make([]float64, capacity*capacity)}
}

func (f *factor) row(i int) []float64 { return f.l[i*f.stride : i*f.stride+i+1] }

// append adds the row that starts as the covariances with the rows before and
// ends with its own variance, in O(n²). A pivot below floor becomes floor: a
// repeated input makes the matrix singular but for rounding.
func (f *factor) append(covariance []float64, floor float64) {
	row := f.row(f.n)
	copy(row, covariance[:f.n+1])
	f.n++
	f.eliminate(f.n-1, floor)
}

func (f *factor) eliminate(i int, floor float64) {
	row := f.row(i)
	for j := range i {
		above := f.row(j)
		row[j] = (row[j] - floats.Dot(row[:j], above[:j])) / above[j]
	}
	row[i] = math.Sqrt(max(row[i]-floats.Dot(row[:i], row[:i]), floor))
}

// solveLower replaces b by L⁻¹b for the first len(b) rows.
func (f *factor) solveLower(b []float64) {
	for i := range b {
		row := f.row(i)
		b[i] = (b[i] - floats.Dot(row[:i], b[:i])) / row[i]
	}
}

// solveUpper replaces b by L⁻ᵀb.
func (f *factor) solveUpper(b []float64) {
	for i := len(b) - 1; i >= 0; i-- {
		row := f.row(i)
		b[i] /= row[i]
		floats.AddScaled(b[:i], -b[i], row[:i])
	}
}

// logDeterminant is ln|LLᵀ|.
func (f *factor) logDeterminant() float64 {
	var sum float64
	for i := range f.n {
		sum += math.Log(f.l[i*f.stride+i])
	}
	return 2 * sum
}

// inverse writes the lower triangle of (LLᵀ)⁻¹ into dst, by rows of the same
// stride, using scratch of the same size. n³/3 multiplications.
func (f *factor) inverse(dst, scratch []float64) {
	n, s := f.n, f.stride
	clear(dst[:n*s])
	for i := range n {
		row, own := f.row(i), scratch[i*s:i*s+i+1]
		clear(own)
		own[i] = 1
		for j := range i {
			floats.AddScaled(own[:j+1], -row[j], scratch[j*s:j*s+j+1])
		}
		floats.Scale(1/row[i], own)
		for a := range own {
			floats.AddScaled(dst[a*s:a*s+a+1], own[a], own[:a+1])
		}
	}
}
