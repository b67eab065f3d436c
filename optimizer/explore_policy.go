package optimizer

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"apollo/optimizer/space"
)

// Policy ranks the frontier of a walk: designs that were not tried, by how likely they fall
// into a cell of behaviour that no trial fell into. It is a perceptron with one hidden
// layer on numbers that name no parameter and have no unit, so that what it learned on some templates
// and networks can be used on others. Lessons make one.
type Policy struct {
	Schema string `json:"schema"`
	// Mean and Scale centre the features, and make their deviation 1.
	Mean  []float64 `json:"mean"`
	Scale []float64 `json:"scale"`
	// Hidden holds the weights of each hidden unit, its bias last; Output those of the
	// hidden units, and a bias.
	Hidden [][]float64 `json:"hidden"`
	Output []float64   `json:"output"`
}

// PolicySchema names the features and the form of a Policy.
const PolicySchema = "apollo.policy/v1"

// The features of a design of the frontier: of the designs next to it that were tried, which
// differ in one parameter, and of the ones nearest to it.
const (
	fAlone     = iota // none is next to it
	fNext             // log of how many are
	fUnvisited        // part of the designs next to it that were not tried
	fVisits           // log of the trials of the rarest cell next to it
	fYield            // of the designs next to one of those, the part that opened a cell; the most
	fOpened           // part of them that opened a cell
	fDepth            // log of the fewest edges to a design that had none next to it
	fAge              // part of the trials since the latest
	fParameter        // part of the edges along the same parameter that led to a new cell; the most
	fKind             // part of the last designs with, or without, one next to them that opened a cell
	fMove             // the shortest edge
	fDistance         // to the nearest
	fFeasible         // part of the nearest that were measured
	fNear             // log of the trials of the nearest's cell
	fMean             // the same, mean of the nearest
	fPredicted        // log of the trials of the cell of their mean objectives
	fSpread           // of their objectives, in bins
	fCells            // cells of the nearest over their number
	fTime             // log of the trials
	policyFeatures
)

// policyHidden is the number of hidden units of what Lessons make; chosen.
const policyHidden = 12

func (p *Policy) validate() error {
	switch {
	case p.Schema != PolicySchema:
		return fmt.Errorf("its schema is %q, but must be %q", p.Schema, PolicySchema)
	case len(p.Mean) != policyFeatures || len(p.Scale) != policyFeatures:
		return fmt.Errorf("it has %d means and %d scales, but must have %d of each", len(p.Mean), len(p.Scale), policyFeatures)
	case len(p.Hidden) < 1 || len(p.Hidden) > 1000 || len(p.Output) != len(p.Hidden)+1:
		return fmt.Errorf("it has %d hidden units and %d output weights, but must have 1 to 1000 units and one weight more", len(p.Hidden), len(p.Output))
	}
	for k, w := range p.Hidden {
		if len(w) != policyFeatures+1 {
			return fmt.Errorf("hidden unit %d has %d weights, but must have %d", k, len(w), policyFeatures+1)
		}
	}
	if z := p.rank(make([]float64, policyFeatures)); !finite(z) {
		return errors.New("its weights are too large")
	}
	return nil
}

// rank is the log-odds of a new cell.
func (p *Policy) rank(x []float64) float64 {
	sum := p.Output[len(p.Hidden)]
	for k, w := range p.Hidden {
		sum += p.Output[k] * p.unit(w, x)
	}
	return sum
}

func (p *Policy) unit(w, x []float64) float64 {
	a := w[len(x)]
	for i, v := range x {
		a += w[i] * (v - p.Mean[i]) * p.Scale[i]
	}
	return math.Tanh(a)
}

// nearestTold is how many of the told designs say what is near; chosen.
const nearestTold = 5

// frontier is what is known of the graph of designs, for the features of those that were
// not tried. It follows from what was told alone.
type frontier struct {
	free   []int
	ranges []float64 // levels of free less 1
	labels []bool
	degree float64
	units  []float64 // of the nodes, in parts of the ranges, row by row
	nodes  []graphNode
	visits []int        // by cell
	edges  [][2]float64 // by free parameter: those told, those to a design that opened a cell
	kinds  [2]float64   // of designs with one next to them and without
	unit   []float64    // scratch
	x      [policyFeatures]float64
	next   []nextTo // scratch: the nodes next to the design that was described last
}

