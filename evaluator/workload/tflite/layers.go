package tflite

import "apollo/evaluator/workload/graph"

// Padding and other options are read only where shapes do not say it already.

func (o *operator) unsupported(entry) {
	o.fail("the operation is not supported: convert the model to ONNX, where its parts are, or leave it out")
}

// constant is an operator whose output follows from shapes.
func (o *operator) constant(entry) {
	for _, t := range graph.Present(o.out) {
		o.g.Tensors[t].Const = true
	}
}

// simple is an operator whose tensors are all data.
func (o *operator) simple(e entry) {
	n := graph.Node{Op: e.op, Fn: e.fn}
	if e.fused >= 0 {
		n.Act = o.activation(e.fused)
	}
	o.emit(n)
}

// first is an operator whose inputs behind the first are parameters; second
// has one parameter before its data.
func (o *operator) first(e entry)  { o.nth(e, 0) }
func (o *operator) second(e entry) { o.nth(e, 1) }

func (o *operator) nth(e entry, i int) {
	if o.want(i, -1, "data") {
		o.emit(graph.Node{Op: e.op, Fn: e.fn, In: []int{o.in[i]}})
	}
}

// update writes a part of a tensor where it is, as a token's keys into their cache.
func (o *operator) update(e entry) {
	if !o.want(0, -1, "operand") || !o.want(1, -1, "update") {
		return
	}
	n := graph.Node{Op: graph.Copy, Fn: "append", In: []int{o.in[0], o.in[1]}}
	if o.g.Tensors[o.in[0]].Const { // what is stored is read
		n.Fn = "slice"
	}
	o.emit(n)
}

// weighted fills in what convolutions and products share: the values at input
// x, weights at input 1 and a bias at input b.
func (o *operator) weighted(n graph.Node, x, b int) {
	n.In, n.Bias, n.Biases = []int{o.in[x]}, o.has(b), o.held(b)
	o.product(n)
}

// product is weighted of a node that says what it reads, and whether it has a bias.
func (o *operator) product(n graph.Node) {
	const w = 1
	n.WeightBits, n.Weights = o.g.Tensors[o.in[w]].Bits, o.in[w]+1
	if !o.g.Tensors[o.in[w]].Const {
		o.g.NoteCounted("weights", o.name()+" "+o.g.Tensors[o.out[0]].Name)
	}
	o.emit(n)
}

func (o *operator) conv(entry) {
	if !o.want(0, 4, "input") || !o.want(1, 4, "filter") || !o.wantOut() {
		return
	}
	x, w, y := o.shape(0), o.shape(1), o.output()
	if w[3] < 1 || x[3]%w[3] != 0 || w[0] != y[3] || y[0] != x[0] {
		o.fail("the filter %v does not fit the input %v and the output %v", w, x, y)
		return
	}
	d := graph.Dims{
		N: y[0], K: w[0], C: w[3], P: y[1], Q: y[2], R: w[1], S: w[2], H: x[1], W: x[2], Groups: x[3] / w[3],
		Stride:   pair(o.options.int32(2, 0), o.options.int32(1, 0)),
		Dilation: pair(o.options.int32(5, 1), o.options.int32(4, 1)),
	}
	o.weighted(graph.Node{Op: graph.Conv, Dims: d, Act: o.activation(3)}, 0, 2)
}

func (o *operator) depthwise(entry) {
	if !o.want(0, 4, "input") || !o.want(1, 4, "filter") || !o.wantOut() {
		return
	}
	x, w, y := o.shape(0), o.shape(1), o.output()
	if x[3] < 1 || w[3]%x[3] != 0 || w[3] != y[3] || y[0] != x[0] || w[0] != 1 {
		o.fail("the filter %v does not fit the input %v and the output %v", w, x, y)
		return
	}
	d := graph.Dims{
		N: y[0], K: w[3], C: 1, P: y[1], Q: y[2], R: w[1], S: w[2], H: x[1], W: x[2], Groups: x[3],
		Stride:   pair(o.options.int32(2, 0), o.options.int32(1, 0)),
		Dilation: pair(o.options.int32(6, 1), o.options.int32(5, 1)),
	}
	o.weighted(graph.Node{Op: graph.Conv, Dims: d, Act: o.activation(4)}, 0, 2)
}

