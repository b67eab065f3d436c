package surrogate

import (
	"math"

	"gonum.org/v1/gonum/floats"
)

// LeaveOneOut writes, for each of the labels y that were set last, the mean and
// the deviation (noise included) that the process predicts at its input from
// all the other labels, with the same hyper-parameters. It takes n³/3
// multiplications and 8n² bytes for n labels.
//
// Reference: C. E. Rasmussen, C. K. I. Williams, Gaussian Processes for Machine
// Learning, MIT Press 2006, equation 5.12.
func (g *GP) LeaveOneOut(y, mean, deviation []float64) {
	n := len(y)
	// Row i of the lower inverse L⁻¹ adds its squares to the diagonal of K⁻¹.
	diagonal := make([]float64, n)
	inverse := make([]float64, n*n)
	for i := range n {
		row, own := g.chol.row(i), inverse[i*n:i*n+i+1]
		own[i] = 1
		for j := range i {
			floats.AddScaled(own[:j+1], -row[j], inverse[j*n:j*n+j+1])
		}
		floats.Scale(1/row[i], own)
		for j, v := range own {
			diagonal[j] += v * v
		}
	}
	for i, v := range diagonal {
		mean[i] = y[i] - g.alpha[i]/v
		deviation[i] = math.Sqrt(1 / v)
	}
}
