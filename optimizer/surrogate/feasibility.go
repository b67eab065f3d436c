package surrogate

import (
	"fmt"
	"math"
)

// Feasibility estimates the probability that a design is feasible: a Gaussian
// process on labels +1 and −1 about their mean, read through a normal
// distribution. That is least-squares classification (Rasmussen and Williams
// 2006, section 6.5), which costs no iterations. Complexity is that of GP.
type Feasibility struct {
	gp   *GP
	base float64
	// mean and deviation are scratch.
	mean, deviation []float64
}

// blur is the variance added to the model's own before probabilities are read
// off. With it a design that was seen infeasible has a probability of 8e-4, so
// that a wrong neighbour can be outvoted. Chosen.
const blur = 0.1

// FeasibilityPrior is the prior of FitFeasibility: lengths as DefaultPrior, and
// noise about 1e-2, since a rule's border cuts through cells of the lattice.
// Chosen.
func FeasibilityPrior() Prior {
	p := DefaultPrior()
	p.Noise = Normal{Mean: math.Log(1e-2), Deviation: 1}
	return p
}

// FeasibilityLabels returns the centred labels of a classifier and their mean,
// where the mean counts one trial of each kind more.
func FeasibilityLabels(feasible []bool) (labels []float64, base float64) {
	yes := 0
	for _, ok := range feasible {
		if ok {
			yes++
		}
	}
	base = float64(2*yes-len(feasible)) / float64(len(feasible)+2)
	labels = make([]float64, len(feasible))
	for i, ok := range feasible {
		labels[i] = -1 - base
		if ok {
			labels[i] = 1 - base
		}
	}
	return labels, base
}

// NewFeasibility returns a model of len(feasible) trials at the inputs x. The
// error is NewGP's.
func NewFeasibility(categorical []bool, h Hyper, x []float64, feasible []bool) (*Feasibility, error) {
	gp, err := NewGP(categorical, h, len(feasible))
	if err != nil {
		return nil, fmt.Errorf("feasibility: %w", err)
	}
	d := len(categorical)
	for i := range feasible {
		gp.Append(x[i*d : (i+1)*d])
	}
	labels, base := FeasibilityLabels(feasible)
	gp.SetLabels(labels)
	return &Feasibility{gp: gp, base: base}, nil
}

// AddLog adds ln P(feasible) of the len(dst) inputs in x to dst.
func (f *Feasibility) AddLog(x, dst []float64) {
	for len(f.mean) < len(dst) {
		f.mean, f.deviation = append(f.mean, 0), append(f.deviation, 0)
	}
	mean, deviation := f.mean[:len(dst)], f.deviation[:len(dst)]
	f.gp.Predict(x, mean, deviation)
	for i := range dst {
		dst[i] += LogNormalCDF((f.base + mean[i]) / math.Sqrt(blur+deviation[i]*deviation[i]))
	}
}