type graphNode struct {
	cell          int
	opened        bool
	depth         int
	next, opening int // designs next to it, those of them told later that opened a cell
	values, bins  []float64
}

type nextTo struct{ node, parameter int }

// kindShare is what each design counts for in kinds; chosen.
const kindShare = 0.05

func newFrontier(s space.Space) *frontier {
	f := &frontier{kinds: [2]float64{0.5, 0.5}}
	for i := range s.Len() {
		p := s.Param(i)
		if n := p.Len(); n > 1 {
			f.free, f.ranges, f.labels = append(f.free, i), append(f.ranges, float64(n-1)), append(f.labels, p.Categorical())
			f.degree += float64(n - 1)
		}
	}
	f.edges, f.unit = make([][2]float64, len(f.free)), make([]float64, len(f.free))
	return f
}

// tell adds a design that fell into a cell, of which opened says that it is the first.
func (f *frontier) tell(o *Observation, cell int, opened bool, bins float64) {
	f.describe(o.Point, nil, bins, nil)
	one, kind, n := 0.0, 1, graphNode{cell: cell, opened: opened, next: len(f.next), values: slices.Clone(o.Values)}
	if opened {
		one = 1
		f.visits = append(f.visits, 0)
	}
	f.visits[cell]++
	for i, at := range f.next {
		from := &f.nodes[at.node]
		if i == 0 || from.depth+1 < n.depth {
			n.depth = from.depth + 1
		}
		from.next++
		if opened {
			from.opening++
		}
		f.edges[at.parameter][0]++
		f.edges[at.parameter][1] += one
		kind = 0
	}
	f.kinds[kind] += kindShare * (one - f.kinds[kind])
	for _, v := range o.Values {
		n.bins = append(n.bins, binOf(v, bins))
	}
	f.nodes, f.units = append(f.nodes, n), append(f.units, f.unit...)
}

// binOf is where a value lies on the scale of the bins.
func binOf(v, bins float64) float64 {
	if !finite(v) || v == 0 {
		return 0
	}
	return math.Log2(math.Abs(v)) * bins
}

func (f *frontier) setUnit(p space.Point) {
	for k, i := range f.free {
		f.unit[k] = float64(p[i]) / f.ranges[k]
	}
}

// apart returns the distance of unit from another design, in parts of the ranges, a label being one, and
// the parameter in which they differ, or -1 where they do in several.
func (f *frontier) apart(other []float64) (d float64, parameter int) {
	differ := 0
	for k, v := range f.unit {
		if v == other[k] {
			continue
		}
		differ++
		parameter = k
		if f.labels[k] {
			d++
		} else {
			d += math.Abs(v - other[k])
		}
	}
	if differ != 1 {
		parameter = -1
	}
	return d, parameter
}

// describe returns the features of a design that was not tried, until the next call. Of
// others, which are on their way, only the places are known. cells numbers what CellOf names.
func (f *frontier) describe(p space.Point, others []space.Point, bins float64, cells map[string]int) []float64 {
	f.setUnit(p)
	f.next = f.next[:0]
	var near [nearestTold]int
	var far [nearestTold]float64
	count, d := 0, len(f.free)
	for i := range f.nodes {
		v, parameter := f.apart(f.units[i*d : (i+1)*d])
		if parameter >= 0 {
			f.next = append(f.next, nextTo{i, parameter})
		}
		if count == nearestTold && v >= far[count-1] {
			continue
		}
		k := min(count, nearestTold-1)
		count = min(count+1, nearestTold)
		for ; k > 0 && far[k-1] > v; k-- {
			far[k], near[k] = far[k-1], near[k-1]
		}
		far[k], near[k] = v, i
	}
	clear(f.x[:])
	if cells == nil || count == 0 {
		return f.x[:]
	}
	f.describeNext()
	f.describeNear(near[:count], far[:count], bins, cells)
	for _, o := range others {
		mine := f.unit
		f.unit = make([]float64, d)
		f.setUnit(o)
		v, _ := f.apart(mine)
		f.unit, f.x[fDistance] = mine, min(f.x[fDistance], v)
	}
	return f.x[:]
}

