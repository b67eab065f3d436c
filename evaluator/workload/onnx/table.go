package onnx

import (
	"cmp"
	"math"
	"slices"
	"sync"

	"apollo/evaluator/workload/graph"
)

// operators is the table of operations (onnx/onnx docs/Operators.md, and the
// few of com.microsoft that runtimes write into optimised files).
func operators() map[string]infer { return table() }

// table is made once and never changed.
var table = sync.OnceValue(newTable)

func newTable() map[string]infer {
	table := map[string]infer{
		"Conv": (*node).conv, "FusedConv": (*node).conv, "ConvInteger": (*node).conv, "QLinearConv": channelsLast((*node).conv),
		"ConvTranspose": (*node).deconv, "Gemm": (*node).gemm, "FusedGemm": (*node).gemm, "QGemm": (*node).gemm,
		"MatMul": (*node).matMul, "MatMulInteger": (*node).matMul, "QLinearMatMul": (*node).matMul, "FusedMatMul": (*node).matMul,
		"LSTM": recurrent("lstm", 4), "DynamicQuantizeLSTM": (*node).quantisedLSTM, "GRU": recurrent("gru", 3), "RNN": recurrent("rnn", 1),
		"MaxPool": pooling("max"), "AveragePool": pooling("avg"), "LpPool": pooling("avg"),
		"GlobalAveragePool": globalPooling("avg"), "GlobalMaxPool": globalPooling("max"), "QLinearGlobalAveragePool": channelsLast(globalPooling("avg")),
		"GlobalLpPool":       globalPooling("avg"),
		"BatchNormalization": (*node).batchNorm, "PRelu": (*node).prelu,
		"Reshape": (*node).reshape, "Flatten": (*node).flatten, "Squeeze": (*node).squeeze, "Unsqueeze": (*node).unsqueeze,
		"Identity": view, "Dropout": (*node).dropout,
		"Transpose": (*node).transpose, "Concat": (*node).concat, "QLinearConcat": (*node).qlinearConcat,
		"Split": (*node).split, "Slice": (*node).slice,
		"Gather": (*node).gather, "GatherElements": (*node).gatherElements, "GatherND": (*node).gatherND,
		"Pad": (*node).pad, "Tile": (*node).tile, "Expand": (*node).expand,
		"DepthToSpace": (*node).depthToSpace, "SpaceToDepth": (*node).spaceToDepth,
		"Resize": (*node).resize, "Upsample": (*node).resize, "MaxUnpool": (*node).unpool, "NonMaxSuppression": (*node).suppress,
		"ScatterElements": (*node).scatter, "ScatterND": (*node).scatterND, "Scatter": (*node).scatter,
		"ReverseSequence": same(graph.Copy, "reverse"), "CumSum": (*node).cumSum, "Trilu": same(graph.Copy, "trilu"),
		"Shape": (*node).shapeOf, "Size": (*node).sizeOf, "Constant": (*node).constantOp, "ConstantOfShape": (*node).constantOfShape,
		"Range": (*node).rangeOp, "NonZero": (*node).nonZero, "EyeLike": (*node).eyeLike,
		"Cast": (*node).cast, "CastLike": (*node).castLike, "QuantizeLinear": requant, "DequantizeLinear": requant, "DynamicQuantizeLinear": requant,
		"ArgMax": reducing("argmax"), "ArgMin": reducing("argmin"), "TopK": (*node).topK,
		"Softmax": same(graph.Softmax, ""), "LogSoftmax": same(graph.Softmax, "log"), "Hardmax": same(graph.Softmax, "hard"),
		"LRN": same(graph.Norm, "lrn"), "InstanceNormalization": same(graph.Norm, "instance"), "LayerNormalization": (*node).layerNorm,
		"GroupNormalization": same(graph.Norm, "group"), "LpNormalization": same(graph.Norm, "lp"), "MeanVarianceNormalization": same(graph.Norm, "mean_variance"),
		"SimplifiedLayerNormalization": same(graph.Norm, "rms"), "RMSNormalization": same(graph.Norm, "rms"),
		"Einsum":            (*node).einsum,
		"SequenceConstruct": (*node).sequenceConstruct, "SequenceEmpty": (*node).sequenceConstruct, "SequenceInsert": (*node).sequenceInsert,
		"SequenceErase": (*node).sequenceErase, "SequenceAt": (*node).sequenceAt, "SequenceLength": (*node).sequenceLength,
		"SplitToSequence": (*node).splitToSequence, "ConcatFromSequence": (*node).concatFromSequence,
		"GridSample": (*node).gridSample, "DeformConv": (*node).deformConv, "RoiAlign": (*node).roiAlign, "MaxRoiPool": (*node).roiAlign,
		"AffineGrid": (*node).affineGrid, "OneHot": (*node).oneHot, "Compress": (*node).compress, "CenterCropPad": (*node).centerCropPad,
		"Col2Im": (*node).col2im, "STFT": (*node).stft, "DFT": (*node).dft, "Det": (*node).det, "MelWeightMatrix": (*node).melWeights,
		"HannWindow": (*node).windowOf, "HammingWindow": (*node).windowOf, "BlackmanWindow": (*node).windowOf,
		"RandomNormal": (*node).random, "RandomUniform": (*node).random, "RandomNormalLike": (*node).randomLike, "RandomUniformLike": (*node).randomLike,
		"Bernoulli": (*node).bernoulli, "TensorScatter": (*node).tensorScatter, "CumProd": same(graph.Copy, "cumprod"),
		"BitCast": view, "Optional": view, "OptionalGetElement": view, "OptionalHasElement": (*node).hasElement,
		// Of com.microsoft.
		"NhwcConv": channelsLast((*node).conv), "NhwcMaxPool": channelsLast(pooling("max")), "QLinearAveragePool": channelsLast(pooling("avg")),
		"QAttention": (*node).packedAttention, "MatMulBnb4": (*node).matMulNBits,
		"EmbedLayerNormalization": (*node).embedNorm, "GatherBlockQuantized": (*node).gatherBlocks, "GroupNorm": same(graph.Norm, "group"),
		"SkipGroupNorm": (*node).skipGroupNorm, "QLinearSoftmax": same(graph.Softmax, ""),
		"QLinearReduceMean": reducing("mean"), "BiasAdd": eltwise("add"), "GemmFastGelu": (*node).gemmGelu,
		"Attention": (*node).attention23, "GroupQueryAttention": (*node).groupQuery, "MultiHeadAttention": (*node).multiHead,
		"RotaryEmbedding": (*node).rotary, "MatMulNBits": (*node).matMulNBits,
		"MoE": (*node).moe, "QMoE": (*node).qmoe,
		"SkipLayerNormalization": skipNorm("layer"), "SkipSimplifiedLayerNormalization": skipNorm("rms"), "BiasGelu": activation("gelu"),
		"DynamicQuantizeMatMul": (*node).matMul, "MatMulIntegerToFloat": (*node).matMul,
	}
	for name, fn := range map[string]string{
		"Relu": "relu", "LeakyRelu": "leaky_relu", "Sigmoid": "sigmoid", "HardSigmoid": "hsigmoid", "HardSwish": "hswish",
		"Tanh": "tanh", "Elu": "elu", "Selu": "selu", "Celu": "celu", "Softplus": "softplus", "Softsign": "softsign",
		"Gelu": "gelu", "FastGelu": "gelu", "QuickGelu": "gelu", "Mish": "mish", "Swish": "swish", "Erf": "erf", "Exp": "exp", "Log": "log", "Sqrt": "sqrt",
		"Neg": "neg", "Abs": "abs", "Ceil": "ceil", "Floor": "floor", "Round": "round", "Reciprocal": "reciprocal",
		"Sign": "sign", "Sin": "sin", "Cos": "cos", "Tan": "tan", "Atan": "atan", "Not": "not", "ThresholdedRelu": "thresholded_relu",
		"Shrink": "shrink", "IsNaN": "isnan", "IsInf": "isinf", "Acos": "acos", "Acosh": "acosh", "Asin": "asin", "Asinh": "asinh", "Atanh": "atanh",
		"Cosh": "cosh", "Sinh": "sinh", "BitwiseNot": "not", "QLinearSigmoid": "sigmoid", "QLinearLeakyRelu": "leaky_relu",
	} {
		table[name] = activation(fn)
	}
	// Before opset 10, and gone since.
	for name, fn := range map[string]string{
		"ImageScaler": "scale", "Affine": "scale", "ScaledTanh": "tanh", "ParametricSoftplus": "softplus",
	} {
		table[name] = activation(fn)
	}
	for name, width := range map[string]int{"Quant": 3, "IntQuant": 3, "BipolarQuant": -1, "Trunc": 4} {
		table["qonnx:"+name] = requantWidth(width)
	}
	table["Crop"] = (*node).crop
	table["Clip"] = (*node).clip
	for name, fn := range map[string]string{
		"Add": "add", "Sub": "sub", "Mul": "mul", "Div": "div", "Pow": "pow", "Max": "max", "Min": "min", "Mean": "mean", "Sum": "add",
		"Mod": "mod", "And": "and", "Or": "or", "Xor": "xor", "Equal": "equal", "Greater": "greater", "GreaterOrEqual": "greater_equal",
		"Less": "less", "LessOrEqual": "less_equal", "Where": "select", "BitShift": "shift",
		"BitwiseAnd": "and", "BitwiseOr": "or", "BitwiseXor": "xor",
	} {
		table[name] = eltwise(fn)
	}
	table["QLinearAdd"], table["QLinearMul"] = qlinear("add"), qlinear("mul")
	for name, fn := range map[string]string{
		"ReduceMean": "mean", "ReduceSum": "sum", "ReduceMax": "max", "ReduceMin": "min", "ReduceProd": "prod", "ReduceL1": "l1",
		"ReduceL2": "l2", "ReduceLogSum": "log_sum", "ReduceLogSumExp": "log_sum_exp", "ReduceSumSquare": "sum_square",
	} {
		table[name] = reducing(fn)
	}
	return table
}

