package tflite

import (
	"fmt"
	"slices"

	"apollo/evaluator/workload/graph"
)

// cellAt says where a recurrent operator has the parameters of a gate that all cells have, -1 for
// states that are in the matrix of the inputs.
type cellAt struct{ inputs, states, bias int }

// lstmAt are those of the forget gate.
func lstmAt() cellAt { return cellAt{2, 6, 13} }

// lstm reads LSTM and UNIDIRECTIONAL_SEQUENCE_LSTM: input weights at inputs 1
// to 4, recurrent weights at 5 to 8, biases at 12 to 15, a projection at 16.
func (o *operator) lstm(entry) {
	if len(o.in) == 5 {
		o.basicLSTM()
		return
	}
	if !o.want(0, -1, "input") || !o.want(2, 2, "input-to-forget matrix") || !o.want(6, 2, "recurrent matrix") {
		return
	}
	w, r := o.shape(2), o.shape(6)
	units, state := w[0], r[1]
	if !o.steps(w[1]) {
		return
	}
	gates := int64(4)
	if !o.has(1) { // input and forget gate are coupled
		gates = 3
	}
	projection := o.has(16)
	if !projection && gates == 4 && state == units {
		o.emit(o.cell("lstm", units, w[1], lstmAt()))
		return
	}
	rows := o.g.Elements(o.in[0]) / w[1]
	y := o.inner(".gates", rows, gates*units)
	h := o.inner(".state", rows, state)
	o.emit(graph.Node{
		Op: graph.Copy, Fn: "slice", In: o.in[:1], Out: []int{h},
	})
	o.emit(graph.Node{
		Op: graph.Dense, In: o.in[:1], Out: []int{y}, Bias: true, WeightBits: o.g.Tensors[o.in[2]].Bits, Weights: o.held(2), Biases: o.held(13),
		Dims: graph.Dims{M: rows, K: gates * units, C: w[1]},
	})
	z := o.inner(".recurrent", rows, gates*units)
	o.emit(graph.Node{
		Op: graph.Dense, In: []int{h}, Out: []int{z}, WeightBits: o.g.Tensors[o.in[6]].Bits, Weights: o.held(6),
		Dims: graph.Dims{M: rows, K: gates * units, C: state},
	})
	sum := o.inner(".cell", rows, gates*units)
	o.emit(graph.Node{Op: graph.Eltwise, Fn: "add", In: []int{y, z}, Out: []int{sum}, Act: "sigmoid"})
	if !projection {
		o.emit(graph.Node{Op: graph.Reduce, Fn: "lstm", In: []int{sum}})
		return
	}
	cell := o.inner(".hidden", rows, units)
	o.emit(graph.Node{Op: graph.Reduce, Fn: "lstm", In: []int{sum}, Out: []int{cell}})
	o.emit(graph.Node{
		Op: graph.Dense, In: []int{cell}, Bias: o.has(17), WeightBits: o.g.Tensors[o.in[16]].Bits, Weights: o.held(16), Biases: o.held(17),
		Dims: graph.Dims{M: rows, K: state, C: units},
	})
}

// basicLSTM has all four gates in one matrix over input and state, and their bias behind it.
func (o *operator) basicLSTM() {
	if !o.want(0, -1, "input") || !o.want(2, 2, "matrix") {
		return
	}
	w := o.shape(2)
	units := w[0] / 4
	features := w[1] - units
	if units < 1 || features < 1 || !o.steps(features) {
		o.fail("the matrix %v does not fit the input %v", w, o.shape(0))
		return
	}
	o.emit(o.cell("lstm", units, features, cellAt{2, -1, 3}))
}

// steps checks that the input has whole steps of the given features.
func (o *operator) steps(features int64) bool {
	if features < 1 || o.g.Elements(o.in[0])%features != 0 {
		o.fail("the input %v has no whole steps of %d features", o.shape(0), features)
		return false
	}
	return true
}

// cell is a recurrent layer whose weights have the width of those of the inputs.
func (o *operator) cell(cell string, units, features int64, at cellAt) graph.Node {
	rows := o.g.Elements(o.in[0]) / features
	d := graph.Dims{N: 1, M: rows, K: units, C: features}
	if s := o.shape(0); len(s) == 3 && s[0] > 0 && rows%s[0] == 0 {
		d.N, d.M = s[0], rows/s[0]
	}
	n := graph.Node{Op: graph.RNN, Fn: cell, Dims: d, In: o.in[:1], Bias: true, WeightBits: o.g.Tensors[o.in[at.inputs]].Bits}
	n.Weights, n.Biases = o.held(at.inputs), o.held(at.bias)
	if at.states >= 0 {
		n.Recurrent = o.held(at.states)
	}
	return n
}

// bothLSTM runs forward and backward: the weights of the second direction are 17
// inputs behind those of the first.
func (o *operator) bothLSTM(entry) {
	const behind, projection, auxiliary = 17, 16, 39
	forward := lstmAt()
	backward := cellAt{forward.inputs + behind, forward.states + behind, forward.bias + behind}
	for _, at := range []cellAt{forward, backward} {
		if !o.want(at.inputs-1, 2, "input matrix") || !o.want(at.inputs, 2, "input-to-forget matrix") || !o.want(at.states, 2, "recurrent matrix") {
			return
		}
	}
	if o.has(projection) || o.has(projection+behind) || o.has(auxiliary) {
		o.fail("a projection, or a second input, of both directions is not supported: convert the model with an LSTM for each direction, or to ONNX")
		return
	}
	o.both("lstm", forward, backward, 3)
}

