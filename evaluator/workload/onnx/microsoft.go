package onnx

import (
	"slices"
	"strings"

	"apollo/evaluator/workload/graph"
)

// What a runtime writes into optimised files, with the domain com.microsoft.

// channelsLast reads an operation over pictures that may have their channels
// last: the elements are the same in another order.
func channelsLast(do infer) infer {
	return func(n *node) {
		if n.int("channels_last", 0) == 0 && !strings.HasPrefix(n.op, "Nhwc") {
			do(n)
			return
		}
		if !n.need(0, 3) {
			return
		}
		s := n.shape(0)
		last := len(s) - 1
		x, y := n.inner(".channels_first", slices.Concat(s[:1], s[last:], s[1:last])...), n.inner(".output")
		if n.err != nil {
			return
		}
		own := n.out[0]
		n.emit(graph.Node{Op: graph.View, In: []int{n.in[0]}, Out: []int{x}})
		n.in[0], n.out[0] = x, y
		if do(n); n.err != nil {
			return
		}
		n.out[0] = own
		s = n.g.Shape(y)
		n.set(0, slices.Concat(s[:1], s[2:], s[1:2]))
		n.emit(graph.Node{Op: graph.View, In: []int{y}, Out: []int{own}})
	}
}

// embedNorm adds the rows of tables for words, positions and segments, and
// normalises.
func (n *node) embedNorm() {
	if !n.need(0, 2) || !n.need(2, 2) || !n.need(3, 2) {
		return
	}
	ids, width := n.shape(0), n.shape(2)[1]
	shape := slices.Concat(ids, []int64{width})
	n.set(0, shape)
	if n.set(1, ids[:1]); len(n.out) > 1 && n.out[1] >= 0 {
		n.g.Tensors[n.out[1]].Const = true // the mask's index
	}
	var rows []int
	for _, table := range []struct {
		name         string
		index, table int
	}{{".word", 0, 2}, {".position", 0, 3}, {".segment", 1, 4}} {
		if !n.has(table.table) || !n.has(table.index) {
			continue
		}
		t := n.inner(table.name, shape...)
		if n.err != nil {
			return
		}
		n.g.Tensors[t].Bits = n.bits(table.table)
		n.emit(graph.Node{Op: graph.Copy, Fn: "gather", In: []int{n.in[table.table], n.in[table.index]}, Out: []int{t}})
		rows = append(rows, t)
	}
	sum := n.inner(".sum", shape...)
	if n.err != nil {
		return
	}
	n.g.Tensors[sum].Bits, n.g.Tensors[n.out[0]].Bits = n.bits(2), n.bits(2)
	n.emit(graph.Node{Op: graph.Eltwise, Fn: "add", In: rows, Out: []int{sum}})
	n.emit(graph.Node{Op: graph.Norm, Fn: "layer", In: []int{sum}, Out: n.out[:1], Const: 2 * width, WeightBits: n.bits(5)})
}

// gatherBlocks takes rows of a table that is quantised in blocks: in bytes with
// two numbers each where they have four bits.
func (n *node) gatherBlocks() {
	if !n.need(0, 1) || !n.need(1, 0) {
		return
	}
	data := slices.Clone(n.shape(0))
	a := n.axis(n.int("gather_axis", 0), len(data))
	width := n.int("bits", 4)
	last := len(data) - 1
	if n.err != nil || width != 4 && width != 8 || data[last] > graph.MaxDim/2 {
		n.misfit("rows of %d bits do not fit the table %v", width, data)
		return
	}
	if n.bits(0) == 8 && width == 4 {
		data[last] *= 2
	}
	table, err := n.tensor(graph.Tensor{Name: graph.Clip(n.outNames[0] + ".table"), Shape: data, Bits: width, Const: n.g.Tensors[n.in[0]].Const})
	if err != nil {
		n.fail("%w", err)
		return
	}
	n.set(0, slices.Concat(data[:a], n.shape(1), data[a+1:]))
	if n.has(2) && n.err == nil {
		n.g.Tensors[n.out[0]].Bits = n.bits(2)
	}
	n.emit(graph.Node{Op: graph.Copy, Fn: "gather", In: []int{table, n.in[1]}})
}

// skipGroupNorm is a sum of pictures and their normalisation in groups.
func (n *node) skipGroupNorm() {
	if !n.need(0, 3) || !n.need(3, 1) {
		return
	}
	shape := n.shape(0)
	n.set(0, shape)
	sum := -1
	if n.set(1, shape); len(n.out) > 1 {
		sum = n.out[1]
	}
	if sum < 0 {
		sum = n.inner(".sum", shape...)
	}
	if n.err != nil {
		return
	}
	n.emit(graph.Node{Op: graph.Eltwise, Fn: "add", In: []int{n.in[0], n.in[3]}, Out: []int{sum}})
	n.emit(graph.Node{Op: graph.Norm, Fn: "group", In: []int{sum}, Out: n.out[:1], Const: 2 * shape[len(shape)-1]})
}

// gemmGelu is a product with an activation behind it.
func (n *node) gemmGelu() {
	nodes := len(n.g.Nodes)
	n.matMul()
	if len(n.g.Nodes) > nodes {
		last := &n.g.Nodes[len(n.g.Nodes)-1]
		last.Act, last.Bias, last.Biases = "gelu", n.has(2), n.held(2)
	}
}