// same is an operation whose output has the shape of its first input; constant
// inputs behind it are parameters.
func same(op graph.Op, fn string) infer {
	return func(n *node) {
		if !n.need(0, 0) {
			return
		}
		n.set(0, n.shape(0))
		var stored, width int64
		in := n.in[:1]
		if op == graph.Norm { // a scale and a shift that are no parameters
			in = slices.Concat(in, n.computed(1))
		}
		for i := 1; i < len(n.in); i++ {
			if n.has(i) && n.g.Tensors[n.in[i]].Const && op == graph.Norm {
				stored += n.g.Elements(n.in[i])
				width = max(width, n.bits(i))
			}
		}
		n.emit(graph.Node{Op: op, Fn: fn, In: in, Const: stored, WeightBits: width})
	}
}

// activation is an operation on single elements.
func activation(fn string) infer {
	return func(n *node) {
		if !n.need(0, 0) {
			return
		}
		n.set(0, n.shape(0))
		n.fold(func(v [][]float64) []float64 { return unary(n.op, v[0]) }, 1)
		n.emit(graph.Node{Op: graph.Act, Fn: fn, In: n.in[:1]})
	}
}

// clip is relu6 or relu between these bounds.
func (n *node) clip() {
	if !n.need(0, 0) {
		return
	}
	n.set(0, n.shape(0))
	low, high := n.bound(1, "min"), n.bound(2, "max")
	fn := "clip"
	switch {
	case low == 0 && high == 6:
		fn = "relu6"
	case low == 0 && high < 0:
		fn = "relu"
	}
	n.fold(func(v [][]float64) []float64 { return n.clamped(v[0]) }, 1)
	n.emit(graph.Node{Op: graph.Act, Fn: fn, In: n.in[:1]})
}

