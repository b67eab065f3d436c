package workload

// The text detector and recogniser of PP-OCRv4 (mobile): PaddleOCR,
// ppocr/modeling (backbones/rec_lcnetv3.py, necks/db_fpn.py, necks/rnn.py,
// heads/det_db_head.py), with the parallel branches, scales and shifts of
// training folded as in the released inference models.

// lightBlock is a row of PP-LCNetV3: a depthwise and a 1x1 convolution.
type lightBlock struct {
	out    int64
	w      window
	linear bool // no activation behind the depthwise convolution
	excite bool
}

// lightBlocks appends rows of PP-LCNetV3.
func (b *builder) lightBlocks(id, x string, channels int64, rows []lightBlock) string {
	const act = "hswish"
	for i, row := range rows {
		id := id + numbered(".", i)
		dw := act
		if row.linear {
			dw = ""
		}
		x = b.depthwise(id+".depthwise", x, channels, row.w, dw)
		if row.excite {
			x = b.excite(id, x, channels/4, channels, "hsigmoid")
		}
		x = b.point(id+".point", x, row.out, act)
		channels = row.out
	}
	return x
}

// ppOCRDetection is the detector at 640 x 640.
func ppOCRDetection(name string) (*Workload, error) {
	b, x := image(name, "PaddleOCR PP-OCRv4 mobile detection, 640 x 640", 640, 640)
	x = b.conv("stem", x, 16, same(3, 2), "")
	x = b.lightBlocks("stage2", x, 16, []lightBlock{{out: 32, w: same(3, 1)}})
	channels := int64(32)
	var ends []string
	for i, rows := range [][]lightBlock{
		{{out: 48, w: same(3, 2), linear: true}, {out: 48, w: same(3, 1)}},
		{{out: 96, w: same(3, 2), linear: true}, {out: 96, w: same(3, 1)}},
		{
			{out: 192, w: same(3, 2), linear: true},
			{out: 192, w: same(5, 1)},
			{out: 192, w: same(5, 1)},
			{out: 192, w: same(5, 1)},
			{out: 192, w: same(5, 1)},
		},
		{
			{out: 384, w: same(5, 2), linear: true, excite: true},
			{out: 384, w: same(5, 1), excite: true},
			{out: 384, w: same(5, 1)},
			{out: 384, w: same(5, 1)},
		},
	} {
		x = b.lightBlocks(numbered("stage", i+3), x, channels, rows)
		ends, channels = append(ends, x), rows[0].out
	}
	b.differentiableBinarisation(b.residualPyramid(ends))
	return b.build()
}

// residualPyramid appends the feature pyramid of the detector over four maps,
// finest first, and returns their concatenation at the finest size.
func (b *builder) residualPyramid(maps []string) string {
	const width = 96
	for i, k := range []int64{12, 18, 42, 360} {
		maps[i] = b.point(numbered("end", i), maps[i], k, "")
	}
	coarsest := len(maps) - 1
	for i := coarsest; i >= 0; i-- {
		maps[i] = b.exciteResidual(numbered("lateral", i), b.plain(b.point(numbered("lateral", i), maps[i], width, "")), width)
	}
	for i := coarsest - 1; i >= 0; i-- {
		up := b.resize(numbered("up", i), maps[i+1], b.sizes[maps[i]])
		maps[i] = b.sum(numbered("top_down", i), maps[i], up)
	}
	for i := coarsest; i >= 0; i-- {
		id := numbered("smooth", i)
		maps[i] = b.exciteResidual(id, b.plain(b.conv(id, maps[i], width/4, same(3, 1), "")), width/4)
	}
	for i := coarsest; i > 0; i-- {
		maps[i] = b.resize(numbered("full", i), maps[i], b.sizes[maps[0]])
	}
	return b.join("fuse", maps[3], maps[2], maps[1], maps[0])
}

// exciteResidual appends squeeze-and-excitation with a residual sum.
func (b *builder) exciteResidual(id, x string, channels int64) string {
	return b.sum(id+".add", x, b.excite(id, x, channels/4, channels, "hsigmoid"))
}

