package onnx

import (
	"slices"

	"apollo/evaluator/workload/graph"
)

// spatial is a window over one or two dimensions; one dimension is a picture
// of height 1.
type spatial struct {
	in, out, kernel, stride, dilation [2]int64
}

// two brings the one or two numbers of an attribute to a pair.
func (n *node) two(attr string, rank int, absent int64) [2]int64 {
	a, ok := n.attrs[attr]
	if !ok || len(a.ints) == 0 {
		if rank == 1 {
			return [2]int64{1, absent}
		}
		return [2]int64{absent, absent}
	}
	if len(a.ints) != rank {
		n.misfit("%s has %d numbers, want %d", attr, len(a.ints), rank)
		return [2]int64{1, 1}
	}
	if rank == 1 {
		return [2]int64{1, a.ints[0]}
	}
	return [2]int64{a.ints[0], a.ints[1]}
}

// area returns height and width of a tensor N, C, [D,] [H,] W.
func area(s []int64) [2]int64 {
	if len(s) == 3 {
		return [2]int64{1, s[2]}
	}
	return [2]int64{s[len(s)-2], s[len(s)-1]}
}

// flat reports whether the first input has one to three spatial dimensions.
func (n *node) flat() bool {
	if n.need(0, 3) && len(n.shape(0)) > 5 {
		n.fail("input 0 has the shape %v: windows over more than three dimensions are not supported: export the model with one, two or three", n.shape(0))
	}
	return n.err == nil
}

// window reads the attributes of a convolution or pooling; the kernel is given.
func (n *node) window(x []int64, kernel [2]int64) (w spatial) {
	rank := len(x) - 2
	w = spatial{in: area(x), kernel: kernel, stride: n.two("strides", rank, 1), dilation: n.two("dilations", rank, 1)}
	for i := range 2 {
		for _, v := range []int64{w.kernel[i], w.stride[i], w.dilation[i]} {
			if v < 1 || v > graph.MaxDim {
				n.misfit("kernel, stride or dilation is %d, want 1 to %d", v, int64(graph.MaxDim))
				return w
			}
		}
	}
	return w
}

// pads returns what is added before and after each dimension.
func (n *node) pads(rank int) (before, after [2]int64) {
	a, ok := n.attrs["pads"]
	if !ok || len(a.ints) == 0 {
		return before, after
	}
	if len(a.ints) != 2*rank {
		n.misfit("pads has %d numbers, want %d", len(a.ints), 2*rank)
		return before, after
	}
	for i := range rank {
		j := i + 2 - rank
		before[j], after[j] = a.ints[i], a.ints[rank+i]
		if min(before[j], after[j]) < -graph.MaxDim || max(before[j], after[j]) > graph.MaxDim {
			n.misfit("pads has the number %d", max(before[j], after[j]))
		}
	}
	return before, after
}

// slide computes the output of a window that moves over its input.
func (n *node) slide(w *spatial, rank int, ceil bool) {
	before, after := n.pads(rank)
	n.move(w, before, after, ceil)
}

func (n *node) move(w *spatial, before, after [2]int64, ceil bool) {
	auto := n.attrs["auto_pad"].s
	for i := range 2 {
		reach := w.dilation[i]*(w.kernel[i]-1) + 1
		if auto == "SAME_UPPER" || auto == "SAME_LOWER" {
			w.out[i] = (w.in[i] + w.stride[i] - 1) / w.stride[i]
			continue
		}
		room := w.in[i] - reach
		if auto != "VALID" {
			room += before[i] + after[i]
		}
		// ONNX divides toward zero: a window that is less than one step longer than
		// the input has one place, and reaches beyond the end.
		if room <= -w.stride[i] {
			n.fail("a window of %d does not fit into an input of %d, so its output is empty: give the model a larger input "+
				"(--dim, where the file leaves its size open), or export it again with one", reach, w.in[i])
			return
		}
		w.out[i] = room/w.stride[i] + 1
		if !ceil {
			continue
		}
		if room > 0 && room%w.stride[i] != 0 {
			w.out[i]++
		}
		// A window that would begin in the padding behind the input is left out.
		if w.out[i] > 1 && (w.out[i]-1)*w.stride[i] >= w.in[i]+before[i] {
			w.out[i]--
		}
	}
}

// picture returns a shape N, K, [H,] W.
func picture(like []int64, k int64, size [2]int64) []int64 {
	if len(like) == 3 {
		return []int64{like[0], k, size[1]}
	}
	return []int64{like[0], k, size[0], size[1]}
}

