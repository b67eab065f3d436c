package onnx

import (
	"math"
	"slices"

	"apollo/evaluator/workload/graph"
)

// resize takes sizes (input 3) or scales (input 2, in older files input 1 or
// an attribute), since opset 18 perhaps of some axes only.
func (n *node) resize() {
	if !n.need(0, 1) {
		return
	}
	x := n.shape(0)
	axes := make([]int, len(x))
	for i := range x {
		axes[i] = i
	}
	if a, ok := n.attrs["axes"]; ok && len(a.ints) > 0 {
		axes = axes[:0]
		for _, axis := range a.ints {
			axes = append(axes, n.axis(axis, len(x)))
		}
	}
	out := slices.Clone(x)
	sizes, sized := n.ints(3, "")
	scales, scaled := n.scales(len(x))
	switch {
	case n.err != nil:
		return
	case sized && len(sizes) == len(axes):
		for i, a := range axes {
			out[a] = n.stretched(x, axes, sizes, i)
		}
	case scaled && len(scales) == len(axes):
		for i, a := range axes {
			out[a] = whole(float64(x[a]) * scales[i])
		}
	default:
		n.stated("its size is computed at run time")
		out = n.g.Shape(n.out[0])
	}
	n.set(0, out)
	n.emit(graph.Node{Op: graph.Resize, Fn: n.attrs["mode"].s, In: n.in[:1]})
}

func (n *node) scales(rank int) ([]float64, bool) {
	if a, given := n.attrs["scales"]; given && n.op == "Upsample" {
		return a.floats, true
	}
	if h, old := n.attrs["height_scale"]; old && rank == 4 { // before opset 7
		return []float64{1, 1, h.f, n.attrs["width_scale"].f}, true
	}
	if v, ok := n.known(2); ok && len(v) > 0 {
		return v, true
	}
	if len(n.in) == 2 || n.op == "Upsample" {
		return n.known(1)
	}
	return nil, false
}

// stretched is the size of one axis: the one given, or, where the picture
// keeps its proportions, the one that the tightest axis allows.
func (n *node) stretched(x []int64, axes []int, sizes []int64, i int) int64 {
	policy := n.attrs["keep_aspect_ratio_policy"].s
	if policy != "not_larger" && policy != "not_smaller" {
		return sizes[i]
	}
	scale := 0.0
	for j, a := range axes {
		s := float64(sizes[j]) / float64(max(x[a], 1))
		if j == 0 || policy == "not_larger" && s < scale || policy == "not_smaller" && s > scale {
			scale = s
		}
	}
	return whole(math.Round(scale * float64(x[axes[i]])))
}

// unpool undoes a pooling: the output is as large as what a transposed
// convolution of its window makes, or as given.
func (n *node) unpool() {
	if !n.need(0, 3) {
		return
	}
	x := n.shape(0)
	if given, ok := n.ints(2, ""); ok {
		n.set(0, given)
	} else if rank := len(x) - 2; rank <= 2 {
		w := n.window(x, n.two("kernel_shape", rank, 1))
		before, after := n.pads(rank)
		if n.err == nil {
			n.grow(&w, before, after, [2]int64{})
			n.set(0, picture(x, x[1], w.out))
		}
	} else {
		n.stated("its window has three dimensions")
	}
	n.emit(graph.Node{Op: graph.Copy, Fn: "unpool"})
}

// suppress is NonMaxSuppression: how many boxes are left only a run tells; as
// many as may be are counted.
func (n *node) suppress() {
	if !n.need(0, 3) || !n.need(1, 3) {
		return
	}
	scores, most := n.shape(1), n.shape(0)[1]
	if v, ok := n.ints(2, ""); ok && len(v) == 1 {
		most = max(min(v[0], most), 1)
	}
	if scores[0] > graph.MaxDim/max(scores[1], 1) || scores[0]*scores[1] > graph.MaxDim/max(most, 1) {
		n.misfit("the scores %v are outside the limits", scores)
		return
	}
	n.set(0, []int64{scores[0] * scores[1] * most, 3})
	n.g.Tensors[n.out[0]].Bits = 64
	n.emit(graph.Node{Op: graph.Opaque, Inexact: "non-maximum suppression"})
}
