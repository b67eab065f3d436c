package edge

import (
	"apollo/evaluator/lower"
	"apollo/evaluator/model"
	"apollo/evaluator/number"
	"apollo/evaluator/tech"
	"apollo/evaluator/workload"
)

// shape is what the cost of a layer depends on. Layers of equal shape are
// mapped once.
type shape struct {
	// vector layers have no multiplications: ops elements are computed by the
	// lanes, one per lane and cycle.
	vector bool
	ops    int64
	p      model.Problem
	// channel is the dimension of output channels that lanes, cores and mesh
	// may spread: groups where each has one output channel, else K.
	channel model.Dim
	// Sizes in bytes: input and output activations, and weights with bias.
	in, out, weights int64
	// aside is the part of in that goes the way of weights: the second operand of
	// a product of activations.
	aside int64
	// idle is the most that waits beside a layer of this shape, in bytes.
	idle int64
	// height and width of the input, and its channels over all groups.
	height, width, depth int64
	// What every mapping needs of the loops: macs is their product and outputs
	// the number of outputs; simd multipliers of a lane take input channels in
	// cSteps steps; fixedSteps is the steps that nothing spreads: images, the
	// other dimension of channels, input channels and the filter window.
	macs, outputs, simd, cSteps, fixedSteps int64
	// filters is the bytes of weights without bias; window those of one lane
	// for one step over channels and input channels, where multipliers without
	// an input channel hold padding.
	filters, window int64
	// work is what the multipliers do, and energy what that takes; halves are the half bytes of an element of
	// each operand.
	work   tech.Work
	energy tech.Effort
	halves [model.Operands]int64
}

// size returns the bytes of so many elements of an operand, which lie side by
// side.
func (s *shape) size(o model.Operand, elements int64) int64 {
	return (elements*s.halves[o] + 1) / 2
}

// newShape returns the shape of a layer.
func newShape(l *workload.Layer, bits workload.Precision) (shape, error) {
	bits = bits.WithDefaults()
	s := shape{
		in: l.InputBytes(bits), out: l.OutputBytes(bits), weights: l.WeightBytes(bits),
		vector: !l.Op.HasMACs(),
	}
	if s.vector {
		s.ops = max(l.InputElements(), l.OutputElements())
		if l.Op == workload.Pool {
			s.ops = l.OutputElements() * max(l.R, 1) * max(l.S, 1)
		}
	}
	var err error
	if s.p, err = lower.Problem(l, bits); err != nil {
		return s, err
	}
	s.work.Weights, s.work.Activations, s.work.Sums = l.Formats(bits)
	s.energy = s.work.Energy()
	for o, f := range [model.Operands]number.Format{s.work.Weights, s.work.Activations, l.OutputFormat(bits)} {
		s.halves[o] = lower.HalfBytes(f.Bits)
	}
	b := &s.p.Bound
	s.channel = model.K
	if b[model.K] == 1 {
		s.channel = model.G
	}
	s.height, s.width = max(l.H, 1), max(l.W, 1)
	if l.Op == workload.GEMM || l.Op == workload.MatMul || l.Op == workload.RNN {
		s.height, s.width = b[model.P], 1
	}
	if l.Op == workload.MatMul {
		s.aside = min(s.size(model.Inputs, s.p.Elements(model.Weights, b)), s.in)
	}
	s.depth = b[model.G] * b[model.C]
	s.macs = s.p.MACs()
	s.outputs = s.p.Elements(model.Outputs, b)
	s.simd = min(simdWidth, b[model.C])
	s.cSteps = model.CeilDiv(b[model.C], s.simd)
	s.filters = s.size(model.Weights, s.p.Elements(model.Weights, b))
	s.window = s.size(model.Weights, simdWidth*b[model.R]*b[model.S])
	s.fixedSteps = b[model.N] * s.groupSteps() * s.cSteps * b[model.R] * b[model.S]
	return s, nil
}

// other is the dimension of output channels that nothing spreads over: groups
// where channel is K, and the other way round.
func (s *shape) other() model.Dim { return model.G + model.K - s.channel }

// groupSteps is the number of steps over the other dimension.
func (s *shape) groupSteps() int64 { return s.p.Bound[s.other()] }

// fewestSteps is the least number of steps of lanes over output channels.
func (s *shape) fewestSteps(lanes int64) int64 {
	if s.vector {
		return 1
	}
	return model.CeilDiv(s.p.Bound[s.channel], lanes) * s.groupSteps()
}
