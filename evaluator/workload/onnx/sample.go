package onnx

import (
	"slices"

	"apollo/evaluator/workload/graph"
)

// gridSample takes a picture, or a volume, at the places of a grid.
func (n *node) gridSample() {
	if !n.need(0, 3) || !n.need(1, 3) {
		return
	}
	x, grid := n.shape(0), n.shape(1)
	last := len(grid) - 1
	if len(x) != len(grid) || x[0] != grid[0] || grid[last] != int64(len(x)-2) {
		n.misfit("the grid %v does not fit the input %v", grid, x)
		return
	}
	n.set(0, slices.Concat(x[:2], grid[1:last]))
	n.emit(graph.Node{Op: graph.Copy, Fn: "grid_sample", In: graph.Present(n.in[:2])})
}

// deformConv gathers what is under each place of the filter at its offset, as
// channels; the rest is a convolution of one place.
func (n *node) deformConv() {
	if !n.need(0, 4) || !n.need(1, 4) || !n.need(2, 4) {
		return
	}
	x, f, groups := n.shape(0), n.shape(1), n.int("group", 1)
	if len(x) != 4 || len(f) != 4 {
		n.fail("input 0 has the shape %v: deformable windows over other than two dimensions are not supported", x)
		return
	}
	if groups < 1 || groups > graph.MaxDim || x[1] != f[1]*groups || f[0]%groups != 0 {
		n.misfit("the filter %v in %d groups does not fit the input %v", f, groups, x)
		return
	}
	w := n.window(x, area(f))
	if n.err != nil {
		return
	}
	n.slide(&w, 2, false)
	taps := f[2] * f[3]
	if taps < 1 || taps > graph.MaxDim/max(x[1], 1) {
		n.misfit("the filter %v does not fit the input %v", f, x)
		return
	}
	if o := n.shape(2); len(o) != 4 || o[1]%(2*taps) != 0 || o[2] != w.out[0] || o[3] != w.out[1] {
		n.misfit("the offsets %v do not fit an output of %d x %d", o, w.out[0], w.out[1])
		return
	}
	n.set(0, picture(x, f[0], w.out))
	columns := n.inner(".columns", x[0], x[1]*taps, w.out[0], w.out[1])
	read := []int{n.in[0], n.in[2]}
	if n.has(4) {
		read = append(read, n.in[4])
	}
	n.emit(graph.Node{Op: graph.Copy, Fn: "deform", In: read, Out: []int{columns}})
	n.weighted(graph.Node{Op: graph.Conv, In: []int{columns}, Dims: graph.Dims{
		N: x[0], K: f[0], C: f[1] * taps, P: w.out[0], Q: w.out[1], R: 1, S: 1,
		H: w.out[0], W: w.out[1], Groups: groups, Stride: [2]int64{1, 1}, Dilation: [2]int64{1, 1},
	}}, 1, 3)
}

// roiAlign pools regions of a picture.
func (n *node) roiAlign() {
	if !n.need(0, 4) || !n.need(1, 2) {
		return
	}
	size := []int64{n.int("output_height", 1), n.int("output_width", 1)}
	if n.op == "MaxRoiPool" {
		size = n.attrs["pooled_shape"].ints
	}
	if len(size) != 2 || min(size[0], size[1]) < 1 {
		n.misfit("the size %v of its output is not two numbers of 1 or more", size)
		return
	}
	n.set(0, []int64{n.shape(1)[0], n.shape(0)[1], size[0], size[1]})
	n.emit(graph.Node{Op: graph.Copy, Fn: "roi_align", In: n.in[:2]})
}

// affineGrid makes the places of a picture N, C, [D,] H, W from a matrix.
func (n *node) affineGrid() {
	size, ok := n.ints(1, "")
	switch {
	case !ok:
		n.stated("its size is computed at run time")
	case len(size) != 4 && len(size) != 5:
		n.misfit("the size %v is none of a picture", size)
		return
	default:
		n.set(0, slices.Concat(size[:1], size[2:], []int64{int64(len(size) - 2)}))
	}
	n.emit(graph.Node{Op: graph.Copy, Fn: "affine_grid", In: n.in[:1]})
}

// oneHot adds an axis of the given depth.
func (n *node) oneHot() {
	if !n.need(0, 0) {
		return
	}
	x := n.shape(0)
	depth, ok := n.scalar(1)
	if !ok {
		n.stated("its depth is computed at run time")
	} else if a := n.axis(n.int("axis", -1), len(x)+1); n.err == nil {
		n.set(0, slices.Insert(slices.Clone(x), a, whole(depth)))
	}
	if n.has(2) && n.err == nil {
		n.g.Tensors[n.out[0]].Bits = n.bits(2)
	}
	n.emit(graph.Node{Op: graph.Copy, Fn: "one_hot", In: n.in[:1]})
}

// compress keeps what a list of conditions says.
func (n *node) compress() {
	if !n.need(0, 1) {
		return
	}
	x := slices.Clone(n.shape(0))
	if _, along := n.attrs["axis"]; !along {
		x = []int64{graph.Elements(x)}
	}
	keep, ok := n.known(1)
	if !ok {
		n.stated("what it keeps is computed at run time")
	} else if a := n.axis(n.int("axis", 0), len(x)); n.err == nil {
		x[a] = 0
		for _, k := range keep {
			if k != 0 {
				x[a]++
			}
		}
		n.set(0, x)
	}
	n.emit(graph.Node{Op: graph.Copy, Fn: "compress", In: n.in[:1]})
}

