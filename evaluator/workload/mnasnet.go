package workload

// mnasNetFamily is MnasNet-A1: Tan et al., arXiv 1807.11626, Figure 7;
// squeeze-and-excitation has a quarter of a block's input channels. Widths and
// resolutions are those that tensorflow/tpu models/official/mnasnet publishes.
func mnasNetFamily() Family {
	return Family{
		Name: "mnasnet_a1", Doc: "MnasNet-A1 by width and resolution, with and without squeeze-and-excitation.", Ref: "arXiv 1807.11626",
		Params: []FamilyParam{
			widthParam(35, 50, 75, 100, 140), resolutionParam(96, 128, 160, 192, 224),
			{"excite", "Squeeze-and-excitation: 0 without, 1 in the stages that have it.", "", []int64{0, 1}, 1},
		},
		build: buildMnasNet,
	}
}

func buildMnasNet(name string, v []int64) (*Workload, error) {
	const act = "relu"
	b, x := image(name, "arXiv 1807.11626, Figure 7", v[1], v[1])
	wide := func(channels int64) int64 { return divisible(channels*v[0], 100) }
	x = b.conv("stem", x, wide(32), same(3, 2), act)
	x = b.depthwise("block0.depthwise", x, wide(32), same(3, 1), act)
	x = b.point("block0.project", x, wide(16), "")
	block, channels := 1, wide(16)
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
		stride, out := row.stride, wide(row.out)
		for range row.repeat {
			id, inner := numbered("block", block), channels*row.expand
			y := b.point(id+".expand", x, inner, act)
			y = b.depthwise(id+".depthwise", y, inner, same(row.kernel, stride), act)
			if row.excite && v[2] == 1 {
				y = b.excite(id, y, channels/4, inner, "sigmoid")
			}
			y = b.point(id+".project", y, out, "")
			if stride == 1 && channels == out {
				y = b.sum(id+".add", x, y)
			}
			x, channels, stride = y, out, 1
			block++
		}
	}
	x = b.point("head", x, 1280, act)
	b.classifyDense(x, imageNet)
	return b.build()
}
