package validate

import (
	"fmt"
	"strings"

	"apollo/evaluator/model"
)

// maestroLayer is a layer of the tool's model files: no padding, a square input
// of size y, windows of r x r; depthwise layers have one output channel each.
type maestroLayer struct {
	name       string
	k, c, r, y int64
	stride     int64
	depthwise  bool
}

// problem counts elements, as the tool does.
func (l *maestroLayer) problem() model.Problem {
	out := (l.y-l.r)/l.stride + 1
	p := model.Problem{
		Bound:  [model.Dims]int64{1, 1, l.k, l.c, out, out, l.r, l.r},
		Stride: [2]int64{l.stride, l.stride}, Dilation: [2]int64{1, 1},
		Bytes: [model.Operands]int64{1, 1, 1}, PartialBytes: 1,
	}
	if l.depthwise {
		p.Bound[model.G], p.Bound[model.K], p.Bound[model.C] = l.c, 1, 1
	}
	return p
}

// maestroNetworks are the networks of the tool's data/model (its shapes differ
// from the published networks in places, which is kept), in the order of its
// results.
func maestroNetworks() map[string][]maestroLayer {
	return map[string][]maestroLayer{
		"vgg16": parseMaestro(maestroVGG), "MobileNetV2": parseMaestro(maestroMobileNet), "Resnet50": maestroResNet(),
	}
}

// parseMaestro reads "name k c r y stride"; a k of 0 is a depthwise layer.
func parseMaestro(text string) []maestroLayer {
	var list []maestroLayer
	for row := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		var l maestroLayer
		if _, err := fmt.Sscan(row, &l.name, &l.k, &l.c, &l.r, &l.y, &l.stride); err != nil {
			panic(fmt.Sprintf("layer %q: %v", row, err)) // a literal of this file
		}
		l.depthwise = l.k == 0
		list = append(list, l)
	}
	return list
}

func maestroResNet() []maestroLayer {
	list := []maestroLayer{{name: "CONV1", k: 64, c: 3, r: 7, y: 224, stride: 2}}
	for i, blocks := range []int{3, 4, 6, 3} {
		width, y := int64(64)<<i, int64(56)>>i
		for b := range blocks {
			first := maestroLayer{k: width, c: 4 * width, r: 1, y: y, stride: 1}
			switch {
			case i == 0 && b == 0:
				first.c = width
			case b == 0:
				first.c, first.y, first.stride = 2*width, 2*y, 2
			case i == 1:
				first.c = 2 * width // as in the tool's file
			}
			layers := []maestroLayer{
				first,
				{k: width, c: width, r: 3, y: y, stride: 1},
				{k: 4 * width, c: width, r: 1, y: y, stride: 1},
				{c: 4 * width, r: 1, y: y, stride: 1, depthwise: true},
			}
			for j, op := range []string{"1", "2", "3", "Residual"} {
				layers[j].name = fmt.Sprintf("CONV%d_%d_%s", i+2, b+1, op)
				if i == 1 && b == 1 && j == 3 {
					layers[j].name = "CONV3_1_Residual" // twice in the tool's file
				}
			}
			list = append(list, layers...)
		}
	}
	return append(list, maestroLayer{name: "FC1000", k: 1000, c: 2048, r: 7, y: 7, stride: 1})
}

const maestroVGG = `
CONV1 64 3 3 224 1
CONV2 64 64 3 224 1
CONV3 128 64 3 112 1
CONV4 128 128 3 112 1
CONV5 256 128 3 56 1
CONV6 256 256 3 56 1
CONV7 256 256 3 56 1
CONV8 512 256 3 28 1
CONV9 512 512 3 28 1
CONV10 512 512 3 28 1
CONV11 512 512 3 14 1
CONV12 512 512 3 14 1
CONV13 512 512 3 14 1
`

const maestroMobileNet = `
CONV1 32 3 1 224 2
Bottleneck1_1_1 32 32 1 112 1
Bottleneck1_1_2 0 32 3 112 1
Bottleneck1_1_3 16 32 1 112 1
Bottleneck1_1_Residual 0 16 1 112 1
Bottleneck2_1_1 96 16 1 112 1
Bottleneck2_1_2 0 96 3 112 2
Bottleneck2_1_3 96 96 1 56 1
Bottleneck2_2_1 96 96 1 56 1
Bottleneck2_2_2 0 96 3 56 1
Bottleneck2_2_3 24 96 1 56 1
Bottleneck3_1_1 144 24 1 56 1
Bottleneck3_1_2 0 144 3 56 2
Bottleneck3_1_3 144 144 1 28 1
Bottleneck3_2_1 144 144 1 28 1
Bottleneck3_2_2 0 144 3 28 1
Bottleneck3_2_3 144 144 1 28 1
Bottleneck3_2_Residual 0 144 1 28 1
Bottleneck3_3_1 144 144 1 28 1
Bottleneck3_3_2 0 144 3 28 1
Bottleneck3_3_3 32 144 1 28 1
Bottleneck4_1_1 192 32 1 28 1
Bottleneck4_1_2 0 192 3 28 2
Bottleneck4_1_3 192 192 1 14 1
Bottleneck4_2_1 192 192 1 14 1
Bottleneck4_2_2 0 192 3 14 1
Bottleneck4_2_3 192 192 1 14 1
Bottleneck4_2_Residual 0 192 1 14 1
Bottleneck4_3_1 192 192 1 14 1
Bottleneck4_3_2 0 192 3 14 1
Bottleneck4_3_3 192 192 1 14 1
Bottleneck4_3_Residual 0 192 1 14 1
Bottleneck4_4_1 192 192 1 14 1
Bottleneck4_4_2 0 192 3 14 1
Bottleneck4_4_3 64 192 1 14 1
Bottleneck5_1_1 384 64 1 14 1
Bottleneck5_1_2 0 384 3 14 1
Bottleneck5_1_3 384 384 1 14 1
Bottleneck5_2_1 384 384 1 14 1
Bottleneck5_2_2 0 384 3 14 1
Bottleneck5_2_3 96 384 1 14 1
Bottleneck6_1_1 576 96 1 14 1
Bottleneck6_1_2 0 576 3 14 2
Bottleneck5_2_3 576 576 1 7 1
Bottleneck6_2_1 576 576 1 7 1
Bottleneck6_2_2 0 576 3 7 1
Bottleneck6_2_3 576 576 1 7 1
Bottleneck6_2_Residual 0 576 1 7 1
Bottleneck6_3_1 576 576 1 7 1
Bottleneck6_3_2 0 576 3 7 1
Bottleneck6_3_3 160 576 1 7 1
Bottleneck7_1_1 960 160 1 7 1
Bottleneck7_1_2 0 960 3 7 1
Bottleneck7_1_3 320 960 1 7 1
CONV2D_2 1280 320 1 7 1
CONV2D_3 1000 1280 7 7 1
`
