package surrogate

import (
	"fmt"
	"math"
	"slices"
)

// Feasibility estimates the probability that a design is feasible: a Gaussian
// process on verdicts about their mean, read through a normal distribution. That
// is least-squares classification (Rasmussen and Williams 2006, section 6.5),
// which costs no iterations. Complexity is that of GP.
type Feasibility struct {
	gp   *GP
	base float64
	// labels are those of the process's inputs.
	labels []float64
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

// ScatterPrior is that of verdicts which may follow no border at all, such as
// outliers and failures: noise may explain them. Chosen.
func ScatterPrior() Prior {
	p := FeasibilityPrior()
	p.Noise.Deviation = 2
	return p
}

// Verdicts returns one number per trial: +1 where it is feasible, −1 where it is
// not, and where it is known by how much it is not, −0.2 less the violation in
// units of the median known one, so that a model sees which way leads back.
// violation is 0 where it is unknown, and may be nil.
func Verdicts(feasible []bool, violation []float64) []float64 {
	var known []float64
	for i, v := range violation {
		if !feasible[i] && v > 0 {
			known = append(known, v)
		}
	}
	slices.Sort(known)
	out := make([]float64, len(feasible))
	for i, ok := range feasible {
		switch {
		case ok:
			out[i] = 1
		case len(known) > 0 && violation[i] > 0:
			out[i] = -nearVerdict - min(violation[i]/known[len(known)/2], farVerdict)
		default:
			out[i] = -1
		}
	}
	return out
}

// nearVerdict and farVerdict bound the verdict of a known violation: a border
// that was just missed is still a miss, and a wild violation does not flatten
// the others. Chosen on the problem budget of optimizertest.
const nearVerdict, farVerdict = 0.2, 4.0

// FeasibilityLabels returns the centred labels of a classifier and their mean,
// where the mean counts one trial of each kind more.
func FeasibilityLabels(verdicts []float64) (labels []float64, base float64) {
	var sum float64
	for _, v := range verdicts {
		sum += v
	}
	base = sum / float64(len(verdicts)+2)
	labels = make([]float64, len(verdicts))
	for i, v := range verdicts {
		labels[i] = v - base
	}
	return labels, base
}

// NewFeasibility returns a model of len(verdicts) trials at the inputs x, with room for
// extra ones that are suspected. The error is NewGP's.
func NewFeasibility(categorical []bool, h Hyper, x, verdicts []float64, extra int) (*Feasibility, error) {
	gp, err := NewGP(categorical, h, len(verdicts)+extra)
	if err != nil {
		return nil, fmt.Errorf("feasibility: %w", err)
	}
	d := len(categorical)
	for i := range verdicts {
		gp.Append(x[i*d : (i+1)*d])
	}
	return FeasibilityOf(gp, verdicts), nil
}

// FeasibilityOf returns a model on a process that already holds the inputs, one
// for each verdict. It sets the process's labels.
func FeasibilityOf(gp *GP, verdicts []float64) *Feasibility {
	labels, base := FeasibilityLabels(verdicts)
	gp.SetLabels(labels)
	return &Feasibility{gp: gp, base: base, labels: labels}
}

// Suspect takes an input for infeasible, of which no verdict is known. It does not count in
// the share of feasible trials.
func (f *Feasibility) Suspect(x []float64) {
	f.gp.Append(x)
	f.labels = append(f.labels, -1-f.base)
	f.gp.SetLabels(f.labels)
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

// LogPrior returns ln P(feasible) of a design that is far from all trials.
func (f *Feasibility) LogPrior() float64 {
	return LogNormalCDF(f.base / math.Sqrt(blur+f.gp.kernel.signal))
}
