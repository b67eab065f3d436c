package workload

// imageNetClasses is ImageNet's 1,000 classes and the background class that
// TensorFlow's classifiers carry.
const imageNetClasses = 1001

// bottleneck is a row of an architecture table: repeat blocks with the same
// output channels; only the first has the stride.
type bottleneck struct {
	expand, out int64
	repeat      int
	w           window
	fused       bool // a dense convolution expands and slides in one
	fresh       bool // no residual edge in any block of the row
}

// mobileNetV2 is MobileNetV2, width 1.0, 224 x 224: Sandler et al.,
// arXiv 1801.04381, Table 2.
func mobileNetV2(name string) (*Workload, error) {
	const act = "relu6"
	b, x := image(name, "arXiv 1801.04381, Table 2, width 1.0", 224, 224)
	x = b.conv("stem", x, 32, window{3, 2}, act)
	channels, block := int64(32), 0
	for _, row := range []bottleneck{
		{expand: 1, out: 16, repeat: 1, w: window{3, 1}},
		{expand: 6, out: 24, repeat: 2, w: window{3, 2}},
		{expand: 6, out: 32, repeat: 3, w: window{3, 2}},
		{expand: 6, out: 64, repeat: 4, w: window{3, 2}},
		{expand: 6, out: 96, repeat: 3, w: window{3, 1}},
		{expand: 6, out: 160, repeat: 3, w: window{3, 2}},
		{expand: 6, out: 320, repeat: 1, w: window{3, 1}},
	} {
		x = b.bottlenecks(x, &block, channels, row, act)
		channels = row.out
	}
	x = b.conv("head", x, 1280, window{1, 1}, act)
	b.classify(x, imageNetClasses)
	return b.build()
}

// mobileNetEdgeTPU is MobileNetEdgeTPU, width 1.0, 224 x 224: the table that
// TensorFlow publishes as V3_EDGETPU in research/slim/nets/mobilenet
// (mobilenet_v3.py), described in Howard and Gupta, "Introducing the Next
// Generation of On-Device Vision Models", Google AI blog, November 2019.
func mobileNetEdgeTPU(name string) (*Workload, error) {
	const act = "relu"
	b, x := image(name, "tensorflow/models research/slim mobilenet_v3.py, V3_EDGETPU, width 1.0", 224, 224)
	x = b.conv("stem", x, 32, window{3, 2}, act)
	x = b.conv("block0.project", x, 16, window{1, 1}, "")
	channels, block := int64(16), 1
	for _, row := range []bottleneck{
		{expand: 8, out: 32, repeat: 1, w: window{3, 2}, fused: true},
		{expand: 4, out: 32, repeat: 3, w: window{3, 1}, fused: true},
		{expand: 8, out: 48, repeat: 1, w: window{3, 2}, fused: true},
		{expand: 4, out: 48, repeat: 3, w: window{3, 1}, fused: true},
		{expand: 8, out: 96, repeat: 1, w: window{3, 2}},
		{expand: 4, out: 96, repeat: 3, w: window{3, 1}},
		{expand: 8, out: 96, repeat: 1, w: window{3, 1}, fresh: true},
		{expand: 4, out: 96, repeat: 3, w: window{3, 1}},
		{expand: 8, out: 160, repeat: 1, w: window{5, 2}},
		{expand: 4, out: 160, repeat: 3, w: window{5, 1}},
		{expand: 8, out: 192, repeat: 1, w: window{3, 1}},
	} {
		x = b.bottlenecks(x, &block, channels, row, act)
		channels = row.out
	}
	x = b.conv("head", x, 1280, window{1, 1}, act)
	b.classify(x, imageNetClasses)
	return b.build()
}

// bottlenecks appends the blocks of one row: expand, slide, project, and a
// residual sum where a block keeps its input's shape.
func (b *builder) bottlenecks(x string, block *int, channels int64, row bottleneck, act string) string {
	w := row.w
	for range row.repeat {
		id := numbered("block", *block)
		*block++
		y, inner := x, channels*row.expand
		switch {
		case row.fused:
			y = b.conv(id+".expand", y, inner, w, act)
		case row.expand > 1:
			y = b.conv(id+".expand", y, inner, window{1, 1}, act)
			fallthrough
		default:
			y = b.depthwise(id+".depthwise", y, inner, w, act)
		}
		y = b.conv(id+".project", y, row.out, window{1, 1}, "")
		if w.stride == 1 && channels == row.out && !row.fresh {
			y = b.sum(id+".add", x, y)
		}
		x, channels, w.stride = y, row.out, 1
	}
	return x
}
