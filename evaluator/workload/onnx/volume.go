package onnx

import (
	"slices"

	"apollo/evaluator/workload/graph"
)

// A window over depth, height and width becomes layers over pictures: a
// convolution gathers the frames under its window as channels, a pooling goes
// over the frames first and over the depth after them, a transposed
// convolution makes the taps of the depth as channels and adds them up. All
// multiplications are those of the file.

// depth is the first of three spatial dimensions.
type depth struct{ in, out, kernel, stride int64 }

// volume takes the depth out of an operation with three spatial dimensions:
// its attributes become those of a picture.
func (n *node) volume(kernel int64, transposed bool) (d depth) {
	dilation, before, after, extra := int64(1), int64(0), int64(0), int64(0)
	d = depth{in: n.shape(0)[2], kernel: kernel, stride: 1}
	take := func(name string, into *int64) {
		a, ok := n.attrs[name]
		if !ok || len(a.ints) == 0 {
			return
		}
		if len(a.ints) != 3 {
			n.misfit("%s has %d numbers, want 3", name, len(a.ints))
			return
		}
		*into, a.ints = a.ints[0], a.ints[1:]
		n.attrs[name] = a
	}
	take("kernel_shape", &d.kernel)
	take("strides", &d.stride)
	take("dilations", &dilation)
	take("output_padding", &extra)
	if a, ok := n.attrs["pads"]; ok && len(a.ints) > 0 {
		if len(a.ints) != 6 {
			n.misfit("pads has %d numbers, want 6", len(a.ints))
			return d
		}
		before, after = a.ints[0], a.ints[3]
		a.ints = []int64{a.ints[1], a.ints[2], a.ints[4], a.ints[5]}
		n.attrs["pads"] = a
	}
	for _, v := range []int64{d.kernel, d.stride, dilation} {
		if v < 1 || v > graph.MaxDim {
			n.misfit("the depth of kernel, stride or dilation is %d, want 1 to %d", v, int64(graph.MaxDim))
			return d
		}
	}
	if min(before, after, extra) < -graph.MaxDim || max(before, after, extra) > graph.MaxDim {
		n.misfit("pads has the number %d", max(before, after, extra))
		return d
	}
	if transposed {
		w := spatial{
			in: [2]int64{1, d.in}, kernel: [2]int64{1, d.kernel}, stride: [2]int64{1, d.stride}, dilation: [2]int64{1, dilation},
		}
		n.grow(&w, [2]int64{0, before}, [2]int64{0, after}, [2]int64{0, extra})
		d.out = w.out[1]
		take("output_shape", &d.out)
		return d
	}
	w := spatial{
		in: [2]int64{1, d.in}, kernel: [2]int64{1, d.kernel}, stride: [2]int64{1, d.stride}, dilation: [2]int64{1, dilation},
	}
	n.move(&w, [2]int64{0, before}, [2]int64{0, after}, n.int("ceil_mode", 0) != 0)
	d.out = w.out[1]
	return d
}

// frames is the shape of the pictures in a tensor N, C, D, H, W.
func frames(x []int64, count, channels int64) []int64 {
	return []int64{x[0] * count, channels, x[3], x[4]}
}

// gathered returns the pictures that a convolution over volumes reads.
func (n *node) gathered(d depth) (pictures int, shape []int64) {
	x := n.shape(0)
	if d.out < 1 || d.out > graph.MaxDim || d.kernel > graph.MaxDim/max(x[1], 1) {
		n.misfit("a window of %d frames does not fit the input %v", d.kernel, x)
		return 0, nil
	}
	shape = frames(x, d.out, x[1]*d.kernel)
	pictures = n.inner(".frames", shape...)
	copied := graph.Node{Op: graph.Copy, Fn: "frames", In: n.in[:1], Out: []int{pictures}}
	if d.kernel == 1 && d.out == d.in {
		copied = graph.Node{Op: graph.View, In: n.in[:1], Out: []int{pictures}}
	}
	n.emit(copied)
	return pictures, shape
}

// pooled pools over the frames, then over the depth.
func (n *node) pooled(fn string) {
	x := n.shape(0)
	d := n.volume(1, false)
	if n.err != nil {
		return
	}
	pictures := frames(x, d.in, x[1])
	w := n.window(pictures, n.two("kernel_shape", 2, 1))
	if n.err != nil {
		return
	}
	n.slide(&w, 2, n.int("ceil_mode", 0) != 0)
	out := []int64{x[0], x[1], d.out, w.out[0], w.out[1]}
	n.set(0, out)
	n.set(1, out)
	if n.err != nil {
		return
	}
	flat := graph.Node{Op: graph.Pool, Fn: fn, In: n.in[:1], Out: n.out[:1], Dims: w.pool(pictures)}
	if d.kernel == 1 && d.out == d.in {
		n.emit(flat)
		return
	}
	t := n.inner(".frames", x[0], x[1], d.in, w.out[0], w.out[1])
	flat.Out = []int{t}
	n.emit(flat)
	area := w.out[0] * w.out[1]
	n.emit(graph.Node{Op: graph.Pool, Fn: fn, In: []int{t}, Out: n.out[:1], Dims: graph.Dims{
		N: x[0], K: x[1], P: d.out, Q: area, H: d.in, W: area, R: d.kernel, S: 1, Stride: [2]int64{d.stride, 1},
	}})
}

// addUp makes a transposed convolution over volumes of one over pictures.
func (n *node) addUp(picture graph.Node, d depth, bias int) {
	x, k := n.shape(0), picture.Dims.K
	if d.out < 1 || d.out > graph.MaxDim || d.kernel > graph.MaxDim/max(k, 1) {
		n.misfit("a window of %d frames does not fit the input %v", d.kernel, x)
		return
	}
	picture.Dims.N, picture.Dims.K = x[0]*d.in, k*d.kernel
	n.set(0, []int64{x[0], k, d.out, picture.Dims.P, picture.Dims.Q})
	t := n.inner(".taps", picture.Dims.N, picture.Dims.K, picture.Dims.P, picture.Dims.Q)
	picture.Out = []int{t}
	n.weighted(picture, 1, len(n.in))
	sum := graph.Node{Op: graph.Reduce, Fn: "sum", In: []int{t}, Out: slices.Clone(n.out[:1])}
	if n.has(bias) {
		sum.Const = k
	}
	n.emit(sum)
}
