// Package graph is what a model file holds, in one form for every format: the
// tensors with their shapes and the operations between them, in execution
// order. Readers write it (packages tflite and onnx), package workload turns it
// into layers.
//
// A reader fills the dimensions of operations that multiply, because only it
// knows the file's layout of weights. Operations whose inputs are all constant
// never appear: their outputs are constant tensors.
package graph

import (
	"fmt"

	"apollo/evaluator/number"
)

// Limits that keep a hostile file from costing memory or wrapping a count.
const (
	MaxFile     = 512 << 20 // bytes
	MaxObjects  = 2_000_000 // tables, messages and list entries of a file
	MaxTensors  = 100_000
	MaxNodes    = 100_000
	MaxRank     = 8
	MaxDim      = 1<<31 - 1
	MaxElements = 1 << 40 // of one tensor
	MaxFolded   = 256     // elements of an integer array that is computed while reading
	MaxName     = 200     // bytes kept of a name
)

// Graph is a model.
type Graph struct {
	// Format is "tflite" or "onnx".
	Format string
	// ChannelsFirst says that a tensor of rank 4 is N, C, H, W; otherwise it is
	// N, H, W, C.
	ChannelsFirst bool
	// Tensors are all tensors; everything else names them by index.
	Tensors []Tensor
	// Inputs come from outside: the model's inputs and the states that it
	// keeps from one run to the next. Outputs leave.
	Inputs, Outputs []int
	// Nodes are the operations in execution order.
	Nodes []Node
	// Ops counts the operations in the file, Constants those of them that work
	// on constants only and are no nodes.
	Ops, Constants int
	// Notes tell what a person should know about how the file was read.
	Notes []string
	// stored counts the elements of the formats that the file states.
	stored map[number.Format]int64
}

// State notes that the file has elements of a format.
func (g *Graph) State(f number.Format, elements int64) {
	if g.stored == nil {
		g.stored = map[number.Format]int64{}
	}
	g.stored[f] += max(elements, 1)
}

// NoteCounted notes that the weights or biases of a layer are there only when the
// model runs.
func (g *Graph) NoteCounted(what, of string) {
	g.Notes = append(g.Notes, "the "+what+" of "+of+", computed at run time: they come in as stored ones do, and are no parameters")
}

// Stored returns the constant that one was made from.
func (g *Graph) Stored(t int) int {
	for range g.Tensors {
		if g.Tensors[t].Same == 0 {
			break
		}
		t = g.Tensors[t].Same - 1
	}
	return t
}

// Made notes that a constant is another one, reshaped, turned or rescaled.
func (g *Graph) Made(t, from int) {
	if t >= 0 && from >= 0 && t != from && g.Tensors[t].Const && g.Elements(t) == g.Elements(from) {
		g.Tensors[t].Same = from + 1
	}
}

// Kind returns the kind of numbers that most elements of a width have.
func (g *Graph) Kind(bits int64) number.Kind {
	best := number.Int
	for _, kind := range number.Kinds() {
		if g.stored[number.Format{Kind: kind, Bits: bits}] > g.stored[number.Format{Kind: best, Bits: bits}] {
			best = kind
		}
	}
	return best
}

// Tensor is one tensor.
type Tensor struct {
	Name string
	// Shape has every dimension, in the file's order.
	Shape []int64
	// Bits is the width of an element, 0 where the type has none.
	Bits int64
	// Const says that the values are in the file or follow from it.
	Const bool
	// Same is the constant of as many elements that this one was made from, plus 1; 0
	// for one of its own.
	Same int
}

// Op is the kind of an operation.
type Op int

