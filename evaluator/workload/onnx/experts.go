package onnx

import (
	"cmp"

	"apollo/evaluator/workload/graph"
)

// mixture is where an operator keeps its experts: the inputs that hold the
// first, second and third matrix of all of them, and their biases.
type mixture struct {
	up, upBias, down, downBias, gate, gateBias int
	bits                                       int64 // of a weight, 0 for those of the tensor
}

// moe is MoE of com.microsoft, qmoe the one with packed weights.
func (n *node) moe() {
	n.experts(mixture{up: 2, upBias: 3, down: 4, downBias: 5, gate: 6, gateBias: 7})
}

func (n *node) qmoe() {
	bits := cmp.Or(n.int("expert_weight_bits", 0), 4)
	if quant := n.attrs["quant_type"].s; quant != "" && quant != "int" {
		n.fail("experts of type %q are not supported: export them with integers of 4 or 8 bits", quant)
		return
	}
	if bits != 2 && bits != 4 && bits != 8 {
		n.misfit("expert_weight_bits is %d, want 2, 4 or 8", bits)
		return
	}
	n.experts(mixture{up: 2, upBias: 4, down: 5, downBias: 7, gate: 8, gateBias: 10, bits: bits})
}

// experts appends a mixture of experts as the grouped products of those that
// its tokens read on average; the others are idle.
func (n *node) experts(m mixture) {
	if !n.need(0, 1) || !n.need(1, 2) || !n.need(m.up, 3) || !n.need(m.down, 3) {
		return
	}
	x, router := n.shape(0), n.shape(1)
	width, experts, chosen := x[len(x)-1], router[len(router)-1], n.int("k", 1)
	if width < 1 || experts < 1 || chosen < 1 || chosen > experts {
		n.misfit("%d of %d experts over the input %v do not fit together", chosen, experts, x)
		return
	}
	tokens := graph.Elements(x) / width
	inner, ok := n.innerOf(m, experts, width)
	if !ok || tokens < 1 || tokens > graph.MaxDim {
		n.misfit("the experts' matrices %v and %v do not fit %d experts of %d features", n.shape(m.up), n.shape(m.down), experts, width)
		return
	}
	for _, i := range []int{m.up, m.down, m.gate} {
		if n.has(i) && !n.g.Tensors[n.in[i]].Const {
			n.fail("the experts' weights (input %d) are computed, only stored ones are supported: store them as initializers", i)
			return
		}
	}
	read, each := graph.Experts(experts, chosen, tokens)
	n.set(0, x)
	product := func(suffix string, in, matrix, bias int, k, c, part int64, act string) int {
		out := n.inner(suffix, each, read*k)
		n.emit(graph.Node{
			Op: graph.Dense, In: []int{in}, Out: []int{out}, Bias: n.has(bias), Act: act, WeightBits: cmp.Or(m.bits, n.bits(m.up)),
			Weights: n.held(matrix), Biases: n.held(bias), Part: part,
			Dims: graph.Dims{N: read, M: each, K: k, C: c}, Idle: (experts - read) * k * c, ScaleBytes: n.blockScales(m, matrix, experts, k*c) * read,
		})
		return out
	}
	y := n.inner(".dispatch", each, read*width)
	n.emit(graph.Node{Op: graph.Copy, Fn: "dispatch", In: n.in[:2], Out: []int{y}})
	act, gated := n.expertActivation(), n.has(m.gate) || n.fused(m, experts, width, inner)
	hidden := product(".up", y, m.up, m.upBias, inner, width, 0, act)
	if gated {
		from, bias := m.up, m.upBias // gate and values in one matrix
		if n.has(m.gate) {
			from, bias = m.gate, m.gateBias
		}
		second := product(".gate", y, from, bias, inner, width, 1, "")
		both := n.inner(".gated", each, read*inner)
		n.emit(graph.Node{Op: graph.Eltwise, Fn: "mul", In: []int{hidden, second}, Out: []int{both}})
		hidden = both
	}
	down := product(".down", hidden, m.down, m.downBias, width, inner, 0, "")
	n.emit(graph.Node{Op: graph.Reduce, Fn: "sum", In: []int{down, n.in[1]}, Out: n.out[:1]})
}

// matrix returns the weights that an expert has in input i, packed or not.
func (n *node) matrix(m mixture, i int, experts int64) int64 {
	const byteBits = 8
	stored := n.g.Elements(n.in[i]) / experts
	if m.bits > 0 {
		stored = stored * byteBits / m.bits
	}
	return stored
}

// blockScales returns the bytes of the scales of so many weights of an expert: those
// behind the packed matrix in input i, which may hold as many again.
func (n *node) blockScales(m mixture, i int, experts, weights int64) int64 {
	if m.bits == 0 {
		return 0
	}
	parts := max(n.matrix(m, i, experts)/max(weights, 1), 1)
	return n.bytes(i+1) / experts / parts
}

// innerOf returns the width inside an expert: its second matrix is inner by
// width, in either order.
func (n *node) innerOf(m mixture, experts, width int64) (inner int64, ok bool) {
	if n.shape(m.up)[0] != experts || n.shape(m.down)[0] != experts {
		return 0, false
	}
	down, up := n.matrix(m, m.down, experts), n.matrix(m, m.up, experts)
	inner = down / width
	return inner, inner > 0 && inner <= graph.MaxDim && down%width == 0 && (up == down || up == 2*down)
}

// fused reports whether the first matrix holds gate and values side by side.
func (n *node) fused(m mixture, experts, width, inner int64) bool {
	return n.matrix(m, m.up, experts) == 2*width*inner
}

// expertActivation names the activation of the first matrix.
func (n *node) expertActivation() string {
	switch kind := n.attrs["activation_type"].s; kind {
	case "", "relu":
		return "relu"
	case "silu", "swiglu":
		return "swish"
	case "identity":
		return ""
	default:
		return kind
	}
}
