package workload

// mobileNetV3Large is MobileNetV3-Large, width 1.0, 224 x 224: Howard et al.,
// arXiv 1905.02244, Table 1, with 1000 classes.
func mobileNetV3Large(name string) (*Workload, error) {
	const re, hs = "relu", "hswish"
	b, x := image(name, "arXiv 1905.02244, Table 1, large, width 1.0", 224, 224)
	x = b.conv("stem", x, 16, same(3, 2), hs)
	channels := int64(16)
	for i, row := range []struct {
		kernel, inner, out, squeeze int64 // squeeze: channels between, 0 for none
		act                         string
		stride                      int64
	}{
		{3, 16, 16, 0, re, 1},
		{3, 64, 24, 0, re, 2},
		{3, 72, 24, 0, re, 1},
		{5, 72, 40, 24, re, 2},
		{5, 120, 40, 32, re, 1},
		{5, 120, 40, 32, re, 1},
		{3, 240, 80, 0, hs, 2},
		{3, 200, 80, 0, hs, 1},
		{3, 184, 80, 0, hs, 1},
		{3, 184, 80, 0, hs, 1},
		{3, 480, 112, 120, hs, 1},
		{3, 672, 112, 168, hs, 1},
		{5, 672, 160, 168, hs, 2},
		{5, 960, 160, 240, hs, 1},
		{5, 960, 160, 240, hs, 1},
	} {
		id, y := numbered("block", i), x
		if row.inner != channels {
			y = b.point(id+".expand", y, row.inner, row.act)
		}
		y = b.depthwise(id+".depthwise", y, row.inner, same(row.kernel, row.stride), row.act)
		if row.squeeze > 0 {
			y = b.excite(id, y, row.squeeze, row.inner, "hsigmoid")
		}
		y = b.point(id+".project", y, row.out, "")
		if row.stride == 1 && row.out == channels {
			y = b.sum(id+".add", x, y)
		}
		x, channels = y, row.out
	}
	x = b.point("head", x, 960, hs)
	x = b.globalPool("pool", x)
	x = b.point("features", x, 1280, hs)
	b.softmax(b.point("logits", x, imageNet, ""))
	return b.build()
}

// excite appends squeeze-and-excitation (Hu et al., arXiv 1709.01507): one
// factor per channel from the channel averages.
func (b *builder) excite(id, x string, squeeze, channels int64, gate string) string {
	y := b.globalPool(id+".squeeze", x)
	y = b.point(id+".reduce", y, squeeze, "relu")
	y = b.point(id+".excite", y, channels, gate)
	return b.scale(id+".scale", x, y)
}
