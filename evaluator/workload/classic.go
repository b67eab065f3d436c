package workload

import "strings"

// alexNet is AlexNet with its two groups: Krizhevsky et al., NeurIPS 2012,
// Section 3.5, at 227 x 227, the size with which its arithmetic closes.
func alexNet(name string) (*Workload, error) {
	const act = "relu"
	b, x := image(name, "Krizhevsky et al., NeurIPS 2012, Section 3.5", 227, 227)
	x = b.conv("conv1", x, 96, valid(11, 4), act)
	x = b.maxPool("pool1", x, valid(3, 2))
	x = b.grouped("conv2", x, 256, 2, same(5, 1), act)
	x = b.maxPool("pool2", x, valid(3, 2))
	x = b.conv("conv3", x, 384, same(3, 1), act)
	x = b.grouped("conv4", x, 384, 2, same(3, 1), act)
	x = b.grouped("conv5", x, 256, 2, same(3, 1), act)
	x = b.maxPool("pool5", x, valid(3, 2))
	b.threeDense(x)
	return b.build()
}

// threeDense appends the classifier of AlexNet and VGG.
func (b *builder) threeDense(x string) {
	x = b.dense("fc6", x, 4096, "relu")
	x = b.dense("fc7", x, 4096, "relu")
	b.softmax(b.dense("fc8", x, imageNet, ""))
}

func vgg16(name string) (*Workload, error) { return vgg(name, "D", [5]int{2, 2, 3, 3, 3}) }
func vgg19(name string) (*Workload, error) { return vgg(name, "E", [5]int{2, 2, 4, 4, 4}) }

// vgg is a column of Simonyan and Zisserman, arXiv 1409.1556, Table 1.
func vgg(name, column string, repeats [5]int) (*Workload, error) {
	b, x := image(name, "arXiv 1409.1556, Table 1, column "+column, 224, 224)
	for stage, repeat := range repeats {
		channels := min(int64(64)<<stage, 512)
		id := numbered("stage", stage+1)
		for i := range repeat {
			x = b.conv(id+numbered(".conv", i+1), x, channels, same(3, 1), "relu")
		}
		x = b.maxPool(id+".pool", x, same(2, 2))
	}
	b.threeDense(x)
	return b.build()
}

// squeezeNet is SqueezeNet 1.0: Iandola et al., arXiv 1602.07360, Table 1, at
// 227 x 227 as its authors released it.
func squeezeNet(name string) (*Workload, error) {
	const act = "relu"
	b, x := image(name, "arXiv 1602.07360, Table 1 (version 1.0)", 227, 227)
	x = b.conv("conv1", x, 96, valid(7, 2), act)
	x = b.maxPool("pool1", x, valid(3, 2))
	for i, squeeze := range []int64{16, 16, 32, 32, 48, 48, 64, 64} {
		id := numbered("fire", i+2)
		x = b.point(id+".squeeze", x, squeeze, act)
		one := b.point(id+".expand1", x, 4*squeeze, act)
		three := b.conv(id+".expand3", x, 4*squeeze, same(3, 1), act)
		x = b.join(id+".concat", one, three)
		if i == 2 || i == 6 {
			x = b.maxPool(strings.Replace(id, "fire", "pool", 1), x, valid(3, 2))
		}
	}
	x = b.point("conv10", x, imageNet, act)
	b.softmax(b.globalPool("pool10", x))
	return b.build()
}

// denseNet121 is DenseNet-121: Huang et al., arXiv 1608.06993, Table 1,
// growth 32. The normalisation between a concatenation and its convolution
// cannot be folded.
func denseNet121(name string) (*Workload, error) {
	const act, growth = "relu", int64(32)
	b, x := image(name, "arXiv 1608.06993, Table 1, growth 32", 224, 224)
	x = b.conv("stem", x, 64, same(7, 2), act)
	x = b.maxPool("stem.pool", x, same(3, 2))
	channels := int64(64)
	for stage, repeat := range []int{6, 12, 24, 16} {
		name := numbered("stage", stage+1)
		for i := range repeat {
			id := name + numbered(".block", i)
			y := b.shiftRelu(id+".norm", x, channels)
			y = b.point(id+".conv1", y, 4*growth, act)
			y = b.plain(b.conv(id+".conv2", y, growth, same(3, 1), ""))
			x = b.join(id+".concat", x, y)
			channels += growth
		}
		if stage == 3 {
			break
		}
		channels /= 2
		x = b.shiftRelu(name+".norm", x, 2*channels)
		x = b.plain(b.point(name+".conv", x, channels, ""))
		x = b.avgPool(name+".pool", x, valid(2, 2))
	}
	x = b.shiftRelu("norm", x, channels)
	b.classifyDense(x, imageNet)
	return b.build()
}
