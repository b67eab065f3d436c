package edge

import (
	"fmt"

	"apollo/evaluator/model"
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
	// height and width of the input, and its channels over all groups.
	height, width, depth int64
}

// maxDim bounds every dimension of a layer and maxMACs its work, so that no
// count of the model overflows.
const (
	maxDim  = 1 << 24
	maxMACs = 1 << 46
)

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
	s.p = problem(l, bits)
	b := &s.p.Bound
	macs := int64(1)
	for d, n := range b {
		if n < 1 || n > maxDim || macs > maxMACs/n {
			return s, fmt.Errorf("layer %s: dimension %s is %d: want 1 to %d and at most 2^46 MACs in a layer", l.ID, model.Dim(d), n, maxDim)
		}
		macs *= n
	}
	s.channel = model.K
	if b[model.K] == 1 {
		s.channel = model.G
	}
	s.height, s.width = max(l.H, 1), max(l.W, 1)
	if l.Op == workload.GEMM || l.Op == workload.MatMul || l.Op == workload.RNN {
		s.height, s.width = b[model.P], 1
	}
	s.depth = b[model.G] * b[model.C]
	return s, nil
}

// problem translates a layer into loops; layers without multiplications get
// one iteration.
func problem(l *workload.Layer, bits workload.Precision) model.Problem {
	p := model.Problem{
		Bound:  [model.Dims]int64{1, 1, 1, 1, 1, 1, 1, 1},
		Stride: [2]int64{1, 1}, Dilation: [2]int64{1, 1},
		PartialBytes: bytesFor(bits.Accumulators),
	}
	p.Bytes = [model.Operands]int64{bytesFor(bits.Weights), bytesFor(bits.Activations), bytesFor(bits.Activations)}
	b := &p.Bound
	switch l.Op {
	case workload.Conv, workload.GroupConv, workload.DepthwiseConv:
		b[model.G] = max(l.Groups, 1)
		b[model.N], b[model.K], b[model.C] = l.N, l.K/b[model.G], l.C
		b[model.P], b[model.Q], b[model.R], b[model.S] = l.P, l.Q, l.R, l.S
		for i := range 2 {
			p.Stride[i], p.Dilation[i] = max(l.Stride[i], 1), max(l.Dilation[i], 1)
		}
	case workload.Deconv:
		// Every input position meets every tap once.
		b[model.G] = max(l.Groups, 1)
		b[model.N], b[model.K], b[model.C] = l.N, l.K/b[model.G], l.C
		b[model.P], b[model.Q], b[model.R], b[model.S] = l.H, l.W, l.R, l.S
	case workload.GEMM:
		b[model.P], b[model.K], b[model.C] = l.M, l.K, l.C
	case workload.MatMul:
		b[model.G], b[model.P], b[model.K], b[model.C] = l.N, l.M, l.K, l.C
	case workload.RNN:
		// The gates are output channels; input and state are input channels.
		step := workload.Layer{Op: l.Op, Fn: l.Fn, N: 1, M: 1, K: l.K, C: l.C}
		b[model.N], b[model.C] = l.N*l.M, l.C+l.K
		b[model.K] = step.MACs() / max(b[model.C], 1)
	}
	return p
}

// other is the dimension of output channels that nothing spreads over: groups
// where channel is K, and the other way round.
func (s *shape) other() model.Dim { return model.G + model.K - s.channel }

// groupSteps is the number of steps over the other dimension.
func (s *shape) groupSteps() int64 { return s.p.Bound[s.other()] }

func bytesFor(bits int64) int64 { return max(model.CeilDiv(bits, 8), 1) }
