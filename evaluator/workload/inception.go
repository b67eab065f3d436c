package workload

// branch is a chain of layers in an Inception module; the branches of a module
// are concatenated.
type branch []step

// step is one layer of a branch: a convolution with k outputs, or a pooling.
type step struct {
	pool string // "max", "avg", or "" for a convolution
	k    int64
	w    window
}

func conv1(k int64) step              { return step{k: k, w: same(1, 1)} }
func conv3(k int64) step              { return step{k: k, w: same(3, 1)} }
func convOf(k int64, w window) step   { return step{k: k, w: w} }
func poolOf(fn string, w window) step { return step{pool: fn, w: w} }
func avgThen(k int64) branch          { return branch{poolOf("avg", same(3, 1)), conv1(k)} }
func halve(k int64) step              { return step{k: k, w: valid(3, 2)} }
func (b *builder) run(id, x string, c branch) string {
	for i, s := range c {
		name := numbered(id+".", i)
		if s.pool != "" {
			x = b.pool(name, x, s.pool, s.w)
			continue
		}
		x = b.conv(name, x, s.k, s.w, "relu")
	}
	return x
}

// module appends an Inception module.
func (b *builder) module(id, x string, branches ...branch) string {
	var ends []string
	for i, c := range branches {
		ends = append(ends, b.run(id+numbered(".branch", i), x, c))
	}
	return b.join(id+".concat", ends...)
}

// inceptionV1 is GoogLeNet: Szegedy et al., arXiv 1409.4842, Table 1, as
// TensorFlow's research/slim has it: 3x3 in place of 5x5 convolutions and no
// auxiliary classifiers.
func inceptionV1(name string) (*Workload, error) {
	const act = "relu"
	b, x := image(name, "tensorflow/models research/slim inception_v1.py", 224, 224)
	x = b.conv("conv1", x, 64, same(7, 2), act)
	x = b.maxPool("pool1", x, same(3, 2))
	x = b.point("conv2.reduce", x, 64, act)
	x = b.conv("conv2", x, 192, same(3, 1), act)
	x = b.maxPool("pool2", x, same(3, 2))
	for i, k := range [][6]int64{
		{64, 96, 128, 16, 32, 32},
		{128, 128, 192, 32, 96, 64},
		{192, 96, 208, 16, 48, 64},
		{160, 112, 224, 24, 64, 64},
		{128, 128, 256, 24, 64, 64},
		{112, 144, 288, 32, 64, 64},
		{256, 160, 320, 32, 128, 128},
		{256, 160, 320, 32, 128, 128},
		{384, 192, 384, 48, 128, 128},
	} {
		switch i {
		case 2:
			x = b.maxPool("pool3", x, same(3, 2))
		case 7:
			x = b.maxPool("pool4", x, same(2, 2))
		}
		x = b.module(numbered("mixed", i), x,
			branch{conv1(k[0])},
			branch{conv1(k[1]), conv3(k[2])},
			branch{conv1(k[3]), conv3(k[4])},
			branch{poolOf("max", same(3, 1)), conv1(k[5])})
	}
	b.classify(x)
	return b.build()
}

// longStem is the stem of Inception v3 and Inception-ResNet v2.
func (b *builder) longStem(x string) string {
	return b.run("stem", x, branch{
		convOf(32, valid(3, 2)), convOf(32, valid(3, 1)), conv3(64), poolOf("max", valid(3, 2)),
		conv1(80), convOf(192, valid(3, 1)), poolOf("max", valid(3, 2)),
	})
}

// inceptionV3 is Inception v3: Szegedy et al., arXiv 1512.00567, Table 1, as
// TensorFlow's research/slim has it, without the auxiliary classifier.
func inceptionV3(name string) (*Workload, error) {
	b, x := image(name, "tensorflow/models research/slim inception_v3.py", 299, 299)
	x = b.longStem(x)
	for i, k := range []int64{32, 64, 64} {
		x = b.module(numbered("mixed5.", i), x,
			branch{conv1(64)},
			branch{conv1(48), convOf(64, same(5, 1))},
			branch{conv1(64), conv3(96), conv3(96)},
			avgThen(k))
	}
	x = b.module("reduce6", x,
		branch{halve(384)},
		branch{conv1(64), conv3(96), halve(96)},
		branch{poolOf("max", valid(3, 2))})
	row, column := rect(1, 7), rect(7, 1)
	for i, k := range []int64{128, 160, 160, 192} {
		x = b.module(numbered("mixed6.", i), x,
			branch{conv1(192)},
			branch{conv1(k), convOf(k, row), convOf(192, column)},
			branch{conv1(k), convOf(k, column), convOf(k, row), convOf(k, column), convOf(192, row)},
			avgThen(192))
	}
	x = b.module("reduce7", x,
		branch{conv1(192), halve(320)},
		branch{conv1(192), convOf(192, row), convOf(192, column), halve(192)},
		branch{poolOf("max", valid(3, 2))})
	for i := range 2 {
		x = b.wide(numbered("mixed7.", i), x, 320, 192,
			split{branch{conv1(384)}, 384},
			split{branch{conv1(448), conv3(384)}, 384})
	}
	b.classifyDense(x, imageNetClasses)
	return b.build()
}

// split is a branch that ends in a 1x3 and a 3x1 convolution side by side,
// with k outputs each.
type split struct {
	c branch
	k int64
}

// wide appends a module of the 8x8 grid: a 1x1 branch, two that split, and a
// pooled one.
func (b *builder) wide(id, x string, direct, pooled int64, one, two split) string {
	const act = "relu"
	y1 := b.run(id+".branch1", x, one.c)
	y2 := b.run(id+".branch2", x, two.c)
	ends := []string{b.point(id+".branch0", x, direct, act)}
	for _, e := range []struct {
		id, in string
		k      int64
	}{{".branch1", y1, one.k}, {".branch2", y2, two.k}} {
		ends = append(ends,
			b.conv(id+e.id+".row", e.in, e.k, rect(1, 3), act),
			b.conv(id+e.id+".column", e.in, e.k, rect(3, 1), act))
	}
	ends = append(ends, b.run(id+".branch3", x, avgThen(pooled)))
	return b.join(id+".concat", ends...)
}
