package dashboard

import "math"

// axis maps values to a stretch of a picture.
type axis struct {
	low, high float64
	log       bool
	from, to  float64 // in the picture
}

// newAxis spans values with some room. It is logarithmic where they differ more
// than a factor, and none is zero or less.
func newAxis(low, high, from, to float64) axis {
	const wide, room = 5, 0.04
	a := axis{low: low, high: high, from: from, to: to, log: low > 0 && high/low > wide}
	if low == high {
		a.low, a.high = low-math.Abs(low)/2-1e-12, high+math.Abs(high)/2+1e-12
		return a
	}
	if a.log {
		f := math.Pow(high/low, room)
		a.low, a.high = low/f, high*f
		return a
	}
	a.low, a.high = low-room*(high-low), high+room*(high-low)
	if low >= 0 && a.low < 0 {
		a.low = 0
	}
	return a
}

func (a *axis) share(v float64) float64 {
	if a.log {
		return math.Log(v/a.low) / math.Log(a.high/a.low)
	}
	return (v - a.low) / (a.high - a.low)
}

// at is the place of a value, to a tenth of a point.
func (a *axis) at(v float64) float64 {
	return math.Round((a.from+(a.to-a.from)*a.share(v))*10) / 10
}

// ticks are round values on the axis, about most of them.
func (a *axis) ticks(most int) (out []float64) {
	if a.log {
		return a.powers()
	}
	rough := (a.high - a.low) / float64(most)
	step := math.Pow(10, math.Floor(math.Log10(rough)))
	for _, m := range []float64{1, 2, 5, 10} {
		if m*step >= rough {
			step *= m
			break
		}
	}
	for k := math.Ceil(a.low / step); k*step <= a.high; k++ {
		out = append(out, k*step)
	}
	return out
}

// powers are the ticks of a logarithmic axis: 1, 2 and 5 of every decade, or the
// decades alone where there are many.
func (a *axis) powers() (out []float64) {
	steps := []float64{1, 2, 5}
	if a.high/a.low > 1e3 {
		steps = steps[:1]
	}
	for e := math.Floor(math.Log10(a.low)); e <= math.Log10(a.high); e++ {
		for _, m := range steps {
			if v := m * math.Pow(10, e); v >= a.low && v <= a.high {
				out = append(out, v)
			}
		}
	}
	return out
}
