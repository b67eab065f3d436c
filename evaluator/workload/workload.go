package workload

import "apollo/evaluator/number"

// schema is the format version that this package reads and writes.
const schema = "apollo.workload/v1"

// Workload is one network: its layers in execution order with the edges
// between them. Builtin and Parse return workloads that are normalised
// (every dimension present) and valid; call Normalise after building one by
// hand. A normalised workload is not modified by any method, so it may be
// shared.
type Workload struct {
	// Schema is Schema.
	Schema string `json:"schema" yaml:"schema"`
	// Name identifies the network to people, for example
	// "mobilenet_v2_1.0_224". It is no part of the identity.
	Name string `json:"name" yaml:"name"`
	// Source says where the table comes from. It is no part of the identity.
	Source Source `json:"source" yaml:"source,omitempty"`
	// Precision holds the bits per element; zero fields mean 8, 8 and 32.
	Precision Precision `json:"precision" yaml:"precision,omitempty"`
	// Inputs are the tensors that come from outside, at least one.
	Inputs []Input `json:"inputs" yaml:"inputs"`
	// Layers are in execution order: a layer reads inputs and earlier layers.
	Layers []Layer `json:"layers" yaml:"layers"`
	// Decode is the second phase of a network that generates tokens; nil for one
	// that runs once.
	Decode *Decode `json:"decode,omitempty" yaml:"decode,omitempty"`
}

// Source says where a workload comes from.
type Source struct {
	// Kind is "generated", "tflite", "onnx" or "hand".
	Kind string `json:"kind" yaml:"kind"`
	// Ref is a paper, a file name or a URL.
	Ref string `json:"ref,omitempty" yaml:"ref,omitempty"`
	// SHA256 is the hex digest of the imported file; "" when there is none.
	SHA256 string `json:"sha256,omitempty" yaml:"sha256,omitempty"`
	// Licence is the licence of the source.
	Licence string `json:"licence,omitempty" yaml:"licence,omitempty"`
}

// Precision holds bits per element.
type Precision struct {
	// Weights is the width of a weight; 0 means 8.
	Weights int64 `json:"weights" yaml:"weights,omitempty"`
	// Activations is the width of an activation; 0 means 8.
	Activations int64 `json:"activations" yaml:"activations,omitempty"`
	// Accumulators is the width of a partial sum and of a stored bias; 0
	// means 32.
	Accumulators int64 `json:"accumulators" yaml:"accumulators,omitempty"`
	// WeightKind and ActivationKind say whether these are integers, "float" or
	// "bfloat". Sums are floating-point numbers where one of them is.
	WeightKind     number.Kind `json:"weight_kind,omitempty" yaml:"weight_kind,omitempty"`
	ActivationKind number.Kind `json:"activation_kind,omitempty" yaml:"activation_kind,omitempty"`
	// Sparsity says which weights are zero, see ParseSparsity; "" means that all
	// count.
	Sparsity string `json:"sparsity,omitempty" yaml:"sparsity,omitempty"`
}

// Input is a tensor that comes from outside.
type Input struct {
	// Name is what layers write in their In.
	Name string `json:"name" yaml:"name"`
	// Shape is batch first and channels last: [1, 224, 224, 3].
	Shape []int64 `json:"shape" yaml:"shape,flow"`
}

// Op is what a layer does; the constants are the closed set.
type Op string

