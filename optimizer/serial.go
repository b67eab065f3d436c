package optimizer

import "math"

// Serial is how much the error of a measurement follows that of the one before
// it: an autoregression of order one, with an interval of 95 %.
type Serial struct {
	Rho, Low, High float64
	// Pairs is how many pairs of measurements it rests on. With fewer than
	// SerialPairs nothing is claimed: the other fields are 0.
	Pairs int
}

// SerialPairs is the number of pairs from which on a correlation is estimated.
// Chosen: with fewer the interval is wider than half of what there is.
const SerialPairs = 40

// Follows reports whether errors follow each other beyond doubt.
func (s Serial) Follows() bool { return s.Pairs >= SerialPairs && s.Low > 0 }

// signedSerial estimates rho from residuals in order of time by their signs
// alone: rho = sin(pi/2 * mean product of signs), exact for normal errors. A
// straggler counts as any other, where it ruins Pearson's correlation. adjacent
// says of each residual whether it was measured right after the one before.
//
// Reference: W. H. Kruskal, Ordinal measures of association, JASA 53, 1958
// (the quadrant measure, and its relation to the correlation of normals).
func signedSerial(residuals []float64, adjacent []bool) Serial {
	var s Serial
	var sum float64
	for i := 1; i < len(residuals); i++ {
		if product := residuals[i-1] * residuals[i]; adjacent[i] && product != 0 {
			sum += math.Copysign(1, product)
			s.Pairs++
		}
	}
	if s.Pairs < SerialPairs {
		return s
	}
	mean := sum / float64(s.Pairs)
	reach := interval * math.Sqrt((1-mean*mean)/float64(s.Pairs))
	rho := func(mean float64) float64 { return math.Sin(math.Pi / 2 * max(-1, min(1, mean))) }
	s.Rho, s.Low, s.High = rho(mean), rho(mean-reach), rho(mean+reach)
	return s
}
