package workload

import "strconv"

// builder writes the layer table of a network whose windows are padded "same"
// (an output is ceil(input/stride) wide) unless a method says otherwise. Each
// method appends one layer and returns its id; Normalise fills the dimensions
// that follow from the edges and reports mistakes at the end.
type builder struct {
	w     Workload
	sizes map[string][2]int64 // height and width by tensor
}

// image starts a network with one input picture.
func image(name, ref string, height, width int64) (*builder, string) {
	const input, batch, channels = "image", 1, 3
	b := &builder{sizes: map[string][2]int64{input: {height, width}}}
	b.w = Workload{
		Name:   name,
		Source: Source{Kind: "generated", Ref: ref, Licence: "facts (shapes only)"},
		Inputs: []Input{{Name: input, Shape: []int64{batch, height, width, channels}}},
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

// window is a square window with its stride.
type window struct{ size, stride int64 }

func (b *builder) same(in string, w window) (size [2]int64) {
	for i, d := range b.sizes[in] {
		size[i] = (d + w.stride - 1) / w.stride
	}
	return size
}

func (b *builder) slide(op Op, id, in string, k int64, w window, act string) string {
	size := b.same(in, w)
	return b.add(id, size, Layer{
		Op: op, K: k, P: size[0], Q: size[1], R: w.size, S: w.size,
		Stride: [2]int64{w.stride, w.stride}, Act: act,
	}, in)
}

// conv appends a dense convolution with k outputs.
func (b *builder) conv(id, in string, k int64, w window, act string) string {
	return b.slide(Conv, id, in, k, w, act)
}

// depthwise appends a depthwise convolution over the k channels of in.
func (b *builder) depthwise(id, in string, k int64, w window, act string) string {
	return b.slide(DepthwiseConv, id, in, k, w, act)
}

func (b *builder) sum(id, x, y string) string {
	return b.add(id, b.sizes[x], Layer{Op: Eltwise, Fn: "add"}, x, y)
}

// classify appends a global average pool, a dense layer as a 1x1 convolution
// and a softmax.
func (b *builder) classify(in string, classes int64) {
	pool := b.add("pool", [2]int64{1, 1}, Layer{Op: Pool, Fn: "avg"}, in)
	logits := b.conv("logits", pool, classes, window{1, 1}, "")
	b.add("softmax", [2]int64{1, 1}, Layer{Op: Softmax}, logits)
}

func (b *builder) build() (*Workload, error) {
	if err := b.w.Normalise(); err != nil {
		return nil, err
	}
	return &b.w, nil
}

func numbered(prefix string, i int) string { return prefix + strconv.Itoa(i) }
