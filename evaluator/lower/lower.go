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

// Beside returns what a layer's tensors have that its loops do not know, in half
// bytes, in words of wordBits where elements take one, by the operand that they are of:
// biases and scales, which come in with the filters, the outputs of a transposed
// convolution beyond the positions of its input, and the state of an LSTM's cells beside
// the state that its products read. Less than none is what loops move and no tensor
// has: positions whose outputs are cut off, and the sums of a cell's gates, which become
// one output on the chip.
func Beside(l *workload.Layer, bits workload.Precision, wordBits int64) (half [model.Operands]int64) {
	bits = bits.WithDefaults()
	size := func(elements, width int64) int64 { return elements * HalfBytes(max(width, wordBits)) }
	half[model.Weights] = 2*model.CeilDiv(size(l.BiasElements(), bits.Accumulators), 2) + 2*l.ScaleBytes
	switch {
	case l.Op == workload.Deconv && !l.Fused:
		half[model.Outputs] = size(l.OutputElements()-l.N*l.H*l.W*l.K, l.OutputFormat(bits).Bits)
	case l.Op == workload.RNN:
		if gates := l.MACs() / max(l.OutputElements()*(l.C+l.K), 1); !l.Fused {
			half[model.Outputs] = -size((gates-1)*l.OutputElements(), l.OutputFormat(bits).Bits)
		}
		if l.Fn == "lstm" && len(l.In) > 2 && l.InElements >= l.N*(l.M*l.C+2*l.K) {
			half[model.Inputs] = size(l.N*l.K, bits.Activations)
		}
	}
	return half
}

// Padding returns how much of the inputs of a layer that slides a window is not there,
// of all from the first to the last that windows reach, and the least that is there of
// what windows read; both in half bytes, in words of wordBits where elements take one.
func Padding(l *workload.Layer, bits workload.Precision, wordBits int64) (absent, least int64) {
	if !l.Op.Spatial() || l.H < 1 || l.W < 1 {
		return 0, 0
	}
	_, activations, _ := l.Formats(bits.WithDefaults())
	of := l.N * l.C * max(l.Groups, 1) * HalfBytes(max(activations.Bits, wordBits))
	all, there, least := of, of, of
	for i, w := range [...]window{{l.P, l.R, 1, 1, l.H}, {l.Q, l.S, 1, 1, l.W}} {
		if l.Op == workload.Deconv { // loops go over positions of the input, and meet every tap in each
			w.out = w.in
		} else {
			w.stride, w.dilation = max(l.Stride[i], 1), max(l.Dilation[i], 1)
		}
		inside := w.inside()
		all, there, least = all*w.span(), there*inside, least*min(inside, w.out*w.taps)
	}
	return all - there, least
}

// window is how a window goes over the rows or the columns of an image.
type window struct{ out, taps, stride, dilation, in int64 }

// span returns how many rows there are from the first that it reaches to the last.
func (w *window) span() int64 { return (w.out-1)*w.stride + (w.taps-1)*w.dilation + 1 }

// inside returns how many there are from the first that it reads and that is no padding
// to the last. As no layer says where padding is, half of it is at either end.
func (w *window) inside() int64 {
	before := max(w.span()-w.in, 0) / 2
	behind := max(w.span()-w.in-before, 0) // windows are the same from the other end
	return max(w.span()-before-w.unread(before)-behind-w.unread(behind), 0)
}

// unread returns how many rows stand between a row and the first from there on that the window reads.
func (w *window) unread(from int64) int64 {
	first := w.span()
	for tap := range w.taps {
		row := tap * w.dilation
		end := row + w.out*w.stride
		if row >= from {
			first = min(first, row) // and further taps reach farther
			break
		}
		if row += model.CeilDiv(from-row, w.stride) * w.stride; row < end {
			first = min(first, row)
		}
	}
	return first - from
}
