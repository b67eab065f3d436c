package suite

import (
	"context"
	"fmt"
	"math"

	"apollo/events"
	"apollo/lab/bench"
	"apollo/optimizer/pareto"
	"apollo/optimizer/space"
)

// many is a problem with three or four objectives whose front on the lattice is
// known: it lies where the parameters after the first ones have one level each.
type many struct {
	name, family string
	objectives   int
	params       []space.Param
	of           func(x []float64) []float64
	// along is how many parameters run along the front, rest the value of each
	// of the others on it.
	along int
	rest  func(i int) float64
	// outside is how far beyond a limit of 1 a front's design is, relative to it;
	// nil where there is no constraint.
	outside func(f []float64) float64
	// holes: not all designs along the front are on it.
	holes bool
}

// manyDims parameters of otherLevels levels: as in the literature for three
// objectives.
const manyDims = 12

func manies() []many {
	half := func(int) float64 { return 0.5 }
	zero := func(int) float64 { return 0 }
	off := func(int) float64 { return offCentre }
	constrained := func(int) float64 { return constrainedCentre }
	centre := func(i int) float64 { return wfgCentre * 2 * float64(i+1) }
	return []many{
		{name: "dtlz2-3", family: "dtlz", objectives: 3, params: unitParams(), of: dtlz2Of(3, squaresAbout(0.5)), along: 2, rest: half},
		{name: "dtlz2-4", family: "dtlz", objectives: 4, params: unitParams(), of: dtlz2Of(4, squaresAbout(0.5)), along: 3, rest: half},
		{name: "dtlz2-mean-3", family: "dtlz-mean", objectives: 3, params: unitParams(), of: dtlz2Of(3, meanSquares(0.5)), along: 2, rest: half},
		{name: "dtlz2-off-3", family: "dtlz-mean", objectives: 3, params: unitParams(), of: dtlz2Of(3, meanSquares(offCentre)), along: 2, rest: off},
		{name: "c2-dtlz2-off-3", family: "dtlz-apart", objectives: 3, params: unitParams(), of: dtlz2Of(3, squaresAbout(constrainedCentre)), along: 2, rest: constrained, outside: c2Outside},
		{name: "dtlz7-off-3", family: "dtlz-apart", objectives: 3, params: unitParams(), of: dtlz7Of(3, meanAbout), along: 2, rest: off, holes: true},
		{name: "dtlz7-3", family: "dtlz", objectives: 3, params: unitParams(), of: dtlz7Of(3, mean), along: 2, rest: zero, holes: true},
		{name: "c2-dtlz2-3", family: "dtlz", objectives: 3, params: unitParams(), of: dtlz2Of(3, squaresAbout(0.5)), along: 2, rest: half, outside: c2Outside},
		{name: "wfg4-3", family: "wfg", objectives: 3, params: wfgParams(), of: wfg4Of(3, 2), along: 4, rest: centre},
		{name: "wfg4-4", family: "wfg", objectives: 4, params: wfgParams(), of: wfg4Of(4, 1), along: 3, rest: centre},
	}
}

func unitParams() []space.Param {
	var params []space.Param
	for i := range manyDims {
		params = append(params, grid(fmt.Sprintf("x%d", i), 0, 1, otherLevels))
	}
	return params
}

func (p many) task() bench.Task {
	var metrics []events.Metric
	var names []string
	for k := range p.objectives {
		names = append(names, fmt.Sprintf("f%d", k+1))
		metrics = append(metrics, events.Metric{Name: names[k]})
	}
	of := p.of
	if p.outside != nil {
		metrics = append(metrics, events.Metric{Name: "outside"})
		of = func(x []float64) []float64 { f := p.of(x); return append(f, 1+p.outside(f)) }
	}
	spec := declared("multi", p.params, metrics, names...)
	if p.outside != nil {
		spec.Constraints = []events.Constraint{atMost("outside", 1)}
	}
	return bench.Task{
		Name: p.name, Family: p.family, Split: split(p.family, "zdt", "wfg", "dtlz-mean", "dtlz-apart"), Spec: spec, Evaluator: closedForm{of},
		Known: func(context.Context) (bench.Known, error) { return p.known(), nil },
	}
}

// known is the volume of the lattice's front, from a corner that lies a tenth of
// the front's range behind it: 1.1 in each objective of DTLZ2.
func (p many) known() bench.Known {
	points := p.front()
	reference, best := pareto.Nadir(points), make([]float64, p.objectives)
	for k := range best {
		best[k] = reference[k]
		for _, f := range points {
			best[k] = min(best[k], f[k])
		}
		reference[k] += margin * (reference[k] - best[k])
	}
	return bench.Known{Volume: pareto.Hypervolume(points, reference), Reference: reference, Proven: true, Source: "closed form"}
}

// front is the front, of which points may come twice.
func (p many) front() [][]float64 {
	x := make([]float64, len(p.params))
	for i := p.along; i < len(x); i++ {
		x[i] = p.rest(i)
	}
	var points [][]float64
	var vary func(i int)
	vary = func(i int) {
		if i == p.along {
			if f := p.of(x); p.outside == nil || p.outside(f) <= 0 {
				points = append(points, f)
			}
			return
		}
		for _, v := range p.params[i].Values {
			x[i] = v
			vary(i + 1)
		}
	}
	vary(0)
	if !p.holes {
		return points
	}
	var out [][]float64
	for _, i := range pareto.Front(points) {
		out = append(out, points[i])
	}
	return out
}

