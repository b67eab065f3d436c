package surrogate

import (
	"math/rand/v2"
	"slices"

	"apollo/optimizer/space"
)

// Encoder turns points of a space into coordinates for models: an ordinal
// parameter into its level scaled to [0, 1], a categorical one into its level
// number, derived features into [0, 1] over the range of a sample.
type Encoder struct {
	levels      []float64 // 1/(levels-1) of ordinal parameters; 1 for categorical ones
	categorical []bool
	features    func(space.Point) []float64
	low, scale  []float64 // of each feature
}

// featureSample is how many points spread over the index range give the range
// of the features. Chosen: their extremes need not be met exactly.
const featureSample = 512

// NewEncoder returns the encoder of a space. features may be nil; else it is
// called for points of the space and returns the same number of values every
// time. A value that is not finite counts as the low end of its range.
func NewEncoder(s space.Space, features func(space.Point) []float64) *Encoder {
	e := &Encoder{features: features}
	for _, p := range s.Params() {
		scale := 1.0
		if !p.Categorical() && p.Len() > 1 {
			scale = 1 / float64(p.Len()-1)
		}
		e.levels = append(e.levels, scale)
		e.categorical = append(e.categorical, p.Categorical())
	}
	if features != nil {
		e.scaleFeatures(s)
	}
	return e
}

func (e *Encoder) scaleFeatures(s space.Space) {
	var high []float64
	size := s.Size()
	rng := rand.New(rand.NewPCG(0, 0)) // for points without an index
	var p space.Point
	// A stride by the golden ratio spreads evenly over every parameter.
	stride := max(1, uint64(float64(size)*0.6180339887498949))
	if size <= featureSample {
		stride = 1
	}
	index := uint64(0)
	for range min(featureSample, size) {
		if p = p[:0]; s.Countable() {
			p = s.AtInto(p, index)
		} else {
			p = s.Draw(p, rng)
		}
		for k, v := range e.features(p) {
			if !finite(v) {
				continue
			}
			for len(e.low) <= k {
				e.low, high = append(e.low, v), append(high, v)
			}
			e.low[k], high[k] = min(e.low[k], v), max(high[k], v)
		}
		// Below 2^63 points the sum does not overflow; above, nobody reads it.
		index = (index + stride) % size
	}
	for k, low := range e.low {
		scale := 0.0
		if span := high[k] - low; span > 0 && finite(span) {
			scale = 1 / span
		}
		e.scale = append(e.scale, scale)
		e.categorical = append(e.categorical, false)
	}
}

// Len returns the number of coordinates.
func (e *Encoder) Len() int { return len(e.categorical) }

// Categorical reports for each coordinate whether it is a category. The slice
// is the caller's.
func (e *Encoder) Categorical() []bool { return slices.Clone(e.categorical) }

// Append appends the coordinates of p to dst.
func (e *Encoder) Append(dst []float64, p space.Point) []float64 {
	for i, level := range p {
		dst = append(dst, float64(level)*e.levels[i])
	}
	if e.features == nil {
		return dst
	}
	values := e.features(p)
	for k := range e.low {
		v := 0.0
		if k < len(values) && finite(values[k]) {
			v = (values[k] - e.low[k]) * e.scale[k]
		}
		dst = append(dst, v)
	}
	return dst
}