// The operations of a layer.
const (
	// Conv is a dense two-dimensional convolution with weights.
	Conv Op = "conv"
	// GroupConv is a convolution in 1 < Groups < K groups; C is per group.
	GroupConv Op = "gconv"
	// DepthwiseConv is a convolution with one input channel per group.
	DepthwiseConv Op = "dwconv"
	// Deconv is a transposed convolution; its MACs count on input positions.
	Deconv Op = "deconv"
	// GEMM multiplies M rows of C activations with a C x K weight matrix.
	GEMM Op = "gemm"
	// MatMul multiplies N pairs of activation matrices, M x C and C x K; it
	// has no weights.
	MatMul Op = "matmul"
	// RNN runs N sequences of M steps with C features through a recurrent
	// cell of K units; Fn names the cell: "rnn", "gru" or "lstm". Behind its
	// input it may read the states that it begins with.
	RNN Op = "rnn"
	// Pool is a pooling with an R x S window.
	Pool Op = "pool"
	// Reduce reduces its input to N x P x Q x K elements.
	Reduce Op = "reduce"
	// Eltwise combines its inputs element by element; Fn says how.
	Eltwise Op = "eltwise"
	// Activation is an activation that is not fused into a layer.
	Activation Op = "act"
	// Softmax is a softmax over K.
	Softmax Op = "softmax"
	// Norm is a normalisation that is not folded into a layer.
	Norm Op = "norm"
	// Resize interpolates to P x Q.
	Resize Op = "resize"
	// Copy moves bytes: concatenation, transposition, slicing, padding.
	Copy Op = "copy"
	// View renames a tensor; it is free and keeps its input alive.
	View Op = "view"
	// Opaque is an operation whose work is not modelled, only its bytes.
	Opaque Op = "opaque"
)

// ops returns the closed set of operations in the order of the format's
// documentation.
func ops() []Op {
	return []Op{
		Conv, GroupConv, DepthwiseConv, Deconv, GEMM, MatMul, RNN, Pool, Reduce,
		Eltwise, Activation, Softmax, Norm, Resize, Copy, View, Opaque,
	}
}