// clamped keeps numbers within the limits of Clip; nil where one is not known.
func (n *node) clamped(v []float64) []float64 {
	out := slices.Clone(v)
	for i, name := range []string{"min", "max"} {
		limit, ok := n.scalar(i + 1)
		if a, given := n.attrs[name]; given {
			limit, ok = a.f, true
		}
		if !ok && !n.has(i+1) {
			continue
		}
		for j := range out {
			switch {
			case !ok:
				return nil
			case i == 0:
				out[j] = max(out[j], limit)
			default:
				out[j] = min(out[j], limit)
			}
		}
	}
	return out
}

// bound is a limit of Clip, -1 when it is open or not known.
func (n *node) bound(i int, attr string) float64 {
	if a, ok := n.attrs[attr]; ok {
		return a.f
	}
	if v, ok := n.known(i); ok && len(v) == 1 {
		return v[0]
	}
	return -1
}

func (n *node) prelu() {
	if n.need(0, 0) && n.need(1, 0) {
		n.set(0, n.shape(0))
		act := graph.Node{Op: graph.Act, Fn: "prelu", In: n.in[:2]}
		if n.g.Tensors[n.in[1]].Const {
			act.In, act.Const = n.in[:1], n.g.Elements(n.in[1])
		}
		n.emit(act)
	}
}

// eltwise broadcasts its inputs.
func eltwise(fn string) infer {
	return func(n *node) { n.broadcast(fn, n.in) }
}

