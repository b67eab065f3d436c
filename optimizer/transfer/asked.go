package transfer

import (
	"math"

	"apollo/optimizer"
	"apollo/optimizer/space"
	"apollo/optimizer/surrogate"
)

// inputs turns points into the coordinates that models see: those of the
// problem, and two for each source that can be asked, what it says of the value and
// whether it calls the point infeasible.
type inputs struct {
	*surrogate.Encoder
	space space.Space
	asked []*asked
	// known holds what the sources said of a point.
	known map[space.Key][]float64
	// err is the first error of a source: what is made of the coordinates since
	// then means nothing.
	err error
}

// asked is a source that can be asked. Its coordinates stand behind those of the
// sources before it.
type asked struct {
	source int // position in Problem.Prior
	ask    func(space.Point) (optimizer.Observation, error)
	at     int // index of the value's coordinate; the class's is next
	// log: the coordinate is linear in the logarithm of the value.
	log bool
	// low and span scale what the source's observations have to [0, 1].
	low, span float64
	// mean and unit make a label of the value, or of its logarithm.
	mean, unit float64
}

// maxKnown is how many points a search remembers the sources' answers of. Chosen: 10
// MB, and some fifty proposals.
const maxKnown = 1 << 16

func newInputs(p *optimizer.Problem) *inputs {
	in := &inputs{Encoder: surrogate.NewEncoder(p.Space, p.Features), space: p.Space, known: map[space.Key][]float64{}}
	for i := range p.Prior[:min(len(p.Prior), maxSources)] {
		if t := &p.Prior[i]; t.Ask != nil {
			a := &asked{source: i, ask: t.Ask, at: in.Len()}
			a.scale(t.Observations)
			in.asked = append(in.asked, a)
		}
	}
	return in
}

// scale fits the scale to what the source said of a sample.
func (a *asked) scale(sample []optimizer.Observation) {
	var values []float64
	a.log = true
	for _, o := range sample {
		if len(o.Values) > 0 && finite(o.Values[:1]) {
			values = append(values, o.Values[0])
			a.log = a.log && o.Values[0] > 0
		}
	}
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		low, high = min(low, a.raw(v)), max(high, a.raw(v))
	}
	a.low, a.span, a.unit = low, high-low, 1
	if !(a.span > 0) { // a source that says one thing of all designs
		a.span = 1
	}
	if len(values) == 0 {
		a.low = 0
	}
}

func (a *asked) raw(v float64) float64 {
	switch {
	case !a.log:
		return v
	case v > 0:
		return math.Log(v)
	}
	return a.low // no value of the sample is so small
}

// Len returns the number of coordinates.
func (in *inputs) Len() int { return in.Encoder.Len() + 2*len(in.asked) }

// Categorical reports for each coordinate whether it is a category.
func (in *inputs) Categorical() []bool {
	return append(in.Encoder.Categorical(), make([]bool, 2*len(in.asked))...)
}

// Append appends the coordinates of p to dst.
func (in *inputs) Append(dst []float64, p space.Point) []float64 {
	dst = in.Encoder.Append(dst, p)
	if len(in.asked) == 0 {
		return dst
	}
	key := in.space.Key(p)
	said, ok := in.known[key]
	if !ok {
		for _, a := range in.asked {
			o, err := a.ask(p)
			if err != nil && in.err == nil {
				in.err = err
			}
			value, class := a.coordinates(&o)
			said = append(said, value, class)
		}
		if len(in.known) >= maxKnown {
			clear(in.known)
		}
		in.known[key] = said
	}
	return append(dst, said...)
}

// coordinates are what an answer is to models. A design without a value is as bad
// as the worst of the sample.
func (a *asked) coordinates(o *optimizer.Observation) (value, class float64) {
	value = 1
	if len(o.Values) > 0 && finite(o.Values[:1]) {
		value = (a.raw(o.Values[0]) - a.low) / a.span
	}
	if o.Status != optimizer.Measured {
		class = 1
	}
	return value, class
}

// label fits the labels of a source to the values of its table, as scale.labels
// makes them.
func (in *inputs) label(source int, values []float64, log bool) {
	for _, a := range in.asked {
		if a.source != source || len(values) == 0 {
			continue
		}
		raws := make([]float64, len(values))
		for i, v := range values {
			raws[i] = a.raw(v)
		}
		_, a.mean, a.unit = surrogate.Standardize(raws)
		if log {
			a.unit = 1
		}
	}
}

// coordinate is a model that reads its prediction off one coordinate.
type coordinate struct {
	at            int
	factor, shift float64
}

// Predict implements surrogate.Regressor.
func (c coordinate) Predict(x []float64) float64 { return c.factor*x[c.at] + c.shift }

// valueModel predicts labels of values as a source says them.
func (in *inputs) valueModel(source int) surrogate.Regressor {
	for _, a := range in.asked {
		if a.source == source {
			return coordinate{a.at, a.span / a.unit, (a.low - a.mean) / a.unit}
		}
	}
	panic("transfer: no such source can be asked")
}

// classModel predicts labels of feasibility as a source says them.
func (in *inputs) classModel(source int) surrogate.Regressor {
	for _, a := range in.asked {
		if a.source == source {
			return coordinate{a.at + 1, 2, -1}
		}
	}
	panic("transfer: no such source can be asked")
}
