package dashboard

import (
	"math"

	"apollo/services/draw"
)

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
	low, high = bounded(low), bounded(high)
	a := axis{low: low, high: high, from: from, to: to, log: low >= 1/huge && high/low > wide && high/low < huge}
	if draw.Alike(low, high) {
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

// huge bounds what has a place of its own, so that every span and ratio has an end.
const huge = 1e140

func bounded(v float64) float64 { return max(-huge, min(v, huge)) }

func (a *axis) share(v float64) float64 {
	v = bounded(v)
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
func (a *axis) ticks(most int) []float64 {
	if a.log {
		return draw.Decades(a.low, a.high)
	}
	return draw.Ticks(a.low, a.high, most)
}
