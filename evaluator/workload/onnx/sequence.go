package onnx

import (
	"fmt"
	"slices"
	"strings"

	"apollo/evaluator/workload/graph"
)

// A sequence is a list of tensors that is known while the file is read: making
// one and taking from it is no work, cutting and joining tensors is.

// sequence returns the tensors of the first input.
func (n *node) sequence() ([]int, bool) {
	if !n.has(0) {
		n.misfit("input 0 is missing")
		return nil, false
	}
	list, ok := n.sequences[n.in[0]]
	if !ok {
		n.fail("input 0 is no sequence whose length follows from the file: export the model with tensors in its place")
	}
	return list, ok && n.err == nil
}

// lists makes output 0 a sequence.
func (n *node) lists(list []int) {
	if n.err == nil && n.out[0] >= 0 {
		n.sequences[n.out[0]] = list
		n.g.Tensors[n.out[0]].Const = false
	}
}

func (n *node) sequenceConstruct() {
	if len(n.in) > 0 && slices.Min(n.in) < 0 {
		n.misfit("an input is missing")
		return
	}
	n.lists(slices.Clone(n.in))
}

// position is the value of input i, an index into a list; absent where the
// input is.
func (n *node) position(i, length, absent int) (int, bool) {
	if !n.has(i) {
		return absent, true
	}
	v, ok := n.scalar(i)
	if !ok {
		n.fail("its position is computed at run time: export the model with tensors in place of the sequence")
		return 0, false
	}
	at := whole(v)
	if at < 0 {
		at += int64(length)
	}
	if at < 0 || at > int64(length) {
		n.misfit("position %d does not exist in a sequence of %d", whole(v), length)
		return 0, false
	}
	return int(at), true
}

func (n *node) sequenceInsert() {
	list, ok := n.sequence()
	if !ok || !n.need(1, 0) {
		return
	}
	if at, ok := n.position(2, len(list), len(list)); ok {
		n.lists(slices.Insert(slices.Clone(list), at, n.in[1]))
	}
}

func (n *node) sequenceErase() {
	list, ok := n.sequence()
	if !ok {
		return
	}
	if at, ok := n.position(1, len(list), len(list)-1); ok && at >= 0 && at < len(list) {
		n.lists(slices.Delete(slices.Clone(list), at, at+1))
	} else if ok {
		n.misfit("position %d does not exist in a sequence of %d", at, len(list))
	}
}

// sequenceAt names an element: its output is that tensor.
func (n *node) sequenceAt() {
	list, ok := n.sequence()
	if !ok {
		return
	}
	at, ok := n.position(1, len(list), 0)
	switch {
	case ok && at < len(list):
		n.out[0] = list[at]
	case ok:
		n.misfit("position %d does not exist in a sequence of %d", at, len(list))
	}
}

func (n *node) sequenceLength() {
	if list, ok := n.sequence(); ok {
		n.write([]float64{float64(len(list))}, true, nil, 64)
	}
}

// splitToSequence cuts into parts of one size, of given sizes, or of one element
// each, which may lose the axis.
func (n *node) splitToSequence() {
	if !n.need(0, 1) {
		return
	}
	x := n.shape(0)
	a := n.axis(n.int("axis", 0), len(x))
	var sizes []int64
	each, keep := int64(1), n.has(1) || n.int("keepdims", 1) != 0
	given, ok := n.ints(1, "")
	switch {
	case n.has(1) && !ok:
		n.fail("the sizes of the parts are computed at run time: export the model with fixed shapes")
		return
	case ok && len(n.shape(1)) > 0:
		sizes = given
	case ok && len(given) == 1:
		each = given[0]
	}
	if n.err != nil || each < 1 || x[a]/max(each, 1) > graph.MaxNodes {
		n.misfit("parts of %d do not fit the input %v", each, x)
		return
	}
	if len(sizes) == 0 {
		for rest := x[a]; rest > 0; rest -= each {
			sizes = append(sizes, min(each, rest))
		}
	}
	if !fill(sizes, x[a]) {
		n.misfit("the parts %v do not add up to axis %d of the input %v", sizes, a, x)
		return
	}
	n.lists(n.parted(n.in[0], a, sizes, keep))
}

// fill reports whether parts add up to an axis.
func fill(parts []int64, size int64) bool {
	for _, p := range parts {
		if p < 0 || p > size {
			return false
		}
		size -= p
	}
	return size == 0
}

// concatFromSequence joins along an axis that is there, or along a new one.
func (n *node) concatFromSequence() {
	list, ok := n.sequence()
	if !ok {
		return
	}
	if len(list) == 0 {
		n.misfit("it joins a sequence without elements")
		return
	}
	if n.int("new_axis", 0) != 0 {
		n.out[0] = n.stacked(n.outNames[0], list, nil, n.int("axis", 0))
		return
	}
	shape := slices.Clone(n.g.Shape(list[0]))
	a := n.axis(n.int("axis", 0), len(shape))
	if n.err != nil {
		return
	}
	for _, t := range list[1:] {
		if !along(&shape, n.g.Shape(t), a) {
			n.misfit("the shapes %v and %v do not join along axis %d", shape, n.g.Shape(t), a)
			return
		}
	}
	n.out[0] = n.joined(n.outNames[0], list, shape, a)
}

// along adds a shape to another along an axis; false where they do not join.
func along(to *[]int64, s []int64, axis int) bool {
	out := *to
	if len(s) != len(out) || s[axis] > graph.MaxDim-out[axis] {
		return false
	}
	for i := range s {
		if i != axis && s[i] != out[i] {
			return false
		}
	}
	out[axis] += s[axis]
	return true
}

// inSequence carries out an operation that reads a sequence, and refuses those
// that cannot.
func (n *node) inSequence() {
	for i, t := range n.in {
		list, ok := n.sequences[t]
		switch {
		case !ok || strings.Contains(n.op, "Sequence") || strings.HasSuffix(n.op, "Attention"):
		case n.op == "Identity" && len(n.out) == 1:
			n.lists(list)
		default:
			n.fail("input %d is a sequence of tensors, which it cannot read: export the model with tensors in its place", i)
		}
	}
}

// sequenceMap reads its body for every element of its first sequence; other
// inputs are sequences too, or the same tensor for all.
func (n *node) sequenceMap() error {
	b := n.bodyOf("body")
	list, ok := n.sequence()
	if !ok {
		return n.err
	}
	if len(b.inputs) != len(n.in) || len(b.outputs) < len(n.outNames) || slices.Min(n.in) < 0 {
		n.misfit("its body has %d inputs and %d outputs, which does not fit its %d inputs", len(b.inputs), len(b.outputs), len(n.in))
		return n.err
	}
	parts := make([][]int, len(b.outputs))
	for i := range list {
		in := slices.Clone(n.in)
		for j, t := range n.in {
			if s, ok := n.sequences[t]; ok {
				if i >= len(s) {
					n.misfit("its sequences have %d and %d elements", len(list), len(s))
					return n.err
				}
				in[j] = s[i]
			}
		}
		out := n.turn(b, in)
		if n.err != nil {
			return n.err
		}
		for j, t := range out {
			parts[j] = append(parts[j], t)
		}
	}
	results := make([]int, len(parts))
	for i := range parts {
		t, err := n.tensor(graph.Tensor{Name: graph.Clip(b.outputs[i])})
		if err != nil {
			return fmt.Errorf("%s: %w", n.title(), err)
		}
		n.sequences[t], results[i] = parts[i], t
	}
	n.unrolled(len(list))
	return n.results(results)
}
