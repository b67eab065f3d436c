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

// repeatedSerial estimates rho from runs of measurements of one design, each in order
// of time, without knowing the design's value: of three in a row, errors that follow
// each other make the outer two differ by more than neighbours do. For errors of
// order one that are normal, the sign of |x3-x1| - |x2-x1|, which is that of
// (x3-x2)(x3+x2-2·x1), has the mean 2/pi · asin(rho/sqrt(3+2·rho)): by Kruskal's
// relation, of the correlation of its two factors. The same holds backwards. The
// interval is from how the sums of the runs differ, since signs of one run go together.
func repeatedSerial(runs [][]float64) Serial {
	var s Serial
	var sum float64
	type total struct{ sum, n float64 }
	totals := make([]total, 0, len(runs))
	for _, run := range runs {
		var t total
		for i := 2; i < len(run); i++ {
			for _, x := range [2][2]float64{{run[i-2], run[i]}, {run[i], run[i-2]}} {
				near, far := math.Abs(run[i-1]-x[0]), math.Abs(x[1]-x[0])
				if near != far {
					t.sum += math.Copysign(1, far-near)
					t.n++
				}
			}
		}
		totals = append(totals, t)
		sum += t.sum
		s.Pairs += int(t.n)
	}
	if s.Pairs < SerialPairs {
		return s
	}
	n := float64(s.Pairs)
	mean := sum / n
	var squares float64
	for _, t := range totals {
		d := t.sum - mean*t.n
		squares += d * d
	}
	reach := interval * math.Sqrt(squares) / n
	rho := func(mean float64) float64 {
		c := math.Sin(math.Pi / 2 * max(-1, min(1, mean)))
		return max(-1, min(1, c*c+c*math.Sqrt(c*c+3)))
	}
	s.Rho, s.Low, s.High = rho(mean), rho(mean-reach), rho(mean+reach)
	return s
}
