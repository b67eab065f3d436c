package study

import (
	"math"
	"slices"

	"apollo/optimizer"
)

// drift is a straight line through the values of the reference design over
// trials: through their logarithms where all have one sign.
type drift struct {
	slope, low, high float64 // a trial
	level            float64 // of the values, where they are no logarithms
	sign             float64 // of the values; 0 where it differs
}

// fewestAnchors is how many measurements of the reference design make a line.
// Chosen: of four no order is rare enough to be none of chance.
const fewestAnchors = 5

// drift returns the line of Theil and Sen, with the interval that Kendall's
// statistic gives; nil while there are too few measurements.
//
// Reference: P. K. Sen, Estimates of the regression coefficient based on
// Kendall's tau, JASA 63, 1968.
func (n *noise) drift() *drift {
	k := len(n.anchor)
	if k < fewestAnchors {
		return nil
	}
	d := &drift{sign: n.oneSign(math.Copysign(1, n.anchor[0].value))}
	for _, a := range n.anchor {
		d.level += math.Abs(a.value) / float64(k)
	}
	place := func(v float64) float64 { return v / max(d.level, math.SmallestNonzeroFloat64) }
	if d.sign != 0 {
		place = func(v float64) float64 { return math.Log(d.sign * v) }
	}
	var slopes []float64
	for i := range k {
		for j := range i {
			slopes = append(slopes, (place(n.anchor[i].value)-place(n.anchor[j].value))/float64(n.anchor[i].trial-n.anchor[j].trial))
		}
	}
	slices.Sort(slopes)
	const z = 1.96 // 95 %
	reach := z * math.Sqrt(float64(k*(k-1)*(2*k+5))/18)
	at := func(rank float64) float64 {
		return slopes[max(0, min(len(slopes)-1, int(math.Round(rank))))]
	}
	total := float64(len(slopes))
	d.slope = slopes[len(slopes)/2]
	d.low, d.high = at((total-reach)/2-1), at((total+reach)/2)
	return d
}

// oneSign is sign where every anchor has it, else 0.
func (n *noise) oneSign(sign float64) float64 {
	for _, a := range n.anchor {
		if a.value*sign <= 0 {
			return 0
		}
	}
	return sign
}

// certain reports whether there is a drift beyond doubt.
func (d *drift) certain() bool { return d.low > 0 || d.high < 0 }

// change is the relative change of the values after so many trials.
func (d *drift) change(slope, trials float64) float64 {
	if d.sign != 0 {
		return math.Expm1(slope * trials)
	}
	return slope * trials
}

// correct takes a drift that is certain out of a measured trial.
func (n *noise) correct(o optimizer.Observation) optimizer.Observation {
	if n.spec.Evaluator.Noise.Reference == 0 {
		return o
	}
	d := n.drift()
	if d == nil || !d.certain() {
		return o
	}
	o.Values = slices.Clone(o.Values)
	moved := d.slope * float64(o.Trial)
	if d.sign != 0 && o.Values[0]*d.sign > 0 {
		o.Values[0] *= math.Exp(-moved)
	} else {
		o.Values[0] -= moved * d.level
	}
	return o
}
