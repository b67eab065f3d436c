package workload

// The EfficientNet-EdgeTPU family: the block table and the scaling of each
// size in efficientnet_edgetpu_builder.py of tensorflow/tpu
// (models/official/efficientnet/edgetpu); Gupta and Akin, arXiv 2003.02838.

func efficientNetEdgeTPUS(name string) (*Workload, error) {
	return efficientNetEdgeTPU(name, 224, scaling{10, 10})
}

func efficientNetEdgeTPUM(name string) (*Workload, error) {
	return efficientNetEdgeTPU(name, 240, scaling{10, 11})
}

func efficientNetEdgeTPUL(name string) (*Workload, error) {
	return efficientNetEdgeTPU(name, 300, scaling{12, 14})
}

// scaling multiplies channels and repeats; both in tenths.
type scaling struct{ width, depth int64 }

func (s scaling) channels(n int64) int64 { return divisible(n*s.width, 10) }

// repeats rounds up.
func (s scaling) repeats(n int) int { return int((int64(n)*s.depth + 9) / 10) }

func efficientNetEdgeTPU(name string, size int64, s scaling) (*Workload, error) {
	const act = "relu"
	b, x := image(name, "tensorflow/tpu efficientnet_edgetpu_builder.py", size, size)
	x = b.conv("stem", x, s.channels(32), same(3, 2), act)
	rows := []bottleneck{
		{expand: 4, out: 24, repeat: 1, w: same(3, 1), fused: true, fresh: true},
		{expand: 8, out: 32, repeat: 2, w: same(3, 2), fused: true},
		{expand: 8, out: 48, repeat: 4, w: same(3, 2), fused: true},
		{expand: 8, out: 96, repeat: 5, w: same(5, 2)},
		{expand: 8, out: 144, repeat: 4, w: same(5, 1)},
		{expand: 8, out: 192, repeat: 2, w: same(5, 2)},
	}
	for i := range rows {
		rows[i].out = s.channels(rows[i].out)
		rows[i].repeat = s.repeats(rows[i].repeat)
	}
	rows[0].from = rows[0].out // the table declares 24 input channels, not the stem's
	x = b.rows(x, 0, s.channels(32), rows, act)
	x = b.point("head", x, s.channels(1280), act)
	b.classifyDense(x, imageNetClasses)
	return b.build()
}

// efficientNetLite0 is EfficientNet-Lite0, 224 x 224: the table of
// EfficientNet-B0 (Tan and Le, arXiv 1905.11946, Table 1) with relu6 and
// without squeeze-and-excitation, efficientnet_lite_builder.py of
// tensorflow/tpu (models/official/efficientnet/lite).
func efficientNetLite0(name string) (*Workload, error) {
	const act = "relu6"
	b, x := image(name, "tensorflow/tpu efficientnet_lite_builder.py", 224, 224)
	x = b.conv("stem", x, 32, same(3, 2), act)
	x = b.rows(x, 0, 32, []bottleneck{
		{expand: 1, out: 16, repeat: 1, w: same(3, 1)},
		{expand: 6, out: 24, repeat: 2, w: same(3, 2)},
		{expand: 6, out: 40, repeat: 2, w: same(5, 2)},
		{expand: 6, out: 80, repeat: 3, w: same(3, 2)},
		{expand: 6, out: 112, repeat: 3, w: same(5, 1)},
		{expand: 6, out: 192, repeat: 4, w: same(5, 2)},
		{expand: 6, out: 320, repeat: 1, w: same(3, 1)},
	}, act)
	x = b.point("head", x, 1280, act)
	b.classifyDense(x, imageNet)
	return b.build()
}