// differentiableBinarisation appends the probability map's head (Liao et al.,
// arXiv 1911.08947); inference needs no threshold map.
func (b *builder) differentiableBinarisation(x string) {
	x = b.conv("head.conv1", x, 24, same(3, 1), "relu")
	x = b.upconv("head.conv2", x, 24, 2, "relu")
	b.upconv("head.conv3", x, 1, 2, "sigmoid")
}

// ppOCRRecognition is the recogniser at 48 x 640: 80 positions, 6625 symbols.
func ppOCRRecognition(name string) (*Workload, error) {
	const act, width, symbols = "swish", 120, 6625
	b, x := image(name, "PaddleOCR PP-OCRv4 mobile recognition, 48 x 640", 48, 640)
	tall, wide := [2]int64{2, 1}, [2]int64{1, 2}
	x = b.conv("stem", x, 16, same(3, 2), "")
	x = b.lightBlocks("body", x, 16, []lightBlock{
		{out: 32, w: same(3, 1)},
		{out: 64, w: same(3, 1)},
		{out: 64, w: same(3, 1)},
		{out: 128, w: same(3, 1).striding(tall)},
		{out: 128, w: same(3, 1)},
		{out: 240, w: same(3, 1).striding(wide)},
		{out: 240, w: same(5, 1)},
		{out: 240, w: same(5, 1)},
		{out: 240, w: same(5, 1)},
		{out: 240, w: same(5, 1)},
		{out: 480, w: same(5, 1).striding(tall), excite: true},
		{out: 480, w: same(5, 1), excite: true},
		{out: 480, w: same(5, 1).striding(tall)},
		{out: 480, w: same(5, 1)},
	})
	features := b.avgPool("pool", x, window{height: 3, width: 2, stride: [2]int64{3, 2}, dilation: 1, valid: true})
	x = b.conv("neck.conv1", features, width/2, rect(1, 3), act)
	x = b.point("neck.conv2", x, width, act)
	for i := range 2 {
		x = b.mixer(numbered("neck.mixer", i), x, width)
	}
	x = b.add("neck.norm", b.sizes[x], Layer{Op: Norm, Fn: "layer", Const: 2 * width}, x)
	x = b.point("neck.conv3", x, 480, act)
	x = b.join("neck.concat", features, x)
	x = b.conv("neck.conv4", x, width/2, rect(1, 3), act)
	x = b.point("neck.conv5", x, width, act)
	x = b.rowsOf("head", x, symbols, "")
	b.softmax(x)
	return b.build()
}

// rowsOf appends a dense layer that every position of x passes on its own.
func (b *builder) rowsOf(id, x string, k int64, act string) string {
	size := b.sizes[x]
	return b.add(id, size, Layer{Op: GEMM, M: size[0] * size[1], K: k, Act: act}, x)
}

// mixer appends a transformer block with 8 heads and normalisation first.
func (b *builder) mixer(id, x string, width int64) string {
	const heads = 8
	size := b.sizes[x]
	length, depth := size[0]*size[1], width/heads
	y := b.add(id+".norm1", size, Layer{Op: Norm, Fn: "layer", Const: 2 * width}, x)
	all := b.rowsOf(id+".qkv", y, 3*width, "")
	var parts [3]string
	for i, part := range []string{".query", ".key", ".value"} {
		parts[i] = b.add(id+part, size, Layer{Op: Copy, Fn: "slice", P: size[0], Q: size[1], K: width}, all)
	}
	y = b.add(id+".scores", size, Layer{Op: MatMul, N: heads, M: length, K: length, C: depth}, parts[0], parts[1])
	y = b.add(id+".softmax", size, Layer{Op: Softmax}, y)
	y = b.add(id+".context", size, Layer{Op: MatMul, N: heads, M: length, K: depth, C: length}, y, parts[2])
	y = b.rowsOf(id+".output", y, width, "")
	x = b.sum(id+".add1", x, y)
	y = b.add(id+".norm2", size, Layer{Op: Norm, Fn: "layer", Const: 2 * width}, x)
	y = b.rowsOf(id+".expand", y, 2*width, "swish")
	y = b.rowsOf(id+".contract", y, width, "")
	return b.sum(id+".add2", x, y)
}
