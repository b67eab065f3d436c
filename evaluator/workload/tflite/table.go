package tflite

import (
	"sync"

	"apollo/evaluator/workload/graph"
)

// Codes of the schema's BuiltinOperator that the reader treats by name.
const (
	dequantizeOp                    = 6
	customOp                        = 32
	callOp, ifOp, whileOp           = 31, 118, 119
	compositeOp                     = 206
	conv3dOp, conv3dTransposeOp     = 132, 141
	varHandleOp, readVariableOp     = 142, 143
	assignVariableOp, callOnceOp    = 144, 129
	meanOp                          = 40
	shapeOp, rankOp                 = 77, 110
	lstmOp, sequenceLSTM, sequences = 16, 44, 35
)

// entry says how an operator is read.
type entry struct {
	code  int64
	name  string
	read  func(*operator, entry)
	op    graph.Op
	fn    string
	fused int // the option that holds the fused activation, -1 for none
}

// operators returns the table of BuiltinOperator (schema.fbs) by code. It is
// made once and never changed.
var operators = sync.OnceValue(func() map[int64]entry {
	table := map[int64]entry{}
	for _, e := range entries() {
		table[e.code] = e
	}
	return table
})

func entries() []entry {
	simple := func(code int64, name string, op graph.Op, fn string) entry {
		return entry{code, name, (*operator).simple, op, fn, -1}
	}
	act := func(code int64, name, fn string) entry { return simple(code, name, graph.Act, fn) }
	eltwise := func(code int64, name, fn string) entry { return simple(code, name, graph.Eltwise, fn) }
	copies := func(code int64, name, fn string) entry { return simple(code, name, graph.Copy, fn) }
	fused := func(code int64, name, fn string) entry {
		return entry{code, name, (*operator).simple, graph.Eltwise, fn, 0}
	}
	own := func(code int64, name string, read func(*operator, entry)) entry {
		return entry{code, name, read, graph.Opaque, "", -1}
	}
	parameters := func(code int64, name string, op graph.Op, fn string) entry {
		return entry{code, name, (*operator).first, op, fn, -1}
	}
	return []entry{
		own(3, "CONV_2D", (*operator).conv),
		own(4, "DEPTHWISE_CONV_2D", (*operator).depthwise),
		own(67, "TRANSPOSE_CONV", (*operator).transposeConv),
		own(9, "FULLY_CONNECTED", (*operator).dense),
		own(126, "BATCH_MATMUL", (*operator).batchMatMul),
		own(27, "SVDF", (*operator).svdf),
		own(lstmOp, "LSTM", (*operator).lstm),
		own(sequenceLSTM, "UNIDIRECTIONAL_SEQUENCE_LSTM", (*operator).lstm),
		own(24, "RNN", (*operator).rnn),
		own(sequences, "UNIDIRECTIONAL_SEQUENCE_RNN", (*operator).rnn),
		own(52, "BIDIRECTIONAL_SEQUENCE_LSTM", (*operator).bothLSTM),
		own(46, "BIDIRECTIONAL_SEQUENCE_RNN", (*operator).bothRNN),
		own(conv3dOp, "CONV_3D", (*operator).volume),
		own(conv3dTransposeOp, "CONV_3D_TRANSPOSE", (*operator).volumeTransposed),
		{1, "AVERAGE_POOL_2D", (*operator).pool, graph.Pool, "avg", -1},
		{12, "L2_POOL_2D", (*operator).pool, graph.Pool, "avg", -1},
		{17, "MAX_POOL_2D", (*operator).pool, graph.Pool, "max", -1},
		own(meanOp, "MEAN", (*operator).mean),
		{34, "PAD", (*operator).pad, graph.Pad, "pad", -1},
		{60, "PADV2", (*operator).pad, graph.Pad, "pad", -1},
		{100, "MIRROR_PAD", (*operator).first, graph.Copy, "pad", -1},

		fused(0, "ADD", "add"), fused(18, "MUL", "mul"),
		fused(41, "SUB", "sub"), fused(42, "DIV", "div"),
		eltwise(55, "MAXIMUM", "max"), eltwise(57, "MINIMUM", "min"), eltwise(78, "POW", "pow"),
		eltwise(90, "FLOOR_DIV", "floor_div"), eltwise(95, "FLOOR_MOD", "mod"), eltwise(106, "ADD_N", "add"),
		eltwise(99, "SQUARED_DIFFERENCE", "squared_difference"),
		eltwise(58, "LESS", "less"), eltwise(61, "GREATER", "greater"), eltwise(62, "GREATER_EQUAL", "greater_equal"),
		eltwise(63, "LESS_EQUAL", "less_equal"), eltwise(71, "EQUAL", "equal"), eltwise(72, "NOT_EQUAL", "not_equal"),
		eltwise(84, "LOGICAL_OR", "or"), eltwise(86, "LOGICAL_AND", "and"),
		eltwise(156, "ATAN2", "atan2"), eltwise(160, "BITWISE_XOR", "xor"), eltwise(161, "RIGHT_SHIFT", "shift"),
		eltwise(64, "SELECT", "select"), eltwise(123, "SELECT_V2", "select"),

		act(19, "RELU", "relu"), act(20, "RELU_N1_TO_1", "relu_n1_to_1"), act(21, "RELU6", "relu6"),
		act(28, "TANH", "tanh"), act(14, "LOGISTIC", "sigmoid"), act(117, "HARD_SWISH", "hswish"),
		act(98, "LEAKY_RELU", "leaky_relu"), act(54, "PRELU", "prelu"), act(111, "ELU", "elu"),
		act(150, "GELU", "gelu"), act(152, "RELU_0_TO_1", "relu_0_to_1"), act(47, "EXP", "exp"), act(73, "LOG", "log"),
		act(75, "SQRT", "sqrt"), act(76, "RSQRT", "rsqrt"), act(92, "SQUARE", "square"), act(101, "ABS", "abs"),
		act(59, "NEG", "neg"), act(8, "FLOOR", "floor"), act(104, "CEIL", "ceil"), act(116, "ROUND", "round"),
		act(66, "SIN", "sin"), act(108, "COS", "cos"), act(87, "LOGICAL_NOT", "not"), act(158, "SIGN", "sign"),
		simple(25, "SOFTMAX", graph.Softmax, ""), simple(50, "LOG_SOFTMAX", graph.Softmax, "log"),
		simple(11, "L2_NORMALIZATION", graph.Norm, "l2"), simple(13, "LOCAL_RESPONSE_NORMALIZATION", graph.Norm, "lrn"),

		parameters(23, "RESIZE_BILINEAR", graph.Resize, "bilinear"),
		parameters(97, "RESIZE_NEAREST_NEIGHBOR", graph.Resize, "nearest"),
		parameters(56, "ARG_MAX", graph.Reduce, "argmax"), parameters(79, "ARG_MIN", graph.Reduce, "argmin"),
		parameters(74, "SUM", graph.Reduce, "sum"), parameters(81, "REDUCE_PROD", graph.Reduce, "prod"),
		parameters(82, "REDUCE_MAX", graph.Reduce, "max"), parameters(89, "REDUCE_MIN", graph.Reduce, "min"),
		parameters(91, "REDUCE_ANY", graph.Reduce, "any"), parameters(140, "REDUCE_ALL", graph.Reduce, "all"), parameters(48, "TOPK_V2", graph.Reduce, "topk"),

		copies(2, "CONCATENATION", "concat"), copies(83, "PACK", "concat"), copies(88, "UNPACK", "split"),
		parameters(39, "TRANSPOSE", graph.Copy, "transpose"), parameters(65, "SLICE", graph.Copy, "slice"),
		parameters(45, "STRIDED_SLICE", graph.Copy, "slice"), parameters(102, "SPLIT_V", graph.Copy, "split"),
		{49, "SPLIT", (*operator).second, graph.Copy, "split", -1},
		copies(36, "GATHER", "gather"), copies(107, "GATHER_ND", "gather"), copies(7, "EMBEDDING_LOOKUP", "gather"),
		parameters(69, "TILE", graph.Copy, "tile"), parameters(130, "BROADCAST_TO", graph.Copy, "tile"),
		copies(94, "FILL", "tile"), copies(122, "SCATTER_ND", "scatter"), copies(68, "SPARSE_TO_DENSE", "scatter"),
		copies(113, "MATRIX_DIAG", "diagonal"), copies(115, "MATRIX_SET_DIAG", "diagonal"), copies(109, "WHERE", "nonzero"),
		copies(96, "RANGE", "range"), copies(145, "BROADCAST_ARGS", "tile"), copies(103, "UNIQUE", "unique"),
		copies(5, "DEPTH_TO_SPACE", "depth_to_space"), copies(26, "SPACE_TO_DEPTH", "space_to_depth"),
		parameters(37, "BATCH_TO_SPACE_ND", graph.Copy, "batch_to_space"),
		parameters(38, "SPACE_TO_BATCH_ND", graph.Copy, "space_to_batch"),
		parameters(105, "REVERSE_V2", graph.Copy, "reverse"), copies(112, "REVERSE_SEQUENCE", "reverse"),
		own(151, "DYNAMIC_UPDATE_SLICE", (*operator).update), copies(85, "ONE_HOT", "one_hot"), parameters(128, "CUMSUM", graph.Reduce, "cumsum"),

		parameters(22, "RESHAPE", graph.View, ""), parameters(43, "SQUEEZE", graph.View, ""),
		parameters(70, "EXPAND_DIMS", graph.View, ""),
		simple(114, "QUANTIZE", graph.Requant, ""), simple(dequantizeOp, "DEQUANTIZE", graph.Requant, ""),
		simple(53, "CAST", graph.Requant, ""), simple(80, "FAKE_QUANT", graph.Requant, ""), simple(124, "DENSIFY", graph.Requant, ""),
		own(shapeOp, "SHAPE", (*operator).constant), own(rankOp, "RANK", (*operator).constant), own(93, "ZEROS_LIKE", (*operator).constant),
		own(callOp, "CALL", (*operator).call), own(compositeOp, "STABLEHLO_COMPOSITE", (*operator).call), own(ifOp, "IF", (*operator).unsupported),
		own(varHandleOp, "VAR_HANDLE", (*operator).unsupported), own(readVariableOp, "READ_VARIABLE", (*operator).unsupported),
		own(assignVariableOp, "ASSIGN_VARIABLE", (*operator).unsupported), own(callOnceOp, "CALL_ONCE", (*operator).unsupported),
		own(whileOp, "WHILE", (*operator).unsupported),
	}
}
