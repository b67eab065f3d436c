package workload

// YOLOv8n: ultralytics/ultralytics, cfg/models/v8/yolov8.yaml, scale n, 640 x
// 640, 80 classes. Non-maximum suppression is no part of it.
const (
	yoloAct     = "swish"
	yoloClasses = 80
	yoloBins    = 16 // of the distribution of a side of a box
)

func yoloV8n(name string) (*Workload, error) {
	b, x := image(name, "ultralytics/ultralytics yolov8.yaml, scale n", 640, 640)
	x = b.conv("0", x, 16, same(3, 2), yoloAct)
	x = b.conv("1", x, 32, same(3, 2), yoloAct)
	x = b.crossStage("2", x, 32, 1, true)
	x = b.conv("3", x, 64, same(3, 2), yoloAct)
	p3 := b.crossStage("4", x, 64, 2, true)
	x = b.conv("5", p3, 128, same(3, 2), yoloAct)
	p4 := b.crossStage("6", x, 128, 2, true)
	x = b.conv("7", p4, 256, same(3, 2), yoloAct)
	x = b.crossStage("8", x, 256, 1, true)
	p5 := b.spatialPyramid("9", x, 256)

	x = b.resize("10", p5, [2]int64{40, 40})
	p4 = b.crossStage("12", b.join("11", x, p4), 128, 1, false)
	x = b.resize("13", p4, [2]int64{80, 80})
	p3 = b.crossStage("15", b.join("14", x, p3), 64, 1, false)
	x = b.conv("16", p3, 64, same(3, 2), yoloAct)
	p4 = b.crossStage("18", b.join("17", x, p4), 128, 1, false)
	x = b.conv("19", p4, 128, same(3, 2), yoloAct)
	p5 = b.crossStage("21", b.join("20", x, p5), 256, 1, false)
	for i, level := range []string{p3, p4, p5} {
		b.detect(numbered("detect", i), level, 64)
	}
	return b.build()
}

// crossStage appends the block called C2f: half of the channels pass through
// bottlenecks, and what each of them makes is joined.
func (b *builder) crossStage(id, in string, k int64, repeat int, residual bool) string {
	half := k / 2
	pass := b.point(id+".cv1", in, k, yoloAct)
	x := b.part(id+".split", pass, half)
	parts := []string{pass}
	for i := range repeat {
		m := numbered(id+".m", i)
		y := b.conv(m+".cv1", x, half, same(3, 1), yoloAct)
		y = b.conv(m+".cv2", y, half, same(3, 1), yoloAct)
		if residual {
			y = b.sum(m+".add", x, y)
		}
		x, parts = y, append(parts, y)
	}
	return b.point(id+".cv2", b.join(id+".concat", parts...), k, yoloAct)
}

// part appends a slice of k channels.
func (b *builder) part(id, in string, k int64) string {
	size := b.sizes[in]
	return b.add(id, size, Layer{Op: Copy, Fn: "slice", N: 1, P: size[0], Q: size[1], K: k}, in)
}

// spatialPyramid appends the block called SPPF: three poolings in a row, joined.
func (b *builder) spatialPyramid(id, in string, k int64) string {
	x := b.point(id+".cv1", in, k/2, yoloAct)
	parts := []string{x}
	for i := range 3 {
		x = b.maxPool(numbered(id+".m", i), x, same(5, 1))
		parts = append(parts, x)
	}
	return b.point(id+".cv2", b.join(id+".concat", parts...), k, yoloAct)
}

// detect appends the head of one level: the sides of a box as distributions,
// whose mean is taken, and the classes. width is the channels of the finest
// level.
func (b *builder) detect(id, in string, width int64) {
	const sides = 4
	size := b.sizes[in]
	box := b.conv(id+".box1", in, sides*yoloBins, same(3, 1), yoloAct)
	box = b.conv(id+".box2", box, sides*yoloBins, same(3, 1), yoloAct)
	box = b.point(id+".box", box, sides*yoloBins, "")
	boxes := size[0] * size[1] * sides
	box = b.add(id+".bins", size, Layer{Op: View, N: 1, P: 1, Q: boxes, K: yoloBins}, box)
	box = b.add(id+".softmax", size, Layer{Op: Softmax}, box)
	mean := Layer{Op: Reduce, Fn: "mean", N: 1, P: 1, Q: boxes, K: 1}
	if size == [2]int64{80, 80} { // the levels share the constants 0 to 15
		mean.Const = yoloBins
	}
	b.add(id+".mean", size, mean, box)
	inner := max(width, yoloClasses)
	class := b.conv(id+".class1", in, inner, same(3, 1), yoloAct)
	class = b.conv(id+".class2", class, inner, same(3, 1), yoloAct)
	b.point(id+".class", class, yoloClasses, "sigmoid")
}
