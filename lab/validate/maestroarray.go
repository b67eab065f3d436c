package validate

import "apollo/evaluator/model"

// maestroArray is an array as the tool has it, for dataflows that no template has:
// one bus brings operands to the units, one takes sums away, nothing adds them up
// between the units and the memory, and no window stays in a unit.
type maestroArray struct {
	// order lists the loops from the outermost in.
	order [model.Dims]model.Dim
	// spread is how many units a dimension takes at most, of so many; 0 is one.
	spread func(units int64) [model.Dims]int64
	// stationary says that weights stay in the units, passes that these pass inputs
	// on while a window moves.
	stationary, passes bool
}

// weightsStay is the order of loops under which a weight stays for all pixels.
var weightsStay = [model.Dims]model.Dim{model.G, model.N, model.K, model.C, model.R, model.S, model.P, model.Q}

// channelArray spreads clusters of input channels, an output channel each; layers
// of one input channel and one output channel a group spread their groups.
func channelArray(cluster int64) *maestroArray {
	return &maestroArray{stationary: true, order: weightsStay, spread: func(units int64) [model.Dims]int64 {
		return [model.Dims]int64{model.G: units, model.C: cluster, model.K: units / cluster}
	}}
}

// columnArray spreads output columns, under one weight at a time.
func columnArray() *maestroArray {
	return &maestroArray{stationary: true, order: weightsStay, spread: func(units int64) [model.Dims]int64 {
		return [model.Dims]int64{model.Q: units}
	}}
}

// passingArray spreads input channels and keeps no operand in the units.
func passingArray() *maestroArray {
	return &maestroArray{
		order: [model.Dims]model.Dim{model.N, model.K, model.P, model.Q, model.R, model.S, model.C, model.G},
		spread: func(units int64) [model.Dims]int64 {
			return [model.Dims]int64{model.G: units, model.C: units}
		},
	}
}

// pixelArray spreads rows of clusters of so many columns; a unit adds up one output.
func pixelArray(columns int64) *maestroArray {
	return &maestroArray{
		passes: true,
		order:  [model.Dims]model.Dim{model.G, model.N, model.K, model.P, model.Q, model.C, model.R, model.S},
		spread: func(units int64) [model.Dims]int64 {
			return [model.Dims]int64{model.P: units / columns, model.Q: columns}
		},
	}
}

// loops spreads a layer over the units; what is left is one loop a dimension. The
// tool has no short tiles: bounds are brought to whole ones.
func (a *maestroArray) loops(p *model.Problem, units int64) (whole model.Problem, l model.Loops) {
	whole, l = *p, model.Ones()
	l.Order = a.order
	most := a.spread(units)
	for d := range model.Dims {
		l.Spatial[d] = min(max(most[d], 1), p.Bound[d])
		l.Temporal[d] = model.CeilDiv(p.Bound[d], l.Spatial[d])
		whole.Bound[d] = l.Spatial[d] * l.Temporal[d]
	}
	return whole, l
}

// cycles costs a layer on so many units, whose buses take rate elements a cycle.
func (a *maestroArray) cycles(p *model.Problem, units int64, rate float64) int64 {
	const milli = 1e3
	const operands, sums, unit = 0, 1, 2
	bus := int64(rate * milli)
	arch := model.Arch{Levels: unit + 1}
	arch.Level[operands] = model.Level{Name: "operands", DoubleBuffered: true, ReadRate: bus, Fanout: 1}
	arch.Level[operands].Keeps[model.Weights], arch.Level[operands].Keeps[model.Inputs] = true, true
	arch.Level[sums] = model.Level{Name: "sums", DoubleBuffered: true, WriteRate: bus, Fanout: units, Scattered: true}
	arch.Level[sums].Keeps[model.Outputs] = true
	arch.Level[unit] = model.Level{Name: "unit", DoubleBuffered: true, Fanout: 1}
	arch.Level[unit].Keeps = [model.Operands]bool{model.Weights: a.stationary, model.Inputs: a.passes, model.Outputs: true}
	arch.Level[unit].Passes = [model.Dims]bool{model.P: a.passes, model.Q: a.passes, model.R: a.passes, model.S: a.passes}

	whole, l := a.loops(p, units)
	m := model.Mapping{Loops: [model.MaxLevels]model.Loops{model.Ones(), l, model.Ones()}}
	return model.Eval(&whole, &arch, &m).Cycles
}