// Layer is one operation. Its output has N x P x Q x K elements (GEMM: M x K,
// MatMul and RNN: N x M x K). Dimensions that an operation does not have are 0.
type Layer struct {
	// ID names the layer's output; unique among layers and inputs.
	ID string `json:"id" yaml:"id"`
	Op Op     `json:"op" yaml:"op"`
	// N is the batch; for MatMul the number of products.
	N int64 `json:"N,omitempty" yaml:"N,omitempty"`
	// M is the number of rows of GEMM and MatMul, the steps of RNN.
	M int64 `json:"M,omitempty" yaml:"M,omitempty"`
	// K counts all output channels.
	K int64 `json:"K,omitempty" yaml:"K,omitempty"`
	// C counts the input channels of one group: 1 for DepthwiseConv.
	C int64 `json:"C,omitempty" yaml:"C,omitempty"`
	// P and Q are the output's height and width.
	P int64 `json:"P,omitempty" yaml:"P,omitempty"`
	Q int64 `json:"Q,omitempty" yaml:"Q,omitempty"`
	// R and S are the filter's or window's height and width.
	R int64 `json:"R,omitempty" yaml:"R,omitempty"`
	S int64 `json:"S,omitempty" yaml:"S,omitempty"`
	// H and W are the input's height and width, without padding. Normalise
	// takes them from the producer.
	H int64 `json:"H,omitempty" yaml:"H,omitempty"`
	W int64 `json:"W,omitempty" yaml:"W,omitempty"`
	// Groups of a convolution; 1 for Conv, K for most DepthwiseConv.
	Groups int64 `json:"groups,omitempty" yaml:"groups,omitempty"`
	// Stride and Dilation are vertical, horizontal; {0, 0} means {1, 1}.
	Stride   [2]int64 `json:"stride,omitzero" yaml:"stride,flow,omitempty"`
	Dilation [2]int64 `json:"dilation,omitzero" yaml:"dilation,flow,omitempty"`
	// Act is the fused activation ("relu6"), "" for none.
	Act string `json:"act,omitempty" yaml:"act,omitempty"`
	// Fn refines Op: "add" for Eltwise, "avg" or "max" for Pool, the cell for
	// RNN.
	Fn string `json:"fn,omitempty" yaml:"fn,omitempty"`
	// NoBias marks a layer with weights that adds no bias.
	NoBias bool `json:"no_bias,omitempty" yaml:"no_bias,omitempty"`
	// Const counts constant elements read by a layer whose Op has no weights,
	// for example the scale and shift of Norm.
	Const int64 `json:"const,omitempty" yaml:"const,omitempty"`
	// WeightBits is the width of the layer's weights and constants where it is
	// not that of the network; 0 means Precision.Weights.
	WeightBits int64 `json:"weight_bits,omitempty" yaml:"weight_bits,omitempty"`
	// WeightKind is the kind of numbers of WeightBits.
	WeightKind number.Kind `json:"weight_kind,omitempty" yaml:"weight_kind,omitempty"`
	// OutputBits is the width of the layer's output where it is not that of the
	// network's activations; 0 means Precision.Activations. Layers that read it
	// read that width.
	OutputBits int64 `json:"output_bits,omitempty" yaml:"output_bits,omitempty"`
	// OutputKind is the kind of numbers of OutputBits.
	OutputKind number.Kind `json:"output_kind,omitempty" yaml:"output_kind,omitempty"`
	// Fused says that the output need not become a tensor outside the chip: the
	// one layer that reads it takes it tile by tile, as fused attention takes its
	// scores.
	Fused bool `json:"fused,omitempty" yaml:"fused,omitempty"`
	// Idle counts parameters that are stored with the layer and not read in a
	// run: the rows of an embedding that no token names, the experts that no
	// token chooses.
	Idle int64 `json:"idle,omitempty" yaml:"idle,omitempty"`
	// ScaleBytes is what comes in with the weights beside them: scales and zero
	// points of blocks of weights. They are no parameters.
	ScaleBytes int64 `json:"scale_bytes,omitempty" yaml:"scale_bytes,omitempty"`
	// Borrowed says that the weights or constants are no parameters of this layer:
	// those of another one, which come in again, or computed at run time.
	Borrowed bool `json:"borrowed,omitempty" yaml:"borrowed,omitempty"`
	// BorrowedElements are as many of the weights where that is true of a part of them: of
	// one matrix of an RNN.
	BorrowedElements int64 `json:"borrowed_elements,omitempty" yaml:"borrowed_elements,omitempty"`
	// BorrowedBias says the same of the bias.
	BorrowedBias bool `json:"borrowed_bias,omitempty" yaml:"borrowed_bias,omitempty"`
	// In names the inputs and layers whose outputs this one reads, in order.
	In []string `json:"in" yaml:"in,flow"`

	// InElements counts the activation elements read, over all of In. It is
	// derived: Normalise fills it, and InputElements falls back to the
	// dimensions where it is 0.
	InElements int64 `json:"-" yaml:"-"`
	// FusedElements are those of InElements that come from fused layers, and
	// FusedIn says which of the first two inputs do. Shared is how many
	// products of a MatMul read the same second operand. All are derived.
	FusedElements int64   `json:"-" yaml:"-"`
	FusedIn       [2]bool `json:"-" yaml:"-"`
	// InFormats are the formats of the first two inputs, with 0 bits where it is
	// the network's. OwnElements are those of InElements in formats of their own,
	// and OwnBytes the bytes of them all.
	InFormats             [2]number.Format `json:"-" yaml:"-"`
	OwnElements, OwnBytes int64            `json:"-" yaml:"-"`
	Shared                int64            `json:"-" yaml:"-"`
}

// Append is the Fn of a Copy that writes its further inputs behind the first,
// which stays where it is: a cache that grows. Only what is new is moved.
const Append = "append"

func (l *Layer) appends() bool { return l.Op == Copy && l.Fn == Append && len(l.In) > 1 }

// HasMACs reports whether the operation multiplies and accumulates.
func (op Op) HasMACs() bool {
	switch op {
	case Conv, GroupConv, DepthwiseConv, Deconv, GEMM, MatMul, RNN:
		return true
	}
	return false
}

// HasWeights reports whether the operation's dimensions imply weights.
func (op Op) HasWeights() bool { return op.HasMACs() && op != MatMul }

// Spatial reports whether the operation slides an R x S window: convolutions
// and pooling.
func (op Op) Spatial() bool {
	switch op {
	case Conv, GroupConv, DepthwiseConv, Deconv, Pool:
		return true
	}
	return false
}