// centerCropPad cuts or pads the given axes to the given sizes.
func (n *node) centerCropPad() {
	if !n.need(0, 1) {
		return
	}
	out := slices.Clone(n.shape(0))
	axes := n.attrs["axes"].ints
	if len(axes) == 0 {
		for i := range out {
			axes = append(axes, int64(i))
		}
	}
	size, ok := n.ints(1, "")
	switch {
	case !ok:
		n.stated("its size is computed at run time")
		out = n.g.Shape(n.out[0])
	case len(size) != len(axes):
		n.misfit("it has %d sizes for %d axes", len(size), len(axes))
		return
	}
	for i := range size {
		out[n.axis(axes[i], len(out))] = size[i]
	}
	n.set(0, out)
	n.emit(graph.Node{Op: graph.Copy, Fn: "crop_pad", In: n.in[:1]})
}

// col2im adds up the columns of windows to a picture.
func (n *node) col2im() {
	if !n.need(0, 3) {
		return
	}
	x := n.shape(0)
	size, ok1 := n.ints(1, "")
	block, ok2 := n.ints(2, "")
	if !ok1 || !ok2 {
		n.stated("its size is computed at run time")
	} else {
		taps := int64(1)
		for _, b := range block {
			if b < 1 || taps > graph.MaxDim/b {
				n.misfit("the window %v does not fit the input %v", block, x)
				return
			}
			taps *= b
		}
		if x[1]%taps != 0 || len(size) != len(block) {
			n.misfit("the window %v does not fit the input %v", block, x)
			return
		}
		n.set(0, slices.Concat([]int64{x[0], x[1] / taps}, size))
	}
	n.emit(graph.Node{Op: graph.Reduce, Fn: "sum", In: n.in[:1]})
}

// fourier is the way out of transforms, of which only the bytes count.
const fourier = "a Fourier transform; written as products with its sines and cosines it counts"

// stft has a frame for each place of the window, and a real and an imaginary
// number for each frequency.
func (n *node) stft() {
	if !n.need(0, 2) || !n.need(1, 0) {
		return
	}
	x := n.shape(0)
	step, ok := n.scalar(1)
	length, given := n.scalar(3)
	if !given && n.has(2) {
		length, given = float64(n.g.Elements(n.in[2])), true
	}
	frame, hop := whole(length), whole(step)
	switch {
	case !ok || !given:
		n.stated("its window or its step is computed at run time")
	case hop < 1 || frame < 1 || frame > x[1]:
		n.misfit("frames of %d with steps of %d do not fit the input %v", frame, hop, x)
		return
	default:
		bins := frame
		if n.int("onesided", 1) != 0 {
			bins = frame/2 + 1
		}
		n.set(0, []int64{x[0], (x[1]-frame)/hop + 1, bins, 2})
	}
	n.emit(graph.Node{Op: graph.Opaque, In: n.in[:1], Inexact: fourier})
}

// dft transforms along one axis, an attribute before opset 20.
func (n *node) dft() {
	if !n.need(0, 2) {
		return
	}
	out := slices.Clone(n.shape(0))
	axis, known := n.scalar(2)
	if !n.has(2) {
		axis, known = float64(n.int("axis", -2)), true
	}
	length, given := n.scalar(1)
	half := n.int("onesided", 0) != 0
	if !known || n.has(1) && !given || half && n.int("inverse", 0) != 0 {
		n.stated("its axis or its length is computed at run time, or it is the inverse of a half")
	} else if a := n.axis(whole(axis), len(out)); n.err == nil {
		if given {
			out[a] = whole(length)
		}
		if half {
			out[a] = out[a]/2 + 1
		}
		out[len(out)-1] = 2
		n.set(0, out)
	}
	n.emit(graph.Node{Op: graph.Opaque, In: n.in[:1], Inexact: fourier})
}

// det is the determinant of matrices.
func (n *node) det() {
	if n.need(0, 2) {
		x := n.shape(0)
		n.set(0, x[:len(x)-2])
		n.emit(graph.Node{Op: graph.Opaque, In: n.in[:1], Inexact: "a determinant"})
	}
}

// windowOf is a window function of a given length.
func (n *node) windowOf() {
	length, ok := n.scalar(0)
	if !ok {
		n.stated("its length is computed at run time")
		n.g.Tensors[n.out[0]].Const = true
		return
	}
	n.write(nil, false, []int64{whole(length)}, 32)
}

// melWeights is the matrix between the frequencies of a transform and mel bins.
func (n *node) melWeights() {
	bins, ok1 := n.scalar(0)
	length, ok2 := n.scalar(1)
	if !ok1 || !ok2 {
		n.stated("its size is computed at run time")
		n.g.Tensors[n.out[0]].Const = true
		return
	}
	n.write(nil, false, []int64{whole(length)/2 + 1, whole(bins)}, 32)
}

// random makes noise, which comes as inputs do: no product of it is known before a
// run.
func (n *node) random() { n.noise(n.attrs["shape"].ints, 32) }

func (n *node) randomLike() {
	if n.need(0, 0) {
		n.noise(n.shape(0), n.bits(0))
	}
}

func (n *node) noise(shape []int64, width int64) {
	if n.set(0, shape); n.err != nil {
		return
	}
	t := &n.g.Tensors[n.out[0]]
	t.Const, t.Bits = false, width
	n.g.Inputs = append(n.g.Inputs, n.out[0])
}

// bernoulli is a layer, or noise where its probabilities are constant.
func (n *node) bernoulli() {
	if n.fixed {
		n.randomLike()
		return
	}
	same(graph.Copy, "bernoulli")(n)
}