// wantOut checks that the output is an image: rank 4.
func (o *operator) wantOut() bool {
	if len(o.output()) != 4 {
		o.fail("the output has the shape %v, want rank 4", o.output())
		return false
	}
	return true
}

// transposeConv has the output's shape, the filter, the input and a bias.
func (o *operator) transposeConv(entry) {
	if !o.want(1, 4, "filter") || !o.want(2, 4, "input") || !o.wantOut() {
		return
	}
	x, w, y := o.shape(2), o.shape(1), o.output()
	if w[3] != x[3] || w[0] != y[3] || y[0] != x[0] {
		o.fail("the filter %v does not fit the input %v and the output %v", w, x, y)
		return
	}
	d := graph.Dims{
		N: y[0], K: w[0], C: w[3], P: y[1], Q: y[2], R: w[1], S: w[2], H: x[1], W: x[2], Groups: 1,
		Stride: pair(o.options.int32(2, 1), o.options.int32(1, 1)), Dilation: pair(1, 1),
	}
	o.weighted(graph.Node{Op: graph.Deconv, Dims: d, Act: o.activation(3)}, 2, 3)
}

func (o *operator) dense(entry) {
	if !o.want(0, -1, "input") || !o.want(1, 2, "matrix") {
		return
	}
	w, elements := o.shape(1), o.g.Elements(o.in[0])
	if w[1] < 1 || elements%w[1] != 0 || o.g.Elements(o.out[0]) != elements/w[1]*w[0] {
		o.fail("the matrix %v does not fit the input %v and the output %v", w, o.shape(0), o.output())
		return
	}
	d := graph.Dims{M: elements / w[1], K: w[0], C: w[1]}
	o.weighted(graph.Node{Op: graph.Dense, Dims: d, Act: o.activation(0)}, 0, 2)
}

func (o *operator) batchMatMul(entry) {
	if !o.want(0, -1, "first matrix") || !o.want(1, -1, "second matrix") {
		return
	}
	product, ok := graph.Product(o.shape(0), o.shape(1), o.options.byte(0) != 0, o.options.byte(1) != 0)
	if !ok || product.N*product.M*product.K != o.g.Elements(o.out[0]) {
		o.fail("the matrices %v and %v do not give %v", o.shape(0), o.shape(1), o.output())
		return
	}
	n := graph.MatMulNode(o.g, product, o.in[0], o.in[1])
	o.emit(n)
}

func (o *operator) pool(e entry) {
	if !o.want(0, 4, "input") || !o.wantOut() {
		return
	}
	x, y := o.shape(0), o.output()
	d := graph.Dims{
		N: y[0], K: y[3], P: y[1], Q: y[2], H: x[1], W: x[2],
		R: o.options.int32(4, 0), S: o.options.int32(3, 0),
		Stride: pair(o.options.int32(2, 0), o.options.int32(1, 0)),
	}
	o.emit(graph.Node{Op: graph.Pool, Fn: e.fn, Dims: d, Act: o.activation(5), In: o.in[:1]})
}

// mean over height and width is a global pooling.
func (o *operator) mean(e entry) {
	if !o.want(0, -1, "data") {
		return
	}
	x, elements := o.shape(0), o.g.Elements(o.out[0])
	if len(x) == 4 && elements == x[0]*x[3] && x[1]*x[2] > 1 && x[0] == 1 {
		d := graph.Dims{N: x[0], K: x[3], P: 1, Q: 1, H: x[1], W: x[2], R: x[1], S: x[2]}
		o.emit(graph.Node{Op: graph.Pool, Fn: "avg", Dims: d, In: o.in[:1]})
		return
	}
	o.emit(graph.Node{Op: graph.Reduce, Fn: "mean", In: o.in[:1]})
}

func (o *operator) pad(e entry) {
	if !o.want(0, -1, "data") {
		return
	}
	x, y := o.shape(0), o.output()
	spatial := len(x) == 4 && len(y) == 4 && x[0] == y[0] && x[3] == y[3]
	o.emit(graph.Node{Op: e.op, Fn: e.fn, In: o.in[:1], Spatial: spatial})
}
