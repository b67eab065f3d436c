package lower

import (
	"math"
	"math/bits"

	"apollo/evaluator/model"
	"apollo/evaluator/workload"
)

const bitsPerByte = 8

// width returns the bits that memories hold an element in.
func width(elementBits int64) int64 { return HalfBytes(elementBits) * halfByte }

// Blocks is Packed for blocks of weights of which only some are stored, each with
// the place in its block. One channel of the loops stands for a stored weight: its
// inputs are those of a block shared by the weights that are kept of it, since
// another output channel keeps others.
func Blocks(l *workload.Layer, p workload.Precision) (q model.Problem, perByte int64, err error) {
	s := l.Sparsity(p)
	if q, err = Problem(l, p); err != nil {
		return q, 1, err
	}
	weights, activations, _ := l.Formats(p)
	q.Bound[model.C] = s.Kept(q.Bound[model.C])
	place := int64(bits.Len64(uint64(s.Of - 1)))
	q.Bytes[model.Weights] = (width(weights.Bits) + place) * s.Keep
	q.Bytes[model.Inputs] = width(activations.Bits) * s.Of
	q.Bytes[model.Outputs] = width(l.OutputFormat(p).Bits) * s.Keep
	q.PartialBytes *= bitsPerByte * s.Keep
	return q, bitsPerByte * s.Keep, nil
}

// Masked is Packed for weights of which those that are not zero are stored, with
// a bit for each; dense where that takes less.
func Masked(l *workload.Layer, p workload.Precision) (q model.Problem, perByte int64, err error) {
	const fine = 16 // parts of a bit
	if q, err = Problem(l, p); err != nil {
		return q, 1, err
	}
	weights, activations, _ := l.Formats(p)
	dense := width(weights.Bits) * fine
	stored := int64(math.Ceil((l.Sparsity(p).Density*float64(width(weights.Bits)) + 1) * fine))
	q.Bytes[model.Weights] = min(dense, stored)
	q.Bytes[model.Inputs] = width(activations.Bits) * fine
	q.Bytes[model.Outputs] = width(l.OutputFormat(p).Bits) * fine
	q.PartialBytes *= bitsPerByte * fine
	return q, bitsPerByte * fine, nil
}
