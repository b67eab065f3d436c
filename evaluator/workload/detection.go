package workload

// The single-shot detectors: Liu et al., arXiv 1512.02325, as the TensorFlow
// object detection API configures them for COCO: 91 classes with background, 3
// anchors on the finest map and 6 on the others. Post-processing (decoding and
// non-maximum suppression) is not part of the layer tables.
const (
	boxes      = 4
	cocoLabels = 91
)

// ssdMobileNetV1 is SSD with MobileNetV1 at 300 x 300 (ssd_mobilenet_v1_coco):
// predictors are 1x1 convolutions.
func ssdMobileNetV1(name string) (*Workload, error) {
	b, x := image(name, "tensorflow/models object_detection ssd_mobilenet_v1_coco", 300, 300)
	end, middle := b.separables(x, 100)
	b.predict(b.pyramid(middle, end, b.conv), b.predictor)
	return b.build()
}

// ssdMobileNetV2 is SSD with MobileNetV2 at 300 x 300 (ssd_mobilenet_v2_coco):
// the finest map is the expansion of the first block with stride 32.
func ssdMobileNetV2(name string) (*Workload, error) {
	b, x := image(name, "tensorflow/models object_detection ssd_mobilenet_v2_coco", 300, 300)
	x = b.invertedResiduals(x, nil)
	x = b.point("head", x, 1280, "relu6")
	b.predict(b.pyramid("block13.expand", x, b.conv), b.predictor)
	return b.build()
}

// slider appends one kind of convolution.
type slider func(id, in string, k int64, w window, act string) string

// pyramid appends four coarser maps and returns all six, finest first.
func (b *builder) pyramid(first, second string, down slider) []string {
	maps := []string{first, second}
	x := second
	for i, row := range []struct{ inner, out int64 }{{256, 512}, {128, 256}, {128, 256}, {64, 128}} {
		id := numbered("extra", i)
		x = b.point(id+".reduce", x, row.inner, "relu6")
		x = down(id+".down", x, row.out, same(3, 2), "relu6")
		maps = append(maps, x)
	}
	return maps
}

// predict appends the box and the class predictor of every map.
func (b *builder) predict(maps []string, predictor func(id, in string, k int64)) {
	for i, x := range maps {
		anchors := int64(6)
		if i == 0 {
			anchors = 3
		}
		id := numbered("predict", i)
		predictor(id+".boxes", x, anchors*boxes)
		predictor(id+".classes", x, anchors*cocoLabels)
	}
}

func (b *builder) predictor(id, in string, k int64) { b.point(id, in, k, "") }

// separable appends a depthwise convolution over the given channels and a
// 1x1 convolution.
func (b *builder) separable(id, in string, channels, k int64, w window, act string) string {
	x := b.depthwise(id+".depthwise", in, channels, w, "relu6")
	return b.point(id, x, k, act)
}

// ssdLiteMobileDet is SSDLite with MobileDet-EdgeTPU at 320 x 320: Xiong et
// al., arXiv 2004.14525; the table is mobiledet_edgetpu_backbone in
// mobiledet_feature_extractor.py of the TensorFlow object detection API.
func ssdLiteMobileDet(name string) (*Workload, error) {
	const act = "relu6"
	b, x := image(name, "tensorflow/models object_detection mobiledet_edgetpu, SSDLite", 320, 320)
	x = b.conv("stem", x, 32, same(3, 2), act)
	x = b.tucker("block0", x, 8, 16, 16)
	x = b.rows(x, 1, 16, []bottleneck{
		{expand: 8, out: 16, repeat: 1, w: same(3, 2), fused: true, fresh: true},
		{expand: 4, out: 16, repeat: 1, w: same(3, 1), fused: true},
		{expand: 8, out: 16, repeat: 1, w: same(3, 1), fused: true},
		{expand: 4, out: 16, repeat: 1, w: same(3, 1), fused: true},
		{expand: 8, out: 40, repeat: 1, w: same(5, 2), fused: true},
		{expand: 4, out: 40, repeat: 3, w: same(3, 1), fused: true},
		{expand: 8, out: 72, repeat: 1, w: same(3, 2)},
		{expand: 8, out: 72, repeat: 1, w: same(3, 1)},
		{expand: 4, out: 72, repeat: 2, w: same(3, 1), fused: true},
		{expand: 8, out: 96, repeat: 1, w: same(5, 1), fresh: true},
		{expand: 8, out: 96, repeat: 1, w: same(5, 1)},
		{expand: 8, out: 96, repeat: 2, w: same(3, 1)},
		{expand: 8, out: 120, repeat: 1, w: same(5, 2)},
		{expand: 8, out: 120, repeat: 1, w: same(3, 1)},
		{expand: 4, out: 120, repeat: 1, w: same(5, 1)},
		{expand: 8, out: 120, repeat: 1, w: same(3, 1)},
		{expand: 8, out: 384, repeat: 1, w: same(5, 1), fresh: true},
	}, act)
	const fine, coarse = "block16.add", "block21.project"
	_ = x
	channels := map[string]int64{fine: 96, coarse: 384}
	down := func(id, in string, k int64, w window, act string) string {
		channels[id] = k
		return b.separable(id, in, k/2, k, w, act)
	}
	b.predict(b.pyramid(fine, coarse, down), func(id, in string, k int64) {
		b.separable(id, in, channels[in], k, same(3, 1), "")
	})
	return b.build()
}

// tucker appends a compressing 1x1, a 3x3 and an expanding 1x1 convolution
// (Xiong et al., Section 3.2).
func (b *builder) tucker(id, x string, inner, middle, out int64) string {
	x = b.point(id+".compress", x, inner, "relu6")
	x = b.conv(id+".conv", x, middle, same(3, 1), "relu6")
	return b.point(id+".project", x, out, "")
}
