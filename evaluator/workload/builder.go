package workload

import "strconv"

// builder writes the layer table of a network. Each method appends one layer
// and returns its id; Normalise fills the dimensions that follow from the
// edges and reports mistakes at the end.
type builder struct {
	w     Workload
	sizes map[string][2]int64 // height and width by tensor
}

// rgb is the number of channels of a picture.
const rgb = 3

// image starts a network with one input picture.
func image(name, ref string, height, width int64) (*builder, string) {
	const input, batch = "image", 1
	b := &builder{sizes: map[string][2]int64{input: {height, width}}}
	b.w = Workload{
		Name:   name,
		Source: Source{Kind: "generated", Ref: ref, Licence: "facts (shapes only)"},
		Inputs: []Input{{Name: input, Shape: []int64{batch, height, width, rgb}}},
	}
	return b, input
}

// add appends l, which reads in, under the name id.
func (b *builder) add(id string, size [2]int64, l Layer, in ...string) string {
	l.ID, l.In = id, in
	b.sizes[id] = size
	b.w.Layers = append(b.w.Layers, l)
	return id
}

// window is what slides: height x width with its strides, the same dilation
// both ways, padded so that an output is ceil(input/stride) wide, or not at all.
type window struct {
	height, width int64
	stride        [2]int64
	dilation      int64
	valid         bool
}

// same is a square window with padding.
func same(size, stride int64) window {
	return window{size, size, [2]int64{stride, stride}, 1, false}
}

// valid is a square window without padding.
func valid(size, stride int64) window {
	return window{size, size, [2]int64{stride, stride}, 1, true}
}

// rect is a padded window with stride 1.
func rect(height, width int64) window { return window{height, width, [2]int64{1, 1}, 1, false} }

// striding returns w with other strides.
func (w window) striding(stride [2]int64) window {
	w.stride = stride
	return w
}

// dilated returns w with the given step between its taps.
func (w window) dilated(step int64) window {
	w.dilation = step
	return w
}

// over returns the output size of w over an input of the given size.
func (w window) over(size [2]int64) (out [2]int64) {
	taps := [2]int64{w.height, w.width}
	for i, d := range size {
		if w.valid {
			d -= (taps[i] - 1) * w.dilation
		}
		out[i] = (d + w.stride[i] - 1) / w.stride[i]
	}
	return out
}

func (b *builder) slide(op Op, id, in string, k int64, w window, act string) string {
	size := w.over(b.sizes[in])
	l := Layer{
		Op: op, K: k, P: size[0], Q: size[1], R: w.height, S: w.width,
		Stride: w.stride, Act: act,
	}
	if op != Pool {
		l.Dilation = [2]int64{w.dilation, w.dilation}
	}
	return b.add(id, size, l, in)
}

// conv appends a dense convolution with k outputs.
func (b *builder) conv(id, in string, k int64, w window, act string) string {
	return b.slide(Conv, id, in, k, w, act)
}

// point appends a 1x1 convolution with k outputs.
func (b *builder) point(id, in string, k int64, act string) string {
	return b.slide(Conv, id, in, k, same(1, 1), act)
}

// plain marks the last layer as one without bias.
func (b *builder) plain(id string) string {
	b.w.Layers[len(b.w.Layers)-1].NoBias = true
	return id
}

// grouped appends a convolution in groups.
func (b *builder) grouped(id, in string, k, groups int64, w window, act string) string {
	b.slide(GroupConv, id, in, k, w, act)
	b.w.Layers[len(b.w.Layers)-1].Groups = groups
	return id
}

// depthwise appends a depthwise convolution over the k channels of in.
func (b *builder) depthwise(id, in string, k int64, w window, act string) string {
	return b.slide(DepthwiseConv, id, in, k, w, act)
}

// upconv appends a transposed convolution whose window is its stride.
func (b *builder) upconv(id, in string, k, scale int64, act string) string {
	size := b.sizes[in]
	size[0], size[1] = size[0]*scale, size[1]*scale
	return b.add(id, size, Layer{
		Op: Deconv, K: k, P: size[0], Q: size[1], R: scale, S: scale, Stride: [2]int64{scale, scale}, Act: act,
	}, in)
}

// maxPool and avgPool append a pooling.
func (b *builder) maxPool(id, in string, w window) string { return b.pool(id, in, "max", w) }
func (b *builder) avgPool(id, in string, w window) string { return b.pool(id, in, "avg", w) }

func (b *builder) pool(id, in, fn string, w window) string {
	b.slide(Pool, id, in, 0, w, "")
	b.w.Layers[len(b.w.Layers)-1].Fn = fn
	return id
}

// globalPool appends the average over height and width.
func (b *builder) globalPool(id, in string) string {
	return b.add(id, [2]int64{1, 1}, Layer{Op: Pool, Fn: "avg"}, in)
}

func (b *builder) sum(id, x, y string) string { return b.eltwise("add", id, x, y) }

// scale appends the product of x with one factor per channel.
func (b *builder) scale(id, x, factors string) string { return b.eltwise("mul", id, x, factors) }

func (b *builder) eltwise(fn, id, x, y string) string {
	return b.add(id, b.sizes[x], Layer{Op: Eltwise, Fn: fn}, x, y)
}

// join appends a concatenation along the channels.
func (b *builder) join(id string, in ...string) string {
	return b.add(id, b.sizes[in[0]], Layer{Op: Copy, Fn: "concat"}, in...)
}

// resize appends an interpolation to the given size.
func (b *builder) resize(id, in string, size [2]int64) string {
	return b.add(id, size, Layer{Op: Resize, P: size[0], Q: size[1]}, in)
}

// shiftRelu appends a batch normalisation with relu that no convolution
// precedes. Over k channels it has k constants: relu(s*x + t) is
// s*relu(x + t/s) for s > 0, and the factor s is folded into the convolution
// that follows.
func (b *builder) shiftRelu(id, in string, k int64) string {
	return b.add(id, b.sizes[in], Layer{Op: Activation, Act: "relu", Const: k}, in)
}

// dense appends a fully connected layer over all elements of in.
func (b *builder) dense(id, in string, k int64, act string) string {
	return b.add(id, [2]int64{1, 1}, Layer{Op: GEMM, M: 1, K: k, Act: act}, in)
}

func (b *builder) softmax(in string) {
	b.add("softmax", b.sizes[in], Layer{Op: Softmax}, in)
}

// classify appends a global average pool, a dense layer as a 1x1 convolution
// and a softmax over the classes of ImageNet.
func (b *builder) classify(in string) {
	b.softmax(b.point("logits", b.globalPool("pool", in), imageNetClasses, ""))
}

// classifyDense is classify with a fully connected layer.
func (b *builder) classifyDense(in string, classes int64) {
	b.softmax(b.dense("logits", b.globalPool("pool", in), classes, ""))
}

func (b *builder) build() (*Workload, error) {
	if err := b.w.Normalise(); err != nil {
		return nil, err
	}
	return &b.w, nil
}

func numbered(prefix string, i int) string { return prefix + strconv.Itoa(i) }
