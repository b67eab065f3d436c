package workload

// deepLabV3 is DeepLabV3 with MobileNetV2 at 513 x 513, output stride 16, 21
// classes (Pascal VOC): Chen et al., arXiv 1706.05587, without the dilated
// branches, as tensorflow/models research/deeplab publishes it for MobileNetV2.
func deepLabV3(name string) (*Workload, error) {
	const act, width, classes = "relu", 256, 21
	b, picture := image(name, "tensorflow/models deeplab mobilenetv2_coco_voc, output stride 16", 513, 513)
	x := b.invertedResiduals(picture, []bottleneck{
		{expand: 6, out: 160, repeat: 1, w: same(3, 1)},
		{expand: 6, out: 160, repeat: 2, w: same(3, 1).dilated(2)},
		{expand: 6, out: 320, repeat: 1, w: same(3, 1).dilated(2)},
	})
	size := b.sizes[x]
	pool := b.globalPool("aspp.pool", x)
	direct := b.point("aspp.conv", x, width, act)
	pooled := b.point("aspp.pool.conv", pool, width, act)
	pooled = b.resize("aspp.pool.resize", pooled, size)
	x = b.join("aspp.concat", pooled, direct)
	x = b.point("aspp.project", x, width, act)
	x = b.point("logits", x, classes, "")
	x = b.resize("resize", x, b.sizes[picture])
	b.add("argmax", b.sizes[x], Layer{Op: Reduce, Fn: "argmax", P: b.sizes[x][0], Q: b.sizes[x][1], K: 1}, x)
	return b.build()
}

// uNet is U-Net: Ronneberger et al., arXiv 1505.04597, Figure 1, with padded
// convolutions at 256 x 256.
func uNet(name string) (*Workload, error) {
	const act, depth = "relu", 4
	b, x := image(name, "arXiv 1505.04597, Figure 1, padded", 256, 256)
	double := func(id string, k int64) {
		x = b.conv(id+".conv1", x, k, same(3, 1), act)
		x = b.conv(id+".conv2", x, k, same(3, 1), act)
	}
	var skips []string
	for i := range depth {
		id := numbered("down", i)
		double(id, 64<<i)
		skips = append(skips, x)
		x = b.maxPool(id+".pool", x, same(2, 2))
	}
	double("bottom", 64<<depth)
	for i := depth - 1; i >= 0; i-- {
		id := numbered("up", i)
		x = b.upconv(id+".up", x, 64<<i, 2, "")
		x = b.join(id+".concat", x, skips[i])
		double(id, 64<<i)
	}
	b.point("logits", x, 2, "")
	return b.build()
}
