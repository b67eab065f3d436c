package onnx

import (
	"slices"

	"apollo/evaluator/workload/graph"
)

// aligned brings the second operand of an operation from before opset 7, which
// says at which axis of the first it begins, to the rule of today.
func (n *node) aligned(in []int) []int {
	axis, old := n.attrs["axis"]
	if !old || len(in) != 2 || slices.Min(in) < 0 {
		return in
	}
	a, b := n.g.Shape(in[0]), n.g.Tensors[in[1]]
	at := n.axis(axis.i, max(len(a), 1))
	missing := len(a) - at - len(b.Shape)
	if n.err != nil || missing <= 0 {
		return in
	}
	shape := slices.Concat(b.Shape, slices.Repeat([]int64{1}, missing))
	t := n.inner(".aligned", shape...)
	if n.err != nil {
		return in
	}
	n.g.Tensors[t].Bits, n.g.Tensors[t].Const = b.Bits, b.Const
	if v, ok := n.values[in[1]]; ok {
		n.values[t] = v
	}
	if !b.Const {
		n.emit(graph.Node{Op: graph.View, In: in[1:], Out: []int{t}})
	}
	return []int{in[0], t}
}

// crop is the operation of that name from before opset 7: what is cut off
// left, above, right and below, and perhaps the size that stays.
func (n *node) crop() {
	if !n.need(0, 4) {
		return
	}
	x, border, size := slices.Clone(n.shape(0)), n.attrs["border"].ints, n.attrs["scale"].ints
	if len(x) != 4 || len(border) != 4 || slices.Min(border) < 0 || slices.Max(border) > graph.MaxDim {
		n.misfit("the border %v does not fit the input %v", border, x)
		return
	}
	x[2] -= border[1] + border[3]
	x[3] -= border[0] + border[2]
	if len(size) == 2 {
		x[2], x[3] = size[0], size[1]
	}
	n.set(0, x)
	n.emit(graph.Node{Op: graph.Copy, Fn: "slice", In: n.in[:1]})
}

// typeNamed is the element type behind a name, as opset 1 to 5 of Cast write
// it.
func typeNamed(name string) int64 {
	return map[string]int64{
		"FLOAT": typeFloat, "UINT8": typeUint8, "INT8": typeInt8, "UINT16": typeUint16, "INT16": typeInt16, "INT32": typeInt32, "INT64": typeInt64,
		"BOOL": typeBool, "FLOAT16": typeHalf, "DOUBLE": typeDouble, "UINT32": typeUint32, "UINT64": typeUint64,
	}[name]
}