// qlinear has its operands at inputs 0 and 3 between their scales.
func qlinear(fn string) infer {
	return func(n *node) {
		if n.need(0, 0) && n.need(3, 0) {
			n.broadcast(fn, []int{n.in[0], n.in[3]})
		}
	}
}

func (n *node) broadcast(fn string, in []int) {
	if !n.need(0, 0) {
		return
	}
	whole := len(in) == len(n.in)
	in = n.aligned(in)
	out := n.g.Shape(in[0])
	for _, t := range in[1:] {
		if t < 0 {
			n.misfit("an input is missing")
			return
		}
		var ok bool
		if out, ok = graph.Broadcast(out, n.g.Shape(t)); !ok {
			n.misfit("the shapes %v and %v do not broadcast", n.shape(0), n.g.Shape(t))
			return
		}
	}
	switch n.op { // the first input is not of the output's type
	case "Where":
		n.g.Tensors[n.out[0]].Bits = cmp.Or(n.bits(1), n.bits(2))
	case "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual":
		n.g.Tensors[n.out[0]].Bits = bits(typeBool)
	}
	n.set(0, out)
	if whole {
		n.fold(func(v [][]float64) []float64 {
			for i := range v {
				v[i] = broadcasted(v[i], n.g.Shape(in[i]), out)
			}
			return combine(n.op, v, n.wholeInputs())
		}, len(in))
	}
	n.emit(graph.Node{Op: graph.Eltwise, Fn: fn, In: in})
}

func view(n *node) {
	if n.need(0, 0) {
		n.set(0, n.shape(0))
		n.keep()
		n.emit(graph.Node{Op: graph.View, In: n.in[:1], Out: n.out[:1]})
	}
}

// dropout passes its input on; the mask keeps everything.
func (n *node) dropout() {
	view(n)
	for i := 1; i < len(n.out); i++ {
		n.set(i, n.shape(0))
		if n.out[i] >= 0 && n.err == nil {
			n.g.Tensors[n.out[i]].Const = true
		}
	}
}

// layerNorm writes the mean and the deviation too, where they are asked for.
func (n *node) layerNorm() {
	if !n.need(0, 1) {
		return
	}
	x := n.shape(0)
	a := n.axis(n.int("axis", -1), len(x))
	for i := 1; i < len(n.out); i++ {
		n.set(i, slices.Concat(x[:a], slices.Repeat([]int64{1}, len(x)-a)))
	}
	same(graph.Norm, "layer")(n)
}

func requant(n *node) {
	if !n.need(0, 0) {
		return
	}
	n.set(0, n.shape(0))
	for i := 1; i < len(n.out); i++ {
		n.set(i, nil)
		if n.out[i] >= 0 {
			n.g.Tensors[n.out[i]].Const = true // scales
		}
	}
	switch n.op {
	case "QuantizeLinear":
		n.g.Tensors[n.out[0]].Bits = n.quantised()
	case "DynamicQuantizeLinear":
		n.g.Tensors[n.out[0]].Bits = bits(typeUint8) // what the operator is defined for
	}
	if n.op == "DequantizeLinear" && !n.fixed && n.has(1) { // weights stay as they are stored
		n.g.Tensors[n.out[0]].Bits = n.bits(1)
	}
	n.emit(graph.Node{Op: graph.Requant, In: n.in[:1], Out: n.out[:1]})
}

// requantWidth is an operation of QONNX: input i is the width of what it makes, of
// which a fraction takes a whole bit; negative of one that makes signs.
func requantWidth(i int) infer {
	return func(n *node) {
		width, ok := 1.0, true
		if i >= 0 {
			width, ok = n.scalar(i)
		}
		if !n.need(0, 0) {
			return
		}
		if width = math.Ceil(width); !ok || width < 1 || width > 64 {
			n.fail("input %d, its width in bits, is computed at run time or not 1 to 64: export the model with a constant one", i)
			return
		}
		n.set(0, n.shape(0))
		n.g.Tensors[n.out[0]].Bits = int64(width)
		n.emit(graph.Node{Op: graph.Requant, In: n.in[:1], Out: n.out[:1]})
	}
}

// quantised is the width that QuantizeLinear makes: that of its zero point, or
// of its type, 8 where the file says neither.
func (n *node) quantised() int64 {
	if n.has(2) {
		return n.bits(2)
	}
	return cmp.Or(bits(n.int("output_dtype", 0)), 8)
}