func (f *frontier) describeNext() {
	x, t := &f.x, float64(len(f.nodes))
	x[fTime], x[fUnvisited] = math.Log(t), 1
	if len(f.next) == 0 {
		x[fAlone], x[fKind], x[fYield], x[fParameter] = 1, f.kinds[1], f.kinds[0], f.kinds[0]
		return
	}
	const prior = 2 // designs that count as the mean
	first, opened, depth, visits := true, 0.0, 0, 0
	for _, at := range f.next {
		n := &f.nodes[at.node]
		if first || n.depth < depth {
			depth = n.depth
		}
		if first || f.visits[n.cell] < visits {
			visits = f.visits[n.cell]
		}
		move := 1.0
		d := len(f.free)
		if !f.labels[at.parameter] {
			move = math.Abs(f.unit[at.parameter] - f.units[at.node*d+at.parameter])
		}
		if first || move < x[fMove] {
			x[fMove] = move
		}
		if n.opened {
			opened++
		}
		x[fYield] = max(x[fYield], (float64(n.opening)+prior*f.kinds[0])/(float64(n.next)+prior))
		e := &f.edges[at.parameter]
		x[fParameter] = max(x[fParameter], (e[1]+prior*f.kinds[0])/(e[0]+prior))
		x[fAge] = 1 - float64(at.node)/t
		first = false
	}
	n := float64(len(f.next))
	x[fNext], x[fUnvisited], x[fVisits] = math.Log1p(n), 1-n/f.degree, math.Log(float64(visits))
	x[fOpened], x[fDepth], x[fKind] = opened/n, math.Log1p(float64(depth)), f.kinds[0]
}

func (f *frontier) describeNear(near []int, far []float64, bins float64, cells map[string]int) {
	const close = 0.02 // a distance at which a design says all; chosen
	x := &f.x
	var weight, measured float64
	var mean, values []float64
	var different []int
	for k, i := range near {
		n, w := &f.nodes[i], 1/(far[k]+close)
		weight += w
		x[fMean] += w * math.Log(float64(f.visits[n.cell]))
		if !slices.Contains(different, n.cell) {
			different = append(different, n.cell)
		}
		if n.bins == nil {
			continue
		}
		measured += w
		if mean == nil {
			mean, values = make([]float64, len(n.bins)), n.values
		}
		for j, v := range n.bins {
			mean[j] += w * v
		}
	}
	x[fDistance], x[fNear] = far[0], math.Log(float64(f.visits[f.nodes[near[0]].cell]))
	x[fFeasible], x[fMean], x[fCells] = measured/weight, x[fMean]/weight, float64(len(different))/float64(len(near))
	const likely = 0.5
	if mean == nil || measured < likely*weight {
		x[fPredicted] = x[fNear]
		return
	}
	o := Observation{Values: make([]float64, len(mean))}
	for j := range mean {
		mean[j] /= measured
		o.Values[j] = math.Copysign(math.Exp2(mean[j]/bins), values[j])
	}
	if cell, ok := cells[CellOf(o, bins)]; ok {
		x[fPredicted] = 1 + math.Log(float64(f.visits[cell]))
	}
	for k, i := range near {
		for j, v := range f.nodes[i].bins {
			x[fSpread] += math.Abs(v-mean[j]) / (far[k] + close) / measured
		}
	}
	x[fSpread] = math.Log1p(x[fSpread])
}

// PredictedPolicy learned nothing: it goes where the nearest designs predict a cell that few
// trials fell into, of equal ones to the design that is farthest from all. Learned ones are compared with it.
func PredictedPolicy() *Policy {
	p := &Policy{
		Schema: PolicySchema, Mean: make([]float64, policyFeatures), Scale: make([]float64, policyFeatures),
		Hidden: [][]float64{make([]float64, policyFeatures+1)}, Output: []float64{1, 0},
	}
	for i := range p.Scale {
		p.Scale[i] = 1
	}
	// Small, so that the hidden unit does not saturate.
	p.Hidden[0][fPredicted], p.Hidden[0][fDistance] = -0.01, 0.001
	return p
}