// convInputs finds weights and bias: quantised forms have scales between.
func (n *node) convInputs() (w, b int) {
	switch n.op {
	case "QLinearConv":
		return 3, 8
	case "ConvInteger":
		return 1, len(n.in) // no bias
	}
	return 1, 2
}

// sums gives the output of a product of integers that is not scaled back its width.
func (n *node) sums(op string) {
	if n.op == op && n.err == nil {
		n.g.Tensors[n.out[0]].Bits = bits(typeInt32)
	}
}

func (n *node) conv() {
	wi, bi := n.convInputs()
	if !n.flat() || !n.need(wi, 3) {
		return
	}
	x, f, groups := n.shape(0), n.shape(wi), n.int("group", 1)
	if len(f) != len(x) || groups < 1 || f[1] < 1 || groups > graph.MaxDim || x[1] != f[1]*groups || f[0]%groups != 0 {
		n.misfit("the filter %v in %d groups does not fit the input %v", f, groups, x)
		return
	}
	conv := graph.Node{Op: graph.Conv, Act: n.fusedAct(), In: n.in[:1]}
	taps := f[1]
	var d depth
	if len(x) == 5 {
		if d = n.volume(f[2], false); n.err == nil {
			conv.In = make([]int, 1)
			conv.In[0], x = n.gathered(d)
			taps *= d.kernel
		}
	}
	if n.err != nil {
		return
	}
	w := n.window(x, area(f))
	if n.err != nil {
		return
	}
	n.slide(&w, len(x)-2, false)
	out := picture(x, f[0], w.out)
	if d.out > 0 {
		out = []int64{n.shape(0)[0], f[0], d.out, w.out[0], w.out[1]}
	}
	n.set(0, out)
	n.sums("ConvInteger")
	conv.Dims = graph.Dims{
		N: x[0], K: f[0], C: taps, P: w.out[0], Q: w.out[1], R: w.kernel[0], S: w.kernel[1],
		H: w.in[0], W: w.in[1], Groups: groups, Stride: w.stride, Dilation: w.dilation,
	}
	n.weighted(conv, wi, bi)
}

// fusedAct is the activation that a runtime has fused.
func (n *node) fusedAct() string {
	switch s := n.attrs["activation"].s; s {
	case "Relu":
		return "relu"
	case "Clip":
		return "clip"
	case "Sigmoid":
		return "sigmoid"
	case "LeakyRelu":
		return "leaky_relu"
	default:
		return s
	}
}

// weighted emits a layer with weights at input w and a bias at input b.
func (n *node) weighted(node graph.Node, w, b int) {
	if node.In == nil {
		node.In = n.in[:1]
	}
	if node.Bias = n.has(b); node.Bias && n.shape(b) != nil && n.g.Elements(n.in[b]) != node.Dims.K {
		n.misfit("its bias has the shape %v, want %d numbers", n.shape(b), node.Dims.K)
		return
	}
	node.WeightBits, node.Weights = n.bits(w), n.in[w]+1
	n.storedAtRunTime("weights", w)
	if node.Bias {
		node.Biases = n.in[b] + 1
		n.storedAtRunTime("biases", b)
	}
	n.emit(node)
}

// storedAtRunTime notes that inputs which a layer stores are not there before the
// model runs.
func (n *node) storedAtRunTime(what string, in ...int) {
	if slices.ContainsFunc(in, func(i int) bool { return !n.g.Tensors[n.in[i]].Const }) {
		n.g.NoteCounted(what, n.title())
	}
}

// computed returns those of the inputs from i on that are not stored.
func (n *node) computed(i int) []int {
	var in []int
	for ; i < len(n.in); i++ {
		if n.has(i) && !n.g.Tensors[n.in[i]].Const {
			in = append(in, n.in[i])
		}
	}
	return in
}

// places gives output i, if it is there, the width of positions.
func (n *node) places(i int) {
	if i < len(n.out) && n.out[i] >= 0 && n.err == nil {
		n.g.Tensors[n.out[i]].Bits = bits(typeInt64)
	}
}

