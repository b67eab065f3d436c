package workload

// inceptionV4 is Inception v4: Szegedy et al., arXiv 1602.07261, Figures 3 to
// 9, as TensorFlow's research/slim has it.
func inceptionV4(name string) (*Workload, error) {
	b, x := image(name, "arXiv 1602.07261, Figures 3 to 9", 299, 299)
	row, column := rect(1, 7), rect(7, 1)
	x = b.run("stem", x, branch{convOf(32, valid(3, 2)), convOf(32, valid(3, 1)), conv3(64)})
	x = b.module("mixed3", x, branch{poolOf("max", valid(3, 2))}, branch{halve(96)})
	x = b.module("mixed4", x,
		branch{conv1(64), convOf(96, valid(3, 1))},
		branch{conv1(64), convOf(64, row), convOf(64, column), convOf(96, valid(3, 1))})
	x = b.module("mixed5", x, branch{halve(192)}, branch{poolOf("max", valid(3, 2))})
	for i := range 4 {
		x = b.module(numbered("a", i), x,
			branch{conv1(96)},
			branch{conv1(64), conv3(96)},
			branch{conv1(64), conv3(96), conv3(96)},
			avgThen(96))
	}
	x = b.module("reduce_a", x,
		branch{halve(384)},
		branch{conv1(192), conv3(224), halve(256)},
		branch{poolOf("max", valid(3, 2))})
	for i := range 7 {
		x = b.module(numbered("b", i), x,
			branch{conv1(384)},
			branch{conv1(192), convOf(224, row), convOf(256, column)},
			branch{conv1(192), convOf(192, column), convOf(224, row), convOf(224, column), convOf(256, row)},
			avgThen(128))
	}
	x = b.module("reduce_b", x,
		branch{conv1(192), halve(192)},
		branch{conv1(256), convOf(256, row), convOf(320, column), halve(320)},
		branch{poolOf("max", valid(3, 2))})
	for i := range 3 {
		x = b.wide(numbered("c", i), x, 256, 256,
			split{branch{conv1(384)}, 256},
			split{branch{conv1(384), convOf(448, rect(3, 1)), convOf(512, rect(1, 3))}, 256})
	}
	b.classifyDense(x, imageNetClasses)
	return b.build()
}

// inceptionResNetV2 is Inception-ResNet v2: Szegedy et al., arXiv 1602.07261,
// as TensorFlow's research/slim has it, without the auxiliary classifier. The
// scaling of a residual is folded into its last convolution.
func inceptionResNetV2(name string) (*Workload, error) {
	b, x := image(name, "tensorflow/models research/slim inception_resnet_v2.py", 299, 299)
	x = b.longStem(x)
	x = b.module("mixed5", x,
		branch{conv1(96)},
		branch{conv1(48), convOf(64, same(5, 1))},
		branch{conv1(64), conv3(96), conv3(96)},
		avgThen(64))
	for i := range 10 {
		x = b.residual(numbered("block35.", i), x, 320, "relu",
			branch{conv1(32)},
			branch{conv1(32), conv3(32)},
			branch{conv1(32), conv3(48), conv3(64)})
	}
	x = b.module("mixed6", x,
		branch{halve(384)},
		branch{conv1(256), conv3(256), halve(384)},
		branch{poolOf("max", valid(3, 2))})
	for i := range 20 {
		x = b.residual(numbered("block17.", i), x, 1088, "relu",
			branch{conv1(192)},
			branch{conv1(128), convOf(160, rect(1, 7)), convOf(192, rect(7, 1))})
	}
	x = b.module("mixed7", x,
		branch{conv1(256), halve(384)},
		branch{conv1(256), halve(288)},
		branch{conv1(256), conv3(288), halve(320)},
		branch{poolOf("max", valid(3, 2))})
	for i := range 10 {
		act := "relu"
		if i == 9 {
			act = ""
		}
		x = b.residual(numbered("block8.", i), x, 2080, act,
			branch{conv1(192)},
			branch{conv1(192), convOf(224, rect(1, 3)), convOf(256, rect(3, 1))})
	}
	x = b.point("head", x, 1536, "relu")
	b.classifyDense(x, imageNetClasses)
	return b.build()
}

// residual appends a module, a 1x1 convolution back to k channels and the sum
// with x.
func (b *builder) residual(id, x string, k int64, act string, branches ...branch) string {
	y := b.module(id, x, branches...)
	y = b.point(id+".project", y, k, "")
	return b.add(id+".add", b.sizes[x], Layer{Op: Eltwise, Fn: "add", Act: act}, x, y)
}
