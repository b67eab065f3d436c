package tflite

import "apollo/evaluator/workload/graph"

// volume is a convolution over depth, height and width as one over pictures: the
// frames under a window are gathered as channels. The filter is D, H, W, channels
// in and out (tensorflow/lite/kernels/conv3d.cc).
func (o *operator) volume(entry) {
	if !o.want(0, 5, "input") || !o.want(1, 5, "filter") || !o.wantVolume() {
		return
	}
	x, w, y := o.shape(0), o.shape(1), o.output()
	if w[3] < 1 || x[4]%w[3] != 0 || w[4] != y[4] || y[0] != x[0] || w[0] > graph.MaxDim/max(x[4], 1) {
		o.fail("the filter %v does not fit the input %v and the output %v", w, x, y)
		return
	}
	frames := o.inner(".frames", y[0]*y[1], x[2], x[3], x[4]*w[0])
	o.emit(graph.Node{Op: graph.Copy, Fn: "frames", In: o.in[:1], Out: []int{frames}})
	d := graph.Dims{
		N: y[0] * y[1], K: w[4], C: w[3] * w[0], P: y[2], Q: y[3], R: w[1], S: w[2], H: x[2], W: x[3], Groups: x[4] / w[3],
		Stride:   pair(o.options.int32(3, 0), o.options.int32(2, 0)),
		Dilation: pair(o.options.int32(7, 1), o.options.int32(6, 1)),
	}
	o.product(graph.Node{Op: graph.Conv, Dims: d, Act: o.activation(4), In: []int{frames}, Bias: o.has(2)})
}

// volumeTransposed makes the taps of the depth as channels and adds them up: the
// output's shape, the filter D, H, W, channels out and in, the input and a bias.
func (o *operator) volumeTransposed(entry) {
	if !o.want(1, 5, "filter") || !o.want(2, 5, "input") || !o.wantVolume() {
		return
	}
	x, w, y := o.shape(2), o.shape(1), o.output()
	if w[4] != x[4] || w[3] != y[4] || y[0] != x[0] || w[0] > graph.MaxDim/max(w[3], 1) {
		o.fail("the filter %v does not fit the input %v and the output %v", w, x, y)
		return
	}
	d := graph.Dims{
		N: x[0] * x[1], K: w[3] * w[0], C: w[4], P: y[2], Q: y[3], R: w[1], S: w[2], H: x[2], W: x[3], Groups: 1,
		Stride: pair(o.options.int32(3, 1), o.options.int32(2, 1)), Dilation: pair(1, 1),
	}
	taps := o.inner(".taps", d.N, d.P, d.Q, d.K)
	o.product(graph.Node{Op: graph.Deconv, Dims: d, In: []int{o.in[2]}, Out: []int{taps}})
	sum := graph.Node{Op: graph.Reduce, Fn: "sum", Act: o.activation(4), In: []int{taps}}
	if o.has(3) {
		sum.Const = w[3]
	}
	o.emit(sum)
}

// wantVolume checks that the output is a volume: rank 5.
func (o *operator) wantVolume() bool {
	if len(o.output()) != 5 {
		o.fail("the output has the shape %v, want rank 5", o.output())
		return false
	}
	return true
}
