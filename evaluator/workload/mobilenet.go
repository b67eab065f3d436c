package workload

import "cmp"

const (
	// imageNet is the number of ImageNet's classes.
	imageNet = 1000
	// imageNetClasses has the background class too that TensorFlow's
	// classifiers carry.
	imageNetClasses = 1001
)

// bottleneck is a row of an architecture table: repeat blocks with the same
// output channels; only the first has the stride.
type bottleneck struct {
	expand, out int64
	from        int64 // the channels that expand multiplies; 0 means the input's
	repeat      int
	w           window
	fused       bool // a dense convolution expands and slides in one
	fresh       bool // no residual edge in any block of the row
}

// mobileNetV1Family is MobileNet: Howard et al., arXiv 1704.04861, Table 1;
// width and resolution are the paper's multipliers (Section 3.3 and 3.4).
func mobileNetV1Family() Family {
	return Family{
		Name: "mobilenet_v1", Doc: "MobileNetV1 by width and resolution.", Ref: "arXiv 1704.04861",
		Params: []FamilyParam{widthParam(25, 50, 75, 100), resolutionParam(128, 160, 192, 224)},
		build: func(name string, v []int64) (*Workload, error) {
			b, x := image(name, "arXiv 1704.04861, Table 1", v[1], v[1])
			x, _ = b.separables(x, v[0])
			b.classify(x)
			return b.build()
		},
	}
}

// separables appends the body of MobileNetV1 and returns its end and the end
// of its part at stride 16; width is in percent.
func (b *builder) separables(x string, width int64) (end, middle string) {
	const act = "relu6"
	channels := percent(32, width)
	x = b.conv("stem", x, channels, same(3, 2), act)
	for i, row := range []struct{ out, stride int64 }{
		{64, 1},
		{128, 2},
		{128, 1},
		{256, 2},
		{256, 1},
		{512, 2},
		{512, 1},
		{512, 1},
		{512, 1},
		{512, 1},
		{512, 1},
		{1024, 2},
		{1024, 1},
	} {
		id := numbered("block", i)
		if row.out == 1024 && row.stride == 2 {
			middle = x
		}
		x = b.depthwise(id+".depthwise", x, channels, same(3, row.stride), act)
		channels = percent(row.out, width)
		x = b.point(id+".point", x, channels, act)
	}
	return x, middle
}

// mobileNetV2Family is MobileNetV2: Sandler et al., arXiv 1801.04381, Table 2. The
// widths and resolutions are those that tensorflow/models research/slim
// publishes; the last convolution is not narrower than 1280 channels there.
// Expansion is that of all blocks but the first, kernel that of all blocks.
func mobileNetV2Family() Family {
	return Family{
		Name: "mobilenet_v2", Doc: "MobileNetV2 by width, resolution, expansion and kernel.", Ref: "arXiv 1801.04381",
		Params: []FamilyParam{
			widthParam(35, 50, 75, 100, 130, 140), resolutionParam(96, 128, 160, 192, 224),
			{"expansion", "Expansion of the blocks but the first.", "", []int64{3, 4, 5, 6}, 6},
			{"kernel", "Size of the depthwise windows.", "", []int64{3, 5, 7}, 3},
		},
		build: func(name string, v []int64) (*Workload, error) {
			width, expand, kernel := v[0], v[2], v[3]
			b, x := image(name, "arXiv 1801.04381, Table 2", v[1], v[1])
			rows := mobileNetV2Rows()
			for i := range rows {
				r := &rows[i]
				r.out = divisible(r.out*width, 100)
				r.w.height, r.w.width = kernel, kernel
				if r.expand > 1 {
					r.expand = expand
				}
			}
			stem := divisible(32*width, 100)
			x = b.conv("stem", x, stem, same(3, 2), "relu6")
			x = b.rows(x, 0, stem, rows, "relu6")
			x = b.point("head", x, divisible(1280*max(width, 100), 100), "relu6")
			b.classify(x)
			return b.build()
		},
	}
}

// mobileNetV2Rows are the blocks of MobileNetV2.
func mobileNetV2Rows() []bottleneck {
	return []bottleneck{
		{expand: 1, out: 16, repeat: 1, w: same(3, 1)},
		{expand: 6, out: 24, repeat: 2, w: same(3, 2)},
		{expand: 6, out: 32, repeat: 3, w: same(3, 2)},
		{expand: 6, out: 64, repeat: 4, w: same(3, 2)},
		{expand: 6, out: 96, repeat: 3, w: same(3, 1)},
		{expand: 6, out: 160, repeat: 3, w: same(3, 2)},
		{expand: 6, out: 320, repeat: 1, w: same(3, 1)},
	}
}