// dtlz2Of is DTLZ2 (see dtlz) with m objectives: the first m−1 parameters are the
// angles of a point on a sphere, whose radius is 1 and the distance that the others
// make: squares about a half for DTLZ2 itself.
func dtlz2Of(m int, distance func(rest []float64) float64) func(x []float64) []float64 {
	return func(x []float64) []float64 {
		radius := 1 + distance(x[m-1:])
		f := make([]float64, m)
		for k := range f {
			f[k] = radius
			for i := range m - 1 - k {
				f[k] *= math.Cos(x[i] * math.Pi / 2)
			}
			if k > 0 {
				f[k] *= math.Sin(x[m-1-k] * math.Pi / 2)
			}
		}
		return f
	}
}

func squaresAbout(centre float64) func(rest []float64) float64 {
	return func(rest []float64) (sum float64) {
		for _, v := range rest {
			sum += (v - centre) * (v - centre)
		}
		return sum
	}
}

// constrainedCentre is nearer to the middle than offCentre: a search meets designs that
// keep C2-DTLZ2's constraint.
const constrainedCentre = 0.4

// offCentre is a level of unitParams that is not in the middle, where a search without
// a baseline begins: on the front of DTLZ2.
const offCentre = 0.3

// meanSquares makes an easier DTLZ2, for development: radii are up to 1.25, or 1.49 with
// offCentre, where those of DTLZ2 are up to 3.5.
func meanSquares(centre float64) func(rest []float64) float64 {
	return func(rest []float64) (mean float64) {
		for _, v := range rest {
			mean += (v - centre) * (v - centre) / float64(len(rest))
		}
		return mean
	}
}

// dtlz7Of is DTLZ7 with m objectives: the first m−1 are the parameters, and the
// front consists of 2^(m−1) parts. distance is that of the other parameters, mean for
// DTLZ7 itself.
func dtlz7Of(m int, distance func(rest []float64) float64) func(x []float64) []float64 {
	return func(x []float64) []float64 {
		g := 1 + 9*distance(x[m-1:])
		f := append([]float64(nil), x[:m-1]...)
		h := float64(m)
		for _, v := range f {
			h -= v / (1 + g) * (1 + math.Sin(3*math.Pi*v))
		}
		return append(f, (1+g)*h)
	}
}

func mean(rest []float64) float64 { return sum(rest) / float64(len(rest)) }

// meanAbout makes a DTLZ7 of another scale whose front is not at an end of the parameters.
func meanAbout(rest []float64) (mean float64) {
	for _, v := range rest {
		mean += math.Abs(v-offCentre) / float64(len(rest))
	}
	return mean
}

// c2Outside is the constraint of C2-DTLZ2 (H. Jain, K. Deb, An Evolutionary
// Many-Objective Optimization Algorithm Using Reference-Point Based
// Nondominated Sorting Approach, Part II, IEEE Trans. Evolutionary Computation
// 18, 2014): designs must lie in a ball about an end of the front or about its
// middle.
func c2Outside(f []float64) float64 {
	const radius = 0.4 // with three objectives
	var squares, fromMiddle float64
	for _, v := range f {
		squares += v * v
		d := v - 1/math.Sqrt(float64(len(f)))
		fromMiddle += d * d
	}
	nearest := fromMiddle
	for _, v := range f {
		nearest = min(nearest, squares-v*v+(v-1)*(v-1))
	}
	return nearest - radius*radius
}

// wfgCentre is where the parameters after the first ones are best, as a share
// of their range.
const wfgCentre = 0.35

// wfgParams are from 0 to 2, 4, 6, …
func wfgParams() []space.Param {
	var params []space.Param
	for i := range manyDims {
		params = append(params, grid(fmt.Sprintf("z%d", i), 0, 2*float64(i+1), otherLevels))
	}
	return params
}

// wfg4Of is WFG4 (S. Huband, P. Hingston, L. Barone, L. While, A Review of
// Multiobjective Test Problems and a Scalable Test Problem Toolkit, IEEE Trans.
// Evolutionary Computation 10, 2006): every parameter has many local optima. Of
// m objectives, group parameters run along each of the front's m−1 directions.
func wfg4Of(m, group int) func(z []float64) []float64 {
	return func(z []float64) []float64 {
		t := make([]float64, len(z))
		for i, v := range z {
			t[i] = wfgMultimodal(v / (2 * float64(i+1)))
		}
		along := group * (m - 1)
		x := make([]float64, m)
		for k := range m - 1 {
			x[k] = sum(t[k*group:(k+1)*group]) / float64(group)
		}
		x[m-1] = sum(t[along:]) / float64(len(t)-along)
		f := make([]float64, m)
		for k := range f {
			shape := 1.0
			for i := range m - 1 - k {
				shape *= math.Sin(x[i] * math.Pi / 2)
			}
			if k > 0 {
				shape *= math.Cos(x[m-1-k] * math.Pi / 2)
			}
			f[k] = x[m-1] + 2*float64(k+1)*shape
		}
		return f
	}
}

// wfgMultimodal is s_multi(y, 30, 10, 0.35) of the toolkit.
func wfgMultimodal(y float64) float64 {
	const a, b = 30, 10
	u := math.Abs(y-wfgCentre) / (2 * (math.Floor(wfgCentre-y) + wfgCentre))
	return (1 + math.Cos((4*a+2)*math.Pi*(0.5-u)) + 4*b*u*u) / (b + 2)
}
