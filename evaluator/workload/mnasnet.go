package workload

// mnasNetA1 is MnasNet-A1, 224 x 224: Tan et al., arXiv 1807.11626, Figure 7;
// squeeze-and-excitation has a quarter of a block's input channels.
func mnasNetA1(name string) (*Workload, error) {
	const act = "relu"
	b, x := image(name, "arXiv 1807.11626, Figure 7", 224, 224)
	x = b.conv("stem", x, 32, same(3, 2), act)
	x = b.depthwise("block0.depthwise", x, 32, same(3, 1), act)
	x = b.point("block0.project", x, 16, "")
	block, channels := 1, int64(16)
	for _, row := range []struct {
		expand, out, kernel, stride int64
		repeat                      int
		excite                      bool
	}{
		{6, 24, 3, 2, 2, false},
		{3, 40, 5, 2, 3, true},
		{6, 80, 3, 2, 4, false},
		{6, 112, 3, 1, 2, true},
		{6, 160, 5, 2, 3, true},
		{6, 320, 3, 1, 1, false},
	} {
		stride := row.stride
		for range row.repeat {
			id, inner := numbered("block", block), channels*row.expand
			y := b.point(id+".expand", x, inner, act)
			y = b.depthwise(id+".depthwise", y, inner, same(row.kernel, stride), act)
			if row.excite {
				y = b.excite(id, y, channels/4, inner, "sigmoid")
			}
			y = b.point(id+".project", y, row.out, "")
			if stride == 1 && channels == row.out {
				y = b.sum(id+".add", x, y)
			}
			x, channels, stride = y, row.out, 1
			block++
		}
	}
	x = b.point("head", x, 1280, act)
	b.classifyDense(x, imageNet)
	return b.build()
}