func (n *node) deconv() {
	if !n.flat() || !n.need(1, 3) {
		return
	}
	x, f, groups := n.shape(0), n.shape(1), n.int("group", 1)
	if len(f) != len(x) || groups < 1 || groups > graph.MaxDim || f[0] != x[1] || f[0]%groups != 0 || f[1] > graph.MaxDim/groups {
		n.misfit("the filter %v in %d groups does not fit the input %v", f, groups, x)
		return
	}
	var d depth
	size := x
	if len(x) == 5 {
		d = n.volume(f[2], true)
		size = frames(x, d.in, x[1])
	}
	w := n.window(size, area(f))
	rank := len(size) - 2
	before, after := n.pads(rank)
	extra := n.two("output_padding", rank, 0)
	if rank == 1 {
		extra[0] = 0
	}
	if n.err != nil {
		return
	}
	n.grow(&w, before, after, extra)
	if a, ok := n.attrs["output_shape"]; ok {
		if len(a.ints) == rank+2 { // some exporters write batch and channels too
			a.ints = a.ints[2:]
			n.attrs["output_shape"] = a
		}
		w.out = n.two("output_shape", rank, 1)
	}
	k := f[1] * groups
	deconv := graph.Node{
		Op: graph.Deconv,
		Dims: graph.Dims{
			N: size[0], K: k, C: f[0] / groups, P: w.out[0], Q: w.out[1], R: w.kernel[0], S: w.kernel[1],
			H: w.in[0], W: w.in[1], Groups: groups, Stride: w.stride, Dilation: w.dilation,
		},
	}
	if len(x) == 5 {
		n.addUp(deconv, d, 2)
		return
	}
	n.set(0, picture(x, k, w.out))
	n.weighted(deconv, 1, 2)
}

// grow computes the output of a transposed convolution.
func (n *node) grow(w *spatial, before, after, extra [2]int64) {
	auto := n.attrs["auto_pad"].s
	for i := range 2 {
		w.out[i] = w.stride[i]*(w.in[i]-1) + extra[i] + w.dilation[i]*(w.kernel[i]-1) + 1 - before[i] - after[i]
		if auto == "SAME_UPPER" || auto == "SAME_LOWER" {
			w.out[i] = w.in[i] * w.stride[i]
		}
	}
}

func pooling(fn string) infer {
	return func(n *node) {
		if !n.flat() {
			return
		}
		x := n.shape(0)
		if len(x) == 5 {
			n.pooled(fn)
			return
		}
		w := n.window(x, n.two("kernel_shape", len(x)-2, 1))
		if n.err != nil {
			return
		}
		n.slide(&w, len(x)-2, n.int("ceil_mode", 0) != 0)
		out := picture(x, x[1], w.out)
		n.set(0, out)
		n.set(1, out)
		n.places(1)
		n.emit(graph.Node{Op: graph.Pool, Fn: fn, In: n.in[:1], Dims: w.pool(x)})
	}
}

// pool is the dimensions of a pooling over pictures.
func (w *spatial) pool(x []int64) graph.Dims {
	return graph.Dims{
		N: x[0], K: x[1], P: w.out[0], Q: w.out[1], H: w.in[0], W: w.in[1],
		R: w.dilation[0]*(w.kernel[0]-1) + 1, S: w.dilation[1]*(w.kernel[1]-1) + 1, Stride: w.stride,
	}
}

func globalPooling(fn string) infer {
	return func(n *node) {
		if n.flat() {
			x := n.shape(0)
			n.globalPool(fn, slices.Concat(x[:2], slices.Repeat([]int64{1}, len(x)-2)))
		}
	}
}

func (n *node) globalPool(fn string, out []int64) {
	x := n.shape(0)
	size := area(x)
	if len(x) == 5 {
		size[0] *= x[2]
	}
	n.set(0, out)
	n.emit(graph.Node{Op: graph.Pool, Fn: fn, In: n.in[:1], Dims: graph.Dims{
		N: x[0], K: x[1], P: 1, Q: 1, H: size[0], W: size[1], R: size[0], S: size[1],
	}})
}

func (n *node) batchNorm() {
	if !n.need(0, 2) || !n.need(1, 0) {
		return
	}
	n.set(0, n.shape(0))
	for i := 1; i < len(n.out); i++ { // statistics of training
		n.set(i, n.shape(1))
	}
	norm := graph.Node{Op: graph.BatchNorm, Fn: "batch", In: n.in[:1], Out: n.out[:1], Const: 2 * n.shape(0)[1]}
	if in := n.computed(1); len(in) > 0 { // nothing to fold into weights before
		norm.Op, norm.In = graph.Norm, slices.Concat(n.in[:1], in)
		norm.Const = max(int64(len(n.in)-1-len(in)), 0) * n.shape(0)[1]
	}
	n.emit(norm)
}
