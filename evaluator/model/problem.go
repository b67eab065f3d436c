package model

// Dim is a loop dimension of a problem.
type Dim uint8

// The dimensions, see the package comment.
const (
	G Dim = iota
	N
	K
	C
	P
	Q
	R
	S
	// Dims is the number of dimensions.
	Dims
)

// String returns the dimension's letter.
func (d Dim) String() string {
	const letters = "GNKCPQRS"
	if d >= Dims {
		return "?"
	}
	return letters[d : d+1]
}

// Operand is one of the three tensors of a problem.
type Operand uint8

// The operands.
const (
	Weights Operand = iota
	Inputs
	Outputs
	// Operands is the number of operands.
	Operands
)

// String returns the operand's name.
func (o Operand) String() string {
	switch o {
	case Weights:
		return "weights"
	case Inputs:
		return "inputs"
	case Outputs:
		return "outputs"
	}
	return "?"
}

// Uses reports whether a dimension indexes the operand.
func (o Operand) Uses(d Dim) bool { return relevant[o][d] }

// relevant tells which dimensions index an operand.
var relevant = [Operands][Dims]bool{
	Weights: {G: true, K: true, C: true, R: true, S: true},
	Inputs:  {G: true, N: true, C: true, P: true, Q: true, R: true, S: true},
	Outputs: {G: true, N: true, K: true, P: true, Q: true},
}

// Relevant reports whether dimension d indexes operand o: a loop over any other
// dimension reuses the operand.
func Relevant(o Operand, d Dim) bool { return relevant[o][d] }

// irrelevant returns the product over the dimensions that do not index an
// operand: those that relevant leaves out.
func irrelevant(o Operand, v *[Dims]int64) int64 {
	switch o {
	case Weights:
		return v[N] * v[P] * v[Q]
	case Inputs:
		return v[K]
	}
	return v[C] * v[R] * v[S]
}

// Problem is one layer as a loop nest.
type Problem struct {
	// Bound is the number of iterations of each dimension, at least 1.
	Bound [Dims]int64
	// Stride and Dilation are vertical (P, R) and horizontal (Q, S); at least
	// 1.
	Stride, Dilation [2]int64
	// Bytes is the size of one element of each operand in memory. A partial
	// sum has PartialBytes until it is complete.
	Bytes        [Operands]int64
	PartialBytes int64
	// Fused operands come from the layer before, or go to the one behind, tile
	// by tile: they need not cross the chip's border. Mappings and their counts
	// are those of a tensor in memory; who prices a layer takes the transfers out.
	Fused [Operands]bool
}

// FusedBytes returns the bytes of the fused operands, each once.
func (p *Problem) FusedBytes() int64 {
	var n int64
	for o := range Operands {
		if p.Fused[o] {
			n += p.Elements(o, &p.Bound) * p.Bytes[o]
		}
	}
	return n
}

// MACs returns the multiply-accumulates of the problem.
func (p *Problem) MACs() int64 { return product(&p.Bound) }

func product(v *[Dims]int64) int64 {
	n := int64(1)
	for _, x := range v {
		n *= x
	}
	return n
}

// Elements returns the number of elements of an operand of the given extent
// per dimension. Inputs are counted as rows and columns that windows touch;
// rows that a stride skips between windows count, as memories hold them.
func (p *Problem) Elements(o Operand, extent *[Dims]int64) int64 {
	switch o {
	case Weights:
		return extent[G] * extent[K] * extent[C] * extent[R] * extent[S]
	case Outputs:
		return extent[G] * extent[N] * extent[K] * extent[P] * extent[Q]
	}
	return extent[G] * extent[N] * extent[C] *
		p.span(0, extent[P], extent[R]) * p.span(1, extent[Q], extent[S])
}

// span returns the input positions under out output positions of a window of
// size taps, along axis 0 (rows) or 1 (columns).
func (p *Problem) span(axis int, out, taps int64) int64 {
	return (out-1)*p.Stride[axis] + (taps-1)*p.Dilation[axis] + 1
}

// CeilDiv returns a/b rounded up, for positive b.
func CeilDiv(a, b int64) int64 { return (a + b - 1) / b }

// NextParts returns the next larger number of parts of n whose size, rounded up,
// is smaller than that of parts, 0 after n parts: walked from 1 it gives every
// size into which n can be cut evenly, once.
func NextParts(n, parts int64) int64 {
	size := CeilDiv(n, parts)
	if size == 1 {
		return 0
	}
	return CeilDiv(n, size-1)
}
