// Package lower turns the layers of a workload into the loop nests that the
// cost model evaluates.
package lower

import (
	"fmt"

	"apollo/evaluator/model"
	"apollo/evaluator/workload"
)

// maxDim bounds every dimension of a layer and maxMACs its work, so that no
// count of the model overflows.
const (
	maxDim  = 1 << 24
	maxMACs = 1 << 46
)

// Problem translates a layer into loops; layers without multiplications get
// one iteration. The error names a dimension that is out of range.
func Problem(l *workload.Layer, bits workload.Precision) (model.Problem, error) {
	bits = bits.WithDefaults()
	p := model.Problem{
		Bound:  [model.Dims]int64{1, 1, 1, 1, 1, 1, 1, 1},
		Stride: [2]int64{1, 1}, Dilation: [2]int64{1, 1},
		PartialBytes: bytesFor(bits.Accumulators),
	}
	weights, activations, _ := l.Formats(bits)
	p.Bytes = [model.Operands]int64{bytesFor(l.WidthOfWeights(bits)), bytesFor(activations.Bits), bytesFor(l.OutputFormat(bits).Bits)}
	p.PartialBytes = max(p.PartialBytes, p.Bytes[model.Outputs]) // a sum holds what becomes of it
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
		// Products that share their second operand are one with more rows.
		shared := max(l.Shared, 1)
		b[model.G], b[model.P], b[model.K], b[model.C] = l.N/shared, l.M*shared, l.K, l.C
		p.Bytes[model.Weights] = bytesFor(weights.Bits)
	case workload.RNN:
		// The gates are output channels; input and state are input channels.
		step := workload.Layer{Op: l.Op, Fn: l.Fn, N: 1, M: 1, K: l.K, C: l.C}
		b[model.N], b[model.C] = l.N*l.M, l.C+l.K
		b[model.K] = step.MACs() / max(b[model.C], 1)
	}
	p.Fused = [model.Operands]bool{model.Weights: l.FusedIn[1], model.Inputs: l.FusedIn[0], model.Outputs: l.Fused}
	return p, check(l, b)
}

// check refuses loops whose counts could overflow.
func check(l *workload.Layer, bound *[model.Dims]int64) error {
	macs := int64(1)
	for d, n := range bound {
		if n < 1 || n > maxDim || macs > maxMACs/n {
			return fmt.Errorf("layer %s: dimension %s is %d: want 1 to %d and at most 2^46 MACs in a layer", l.ID, model.Dim(d), n, maxDim)
		}
		macs *= n
	}
	return nil
}

// Packed is Problem with sizes in the unit in which elements of few bits lie side
// by side: of which there are perByte in a byte, 1 or, where a tensor has elements
// of four bits or less, 2.
func Packed(l *workload.Layer, bits workload.Precision) (p model.Problem, perByte int64, err error) {
	if p, err = Problem(l, bits); err != nil {
		return p, 1, err
	}
	weights, activations, _ := l.Formats(bits)
	out := l.OutputFormat(bits).Bits
	if min(weights.Bits, activations.Bits, out) > halfByte {
		return p, 1, nil
	}
	p.PartialBytes *= 2
	for o, width := range [model.Operands]int64{weights.Bits, activations.Bits, out} {
		p.Bytes[o] = HalfBytes(width)
	}
	return p, 2, nil
}

// halfByte is the least width that memories hold elements of, in bits.
const halfByte = 4

// HalfBytes returns the half bytes that an element takes: elements of more than
// four bits are in whole bytes.
func HalfBytes(bits int64) int64 {
	if bits <= halfByte {
		return 1
	}
	return 2 * bytesFor(bits)
}

func bytesFor(bits int64) int64 { return max(model.CeilDiv(bits, 8), 1) }

// Beside returns the bytes of a layer's tensors that its loops do not know, in
// words of wordBits where elements take one, by the operand that they are of: biases
// and scales, which come in with the filters, the outputs of a transposed convolution
// beyond the positions of its input, and the state of an LSTM's cells beside the state
// that its products read. Less than none are the inputs that loops bring and that are
// padding.
func Beside(l *workload.Layer, bits workload.Precision, wordBits int64) (bytes [model.Operands]int64) {
	bits = bits.WithDefaults()
	size := func(elements, width int64) int64 {
		return model.CeilDiv(elements*HalfBytes(max(width, wordBits)), 2)
	}
	bytes[model.Weights] = size(l.BiasElements(), bits.Accumulators) + l.ScaleBytes
	_, activations, _ := l.Formats(bits)
	switch {
	case l.Op == workload.Deconv && !l.Fused:
		bytes[model.Outputs] = size(max(l.OutputElements()-l.N*l.H*l.W*l.K, 0), l.OutputFormat(bits).Bits)
	case l.Op == workload.RNN && l.Fn == "lstm" && len(l.In) > 2 && l.InElements >= l.N*(l.M*l.C+2*l.K):
		bytes[model.Inputs] = size(l.N*l.K, bits.Activations)
	}
	if padding := padding(l); padding > 0 {
		bytes[model.Inputs] = -padding * HalfBytes(max(activations.Bits, wordBits)) / 2
	}
	return bytes
}

// padding returns how many of the inputs under a layer's windows are not there: no
// fewer than the loops bring once, and none where windows leave holes.
func padding(l *workload.Layer) int64 {
	under, there := l.N*l.C*max(l.Groups, 1), l.N*l.C*max(l.Groups, 1)
	for _, d := range [...]struct{ out, window, in, stride, dilation int64 }{
		{l.P, l.R, l.H, l.Stride[0], l.Dilation[0]}, {l.Q, l.S, l.W, l.Stride[1], l.Dilation[1]},
	} {
		stride, dilation := max(d.stride, 1), max(d.dilation, 1)
		switch l.Op {
		case workload.Deconv: // loops go over positions of the input, and meet every tap in each
			d.out, stride, dilation = d.in, 1, 1
		case workload.Conv, workload.GroupConv, workload.DepthwiseConv:
		default:
			return 0
		}
		if d.in < 1 || dilation > 1 && stride > 1 {
			return 0
		}
		n := min((d.out-1)*stride+(d.window-1)*dilation+1, d.out*d.window)
		under, there = under*n, there*min(n, d.in)
	}
	return under - there
}
