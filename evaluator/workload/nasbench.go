package workload

import "strconv"

// nasStage is a stage of Accel-NASBench: what the space fixes.
type nasStage struct {
	out, stride int64
	// layers is the largest number of blocks, own what EfficientNet-B0 has:
	// expansion, kernel, blocks.
	layers int64
	own    [3]int64
}

// nasStages are the seven stages: widths, strides and choices of
// configurationspaces/searchspaces.py and configuration_space_writer.py of
// github.com/afzalxo/Accel-NASBench.
func nasStages() []nasStage {
	return []nasStage{
		{16, 1, 3, [3]int64{1, 3, 1}},
		{24, 2, 3, [3]int64{6, 3, 2}},
		{40, 2, 3, [3]int64{6, 5, 2}},
		{80, 2, 3, [3]int64{6, 3, 3}},
		{112, 1, 3, [3]int64{6, 5, 3}},
		{192, 2, 4, [3]int64{6, 5, 4}},
		{320, 1, 3, [3]int64{6, 3, 1}},
	}
}

// accelNASBench is the MnasNet space of Accel-NASBench (A. Ahmad et al., arXiv
// 2404.08005): seven stages, of each the expansion, kernel, blocks and
// squeeze-and-excitation. Its own network is EfficientNet-B0 (M. Tan and Q. Le,
// arXiv 1905.11946), which is in the space.
func accelNASBench() Family {
	f := Family{
		Name: "accel_nasbench",
		Doc:  "The MnasNet space of Accel-NASBench at 224 x 224: seven stages, of each expansion, kernel, blocks and squeeze-and-excitation.",
		Ref:  "arXiv 2404.08005 and github.com/afzalxo/Accel-NASBench",
	}
	for i, s := range nasStages() { // widths and sizes between stages are fixed
		at := perStage * i
		f.Apart = append(f.Apart, []int{at, at + 1, at + 2, at + 3})
		prefix := "b" + strconv.Itoa(i) + "_"
		layers := []int64{1, 2, 3, 4}[:s.layers]
		f.Params = append(f.Params,
			FamilyParam{prefix + "e", "Expansion of the blocks.", "", []int64{1, 4, 6}, s.own[0]},
			FamilyParam{prefix + "k", "Size of the depthwise window.", "", []int64{3, 5}, s.own[1]},
			FamilyParam{prefix + "l", "Blocks.", "", layers, s.own[2]},
			FamilyParam{prefix + "se", "Squeeze-and-excitation: 0 without, 1 with.", "", []int64{0, 1}, 1},
		)
	}
	f.build = func(name string, v []int64) (*Workload, error) { return buildNASBench(name, f.Ref, v) }
	return f
}

const (
	// perStage is the number of parameters of a stage.
	perStage = 4
	// perBlock is the largest number of layers of a block, fewOthers those outside of blocks.
	perBlock, fewOthers = 8, 5
)

func buildNASBench(name, ref string, v []int64) (*Workload, error) {
	const act = "swish"
	b, x := image(name, ref, 224, 224)
	most := int64(fewOthers)
	for i := range nasStages() {
		most += v[perStage*i+2] * perBlock
	}
	b.w.Layers = make([]Layer, 0, most) // a search builds thousands
	channels, block := int64(32), 0
	x = b.conv("stem", x, channels, same(3, 2), act)
	for i, s := range nasStages() {
		at := v[perStage*i:]
		expand, kernel, layers, excite := at[0], at[1], at[2], at[3] == 1
		stride := s.stride
		for range layers {
			id, inner, y := numbered("block", block), channels*expand, x
			block++
			if expand > 1 {
				y = b.point(id+".expand", y, inner, act)
			}
			y = b.depthwise(id+".depthwise", y, inner, same(kernel, stride), act)
			if excite {
				const reduction = 4 // of the block's input channels
				y = b.excite(id, y, channels/reduction, inner, "sigmoid")
			}
			y = b.point(id+".project", y, s.out, "")
			if stride == 1 && channels == s.out {
				y = b.sum(id+".add", x, y)
			}
			x, channels, stride = y, s.out, 1
		}
	}
	x = b.point("head", x, 1280, act)
	b.classifyDense(x, imageNet)
	return b.build()
}