// invertedResiduals appends the body of MobileNetV2. tail replaces the rows
// with 160 and 320 channels unless it is nil.
func (b *builder) invertedResiduals(x string, tail []bottleneck) string {
	const act = "relu6"
	rows := mobileNetV2Rows()
	if tail != nil {
		rows = append(rows[:5], tail...)
	}
	x = b.conv("stem", x, 32, same(3, 2), act)
	return b.rows(x, 0, 32, rows, act)
}

// rows appends the blocks of a table; the first is called block<first>.
func (b *builder) rows(x string, first int, channels int64, table []bottleneck, act string) string {
	for _, row := range table {
		x = b.bottlenecks(x, &first, channels, row, act)
		channels = row.out
	}
	return x
}

// edgeTPURows is the table that TensorFlow publishes as V3_EDGETPU in
// research/slim/nets/mobilenet (mobilenet_v3.py), width 1.0.
func edgeTPURows() []bottleneck {
	return []bottleneck{
		{expand: 8, out: 32, repeat: 1, w: same(3, 2), fused: true},
		{expand: 4, out: 32, repeat: 3, w: same(3, 1), fused: true},
		{expand: 8, out: 48, repeat: 1, w: same(3, 2), fused: true},
		{expand: 4, out: 48, repeat: 3, w: same(3, 1), fused: true},
		{expand: 8, out: 96, repeat: 1, w: same(3, 2)},
		{expand: 4, out: 96, repeat: 3, w: same(3, 1)},
		{expand: 8, out: 96, repeat: 1, w: same(3, 1), fresh: true},
		{expand: 4, out: 96, repeat: 3, w: same(3, 1)},
		{expand: 8, out: 160, repeat: 1, w: same(5, 2)},
		{expand: 4, out: 160, repeat: 3, w: same(5, 1)},
		{expand: 8, out: 192, repeat: 1, w: same(3, 1)},
	}
}

// mobileNetEdgeTPU is MobileNetEdgeTPU, width 1.0, 224 x 224, described in
// Howard and Gupta, "Introducing the Next Generation of On-Device Vision
// Models", Google AI blog, November 2019.
func mobileNetEdgeTPU(name string) (*Workload, error) {
	const ref = "tensorflow/models research/slim mobilenet_v3.py, V3_EDGETPU, width 1.0"
	return edgeTPU(name, ref, 32, edgeTPURows())
}

// mobileNetEdgeTPU075 is MobileNetEdgeTPU, width 0.75: channels are multiples
// of 8 (make_divisible of mobilenet.py), the first projection and the head
// keep theirs.
func mobileNetEdgeTPU075(name string) (*Workload, error) {
	const ref = "tensorflow/models research/slim mobilenet_v3.py, V3_EDGETPU, width 0.75"
	rows := edgeTPURows()
	for i := range rows {
		rows[i].out = divisible(rows[i].out*3, 4)
	}
	return edgeTPU(name, ref, 24, rows)
}

// divisible returns n/d rounded to a multiple of 8, never more than a tenth
// below: make_divisible of mobilenet.py in tensorflow/models research/slim.
func divisible(n, d int64) int64 {
	const multiple = 8
	out := max((n/d+multiple/2)/multiple*multiple, multiple)
	if 10*out*d < 9*n {
		out += multiple
	}
	return out
}

func edgeTPU(name, ref string, stem int64, rows []bottleneck) (*Workload, error) {
	const act = "relu"
	b, x := image(name, ref, 224, 224)
	x = b.conv("stem", x, stem, same(3, 2), act)
	x = b.point("block0.project", x, 16, "")
	x = b.rows(x, 1, 16, rows, act)
	x = b.point("head", x, 1280, act)
	b.classify(x)
	return b.build()
}

// bottlenecks appends the blocks of one row: expand, slide, project, and a
// residual sum where a block keeps its input's shape.
func (b *builder) bottlenecks(x string, block *int, channels int64, row bottleneck, act string) string {
	w := row.w
	for range row.repeat {
		id := numbered("block", *block)
		*block++
		y, inner := x, cmp.Or(row.from, channels)*row.expand
		switch {
		case row.fused:
			y = b.conv(id+".expand", y, inner, w, act)
		case row.expand > 1:
			y = b.point(id+".expand", y, inner, act)
			fallthrough
		default:
			y = b.depthwise(id+".depthwise", y, inner, w, act)
		}
		y = b.point(id+".project", y, row.out, "")
		if w.stride == [2]int64{1, 1} && channels == row.out && !row.fresh {
			y = b.sum(id+".add", x, y)
		}
		x, channels, w.stride = y, row.out, [2]int64{1, 1}
	}
	return x
}