// bothRNN has input weights, recurrent weights and bias at 1 to 3, and at 5 to 7.
func (o *operator) bothRNN(entry) {
	const auxiliary = 9
	forward, backward := cellAt{1, 2, 3}, cellAt{5, 6, 7}
	for _, at := range []cellAt{forward, backward} {
		if !o.want(at.inputs, 2, "matrix") || !o.want(at.states, 2, "recurrent matrix") {
			return
		}
	}
	if o.has(auxiliary) {
		o.fail("a second input of both directions is not supported: convert the model with an RNN for each direction, or to ONNX")
		return
	}
	o.both("rnn", forward, backward, 2)
}

// both emits the two directions, and joins what they write where the operator has one
// output, as option merge says.
func (o *operator) both(cell string, forward, backward cellAt, merge int) {
	outs := slices.Clone(o.out)
	if merged := o.options.byte(merge) != 0; merged || len(outs) < 2 || slices.Min(outs) < 0 {
		outs = nil
	}
	var parts []int
	for i, at := range []cellAt{forward, backward} {
		w, r := o.shape(at.inputs), o.shape(at.states)
		if w[0] < 1 || r[1] != w[0] || !o.steps(w[1]) {
			o.fail("the matrices %v and %v do not fit the input %v", w, r, o.shape(0))
			return
		}
		n := o.cell(cell, w[0], w[1], at)
		if outs != nil {
			n.Out = outs[i : i+1]
		} else {
			parts = append(parts, o.inner([]string{".forward", ".backward"}[i], n.Dims.N, n.Dims.M, n.Dims.K))
			n.Out = parts[i:]
		}
		o.emit(n)
	}
	if outs == nil {
		o.emit(graph.Node{Op: graph.Copy, Fn: "concat", In: parts, Out: o.out[:1]})
	}
}

// rnn has input weights at input 1, recurrent weights at input 2 and a bias at input 3.
func (o *operator) rnn(entry) {
	if !o.want(0, -1, "input") || !o.want(1, 2, "matrix") || !o.want(2, 2, "recurrent matrix") {
		return
	}
	if w := o.shape(1); o.steps(w[1]) {
		o.emit(o.cell("rnn", w[0], w[1], cellAt{1, 2, 3}))
	}
}

// svdf is a filter over features, then one over time (Nakkiran et al.,
// Interspeech 2015): features at input 1, time at input 2, bias at 3, the
// memory of past results at 4.
func (o *operator) svdf(entry) {
	if !o.want(0, 2, "input") || !o.want(1, 2, "feature filter") || !o.want(2, 2, "time filter") {
		return
	}
	x, f, w := o.shape(0), o.shape(1), o.shape(2)
	if f[1] != x[1] || w[0] != f[0] || f[0] < 1 {
		o.fail("the filters %v and %v do not fit the input %v", f, w, x)
		return
	}
	n, filters, memory := x[0], f[0], w[1]
	y := o.inner(".features", n, filters)
	o.emit(graph.Node{
		Op: graph.Dense, In: o.in[:1], Out: []int{y}, WeightBits: o.g.Tensors[o.in[1]].Bits, Weights: o.held(1),
		Dims: graph.Dims{M: n, K: filters, C: f[1]},
	})
	past := o.inner(".memory", n, memory, 1, filters)
	push := []int{y}
	if o.has(4) {
		push = append(push, o.in[4])
	}
	o.emit(graph.Node{Op: graph.Copy, Fn: "concat", In: push, Out: []int{past}})
	z := o.inner(".time", n, 1, 1, filters)
	o.emit(graph.Node{
		Op: graph.Conv, In: []int{past}, Out: []int{z}, WeightBits: o.g.Tensors[o.in[2]].Bits, Weights: o.held(2),
		Dims: graph.Dims{
			N: n, K: filters, C: 1, P: 1, Q: 1, R: memory, S: 1, H: memory, W: 1, Groups: filters,
			Stride: pair(1, 1), Dilation: pair(1, 1),
		},
	})
	bias := int64(0)
	if o.has(3) {
		bias = o.g.Elements(o.in[3])
	}
	o.emit(graph.Node{Op: graph.Reduce, Fn: "sum", In: []int{z}, Const: bias, Act: o.activation(1)})
}

// custom reads operators beyond the schema.
func (o *operator) custom() {
	n := graph.Node{Op: graph.Opaque, Inexact: "the custom operation is not known"}
	switch o.code.custom {
	case "Convolution2DTransposeBias": // MediaPipe: input, filter, bias
		if x, w := o.shape(0), o.shape(1); len(x) == 4 && len(w) == 4 && w[3] > 0 && w[3] == x[3] {
			n.Inexact = fmt.Sprintf("a custom operation of MediaPipe, by its name a transposed convolution of about %.2f M multiplications that are not counted",
				float64(o.g.Elements(o.in[0]))*float64(o.g.Elements(o.in[1]))/float64(w[3])/1e6)
		}
	case "TFLite_Detection_PostProcess":
		n.Inexact = "box decoding and non-maximum suppression"
	}
	o.emit(n)
}
