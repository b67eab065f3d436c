package onnx

import "apollo/evaluator/workload/graph"

func (n *node) gemm() {
	second, bias := 1, 2
	if n.op == "QGemm" { // scales and zero points are between
		second, bias = 3, 6
	}
	if !n.need(0, 2) || !n.need(second, 2) {
		return
	}
	a, b := n.shape(0), n.shape(second)
	d, ok := graph.Product(a, b, n.int("transA", 0) != 0, n.int("transB", 0) != 0)
	if !ok || len(a) != 2 || len(b) != 2 {
		n.misfit("the matrices %v and %v do not fit", a, b)
		return
	}
	n.set(0, []int64{d.M, d.K})
	product := graph.MatMulNode(n.g, d, n.in[0], n.in[second])
	product.Act = n.fusedAct()
	if product.Op == graph.Dense && (!n.has(bias) || n.g.Tensors[n.in[bias]].Const) {
		product.Bias, product.Biases = n.has(bias), n.held(bias)
		n.emit(product)
		return
	}
	if !n.has(bias) {
		n.emit(product)
		return
	}
	t := n.inner(".product", d.M, d.K)
	product.Out = []int{t}
	n.emit(product)
	n.emit(graph.Node{Op: graph.Eltwise, Fn: "add", In: []int{t, n.in[bias]}})
}

// matMul follows the rules of numpy.matmul.
func (n *node) matMul() {
	second := 1
	if n.op == "QLinearMatMul" {
		second = 3
	}
	if !n.need(0, 1) || !n.need(second, 1) {
		return
	}
	a, b := n.shape(0), n.shape(second)
	d, ok := graph.Product(a, b, n.int("transA", 0) != 0, n.int("transB", 0) != 0)
	if !ok {
		n.misfit("the matrices %v and %v do not fit", a, b)
		return
	}
	var out []int64
	if len(a) > 2 || len(b) > 2 {
		out, _ = graph.Broadcast(a[:max(len(a)-2, 0)], b[:max(len(b)-2, 0)])
	}
	if len(a) > 1 {
		out = append(out, d.M)
	}
	if len(b) > 1 {
		out = append(out, d.K)
	}
	n.set(0, out)
	n.sums("MatMulInteger")
	if n.op == "MatMul" && len(a) <= 2 && len(b) <= 2 {
		n.fold(func(v [][]float64) []float64 { return multiplied(v, d) }, 2)
	}
	n.emit(graph.MatMulNode(n.g, d, n.in[0], n.in[second]))
}

// recurrent reads X [steps, batch, features], W [directions, gates*units,
// features] and R [directions, gates*units, units].
func recurrent(cell string, gates int64) infer {
	return func(n *node) {
		if n.need(0, 3) && n.need(1, 3) && n.need(2, 3) {
			n.recur(cell, gates, n.shape(1), n.shape(2))
		}
	}
}

// quantisedLSTM is DynamicQuantizeLSTM of com.microsoft, whose matrices stand on
// their other side.
func (n *node) quantisedLSTM() {
	if n.need(0, 3) && n.need(1, 3) && n.need(2, 3) {
		w, r := n.shape(1), n.shape(2)
		n.recur("lstm", 4, []int64{w[0], w[2], w[1]}, []int64{r[0], r[2], r[1]})
	}
}

func (n *node) recur(cell string, gates int64, w, r []int64) {
	x, units, directions := n.shape(0), r[2], w[0]
	if len(x) != 3 || len(w) != 3 || len(r) != 3 || w[1] != gates*units || w[2] != x[2] || r[0] != directions || directions < 1 || directions > 2 {
		n.misfit("the matrices %v and %v do not fit the input %v", w, r, x)
		return
	}
	if hidden := n.int("hidden_size", units); hidden != units {
		n.misfit("hidden_size is %d, the matrices %v and %v have %d units", hidden, w, r, units)
		return
	}
	steps, batch := x[0], x[1]
	all, last := []int64{steps, directions, batch, units}, []int64{directions, batch, units}
	if n.int("layout", 0) == 1 { // the batch stands first
		steps, batch = batch, steps
		all, last = []int64{batch, steps, directions, units}, []int64{batch, directions, units}
	}
	n.set(0, all)
	n.set(1, last)
	n.set(2, last)
	in := n.in[:1:1]
	for _, t := range n.present(4, 5, 6) { // lengths, and the states that it begins with
		if !n.g.Tensors[t].Const {
			in = append(in, t)
		}
	}
	n.storedAtRunTime("weights", 1, 2)
	n.cells(graph.Node{
		Op: graph.RNN, Fn: cell, In: in, Bias: n.has(3), WeightBits: n.bits(1), Weights: n.in[1] + 1, Recurrent: n.in[2] + 1, Biases: n.held(3),
		Dims: graph.Dims{N: batch, M: steps, K: units, C: x[2]},
	}, directions)
}

// held returns the tensor that input i is, plus 1; 0 where there is none.
func (n *node) held(i int) int {
	if !n.has(i) {
		return 0
	}
	return n.in[i] + 1
}

// cells emits one layer a direction, and what joins and picks their outputs.
func (n *node) cells(cell graph.Node, directions int64) {
	d := cell.Dims
	var ends []int
	for i := range directions {
		ends = append(ends, n.inner([]string{".forward", ".backward"}[i], d.M, 1, d.N, d.K))
		if n.err != nil {
			return
		}
		cell.Out, cell.Part = ends[i:i+1], i
		n.emit(cell)
	}
	for i, t := range n.out {
		if t >= 0 {
			fn := "concat"
			if i > 0 {
				fn = "slice"
			}
			n.emit(graph.Node{Op: graph.Copy, Fn: fn, In: ends, Out: n.out[i : i+1]})
		}
	}
}