// The kinds of operations.
const (
	// Opaque moves bytes in a way that is not known.
	Opaque Op = iota
	// Conv, Deconv, Dense, MatMul and RNN multiply; their Dims are set. Dense
	// is a product with constant weights, MatMul one of two activations.
	Conv
	Deconv
	Dense
	MatMul
	RNN
	// Pool slides a window; its Dims are set.
	Pool
	// Reduce, Eltwise, Act, Softmax, Norm and Resize are what package workload
	// calls so.
	Reduce
	Eltwise
	Act
	Softmax
	Norm
	Resize
	// BatchNorm has one scale and one shift per channel.
	BatchNorm
	// Copy moves elements; View renames them.
	Copy
	View
	// Pad surrounds with constants; Spatial says only in height and width.
	Pad
	// Requant changes only the representation of numbers.
	Requant
)

// Node is one operation.
type Node struct {
	// Name and Type are the file's, for messages.
	Name, Type string
	Op         Op
	// Fn refines Op: "add" of Eltwise, "relu" of Act, "avg" of Pool, the cell
	// of RNN, the name of a Copy.
	Fn string
	// In are the tensors read without weights and without parameters such as
	// axes. Out are the tensors written.
	In, Out []int
	Dims    Dims
	// WeightBits is the width of a weight, of operations that have weights.
	WeightBits int64
	// Weights is the tensor that they are, plus 1; 0 where nothing else can read it.
	// Recurrent is that of an RNN's states, 0 where Weights has these too, and Biases that of the
	// bias. Of a tensor for each gate it is one of them.
	Weights, Recurrent, Biases int
	// Part is which part of these tensors the operation has, where several share them.
	Part int64
	// Act is the activation that the file has fused already.
	Act string
	// Bias says that there is one bias per output channel.
	Bias bool
	// Const counts constant elements beside In, where the operation has no
	// weights by its kind.
	Const int64
	// Idle counts weights of a Dense that are stored and not read in a run.
	Idle int64
	// ScaleBytes is what comes in with the weights of a Dense beside them.
	ScaleBytes int64
	// Spatial belongs to Pad.
	Spatial bool
	// Fused says that the output need not become a tensor outside the chip: the
	// one operation that reads it takes it tile by tile.
	Fused bool
	// Inexact says in words what the model of this operation leaves out.
	Inexact string
}

// Present returns the tensors of an operation that are there: an optional one that
// the file leaves out is negative.
func Present(tensors []int) []int {
	var out []int
	for _, t := range tensors {
		if t >= 0 {
			out = append(out, t)
		}
	}
	return out
}

// Dims are the dimensions of an operation, in the meaning of package
// workload's Layer.
type Dims struct {
	N, M, K, C, P, Q, R, S, H, W, Groups int64
	Stride, Dilation                     [2]int64
}

// Elements returns the product of a shape that CheckShape has accepted.
func Elements(shape []int64) int64 {
	n := int64(1)
	for _, d := range shape {
		n *= d
	}
	return n
}

// CheckShape reports a shape outside the limits.
func CheckShape(shape []int64) error {
	if len(shape) > MaxRank {
		return fmt.Errorf("rank %d, the limit is %d", len(shape), MaxRank)
	}
	n := int64(1)
	for _, d := range shape {
		if d < 0 || d > MaxDim {
			return fmt.Errorf("shape %v has the dimension %d, want 0 to %d", shape, d, int64(MaxDim))
		}
		if d > 0 && n > MaxElements/d {
			return fmt.Errorf("shape %v has more than 2^40 elements", shape)
		}
		n *= d
	}
	return nil
}

// Clip shortens a name to what is kept of it.
func Clip[T ~string | ~[]byte](name T) string {
	if len(name) > MaxName {
		return string(name[:MaxName])
	}
	return string(name)
}

// AllConst reports whether every tensor of in is constant; an absent one (-1)
// is.
func (g *Graph) AllConst(in []int) bool {
	for _, t := range in {
		if t >= 0 && !g.Tensors[t].Const {
			return false
		}
	}
	return true
}

// Shape returns the shape of a tensor.
func (g *Graph) Shape(t int) []int64 { return g.Tensors[t].Shape }

// Elements returns the number of elements of a tensor.
func (g *Graph) Elements(t int) int64 { return Elements(g.Tensors[t].Shape) }
