package workload

import "cmp"

// resNet says which ResNet: He et al., arXiv 1512.03385, Table 1; version 2 is
// He et al., arXiv 1603.05027 (normalisation and relu before the convolution).
type resNet struct {
	repeats [4]int
	// basic blocks have two 3x3 convolutions and no bottleneck.
	basic bool
	// late puts the stride of a bottleneck on its 3x3 convolution ("v1.5"),
	// where the paper has it on the first 1x1.
	late bool
	// before is version 2.
	before bool
	// width multiplies all channels, in percent, and resolution is the size of the
	// picture; 0 means the paper's.
	width, resolution int64
}

// resNetFamily is ResNet with the stride of a bottleneck on its 3x3 convolution.
func resNetFamily() Family {
	blocks := map[int64]resNet{
		18:  {repeats: [4]int{2, 2, 2, 2}, basic: true},
		34:  {repeats: [4]int{3, 4, 6, 3}, basic: true},
		50:  {repeats: [4]int{3, 4, 6, 3}, late: true},
		101: {repeats: [4]int{3, 4, 23, 3}, late: true},
		152: {repeats: [4]int{3, 8, 36, 3}, late: true},
	}
	return Family{
		Name: "resnet", Doc: "ResNet v1.5 by depth, width and resolution.", Ref: "arXiv 1512.03385, Table 1",
		Params: []FamilyParam{
			{"depth", "Layers: two of a block below 50, three from there on.", "", []int64{18, 34, 50, 101, 152}, 50},
			widthParam(25, 50, 75, 100, 125, 150, 200), resolutionParam(128, 160, 192, 224, 256, 288),
		},
		build: func(name string, v []int64) (*Workload, error) {
			r := blocks[v[0]]
			r.width, r.resolution = v[1], v[2]
			return r.build(name)
		},
	}
}

func resNets() []builtin {
	table := []struct {
		name string
		net  resNet
	}{
		{"resnet18_v1", resNet{repeats: [4]int{2, 2, 2, 2}, basic: true}},
		{"resnet18_v2", resNet{repeats: [4]int{2, 2, 2, 2}, basic: true, before: true}},
		{"resnet50_v1", resNet{repeats: [4]int{3, 4, 6, 3}}},
		{"resnet50_v15", resNet{repeats: [4]int{3, 4, 6, 3}, late: true}},
		{"resnet50_v2", resNet{repeats: [4]int{3, 4, 6, 3}, late: true, before: true}},
		{"resnet101_v1", resNet{repeats: [4]int{3, 4, 23, 3}}},
		{"resnet101_v15", resNet{repeats: [4]int{3, 4, 23, 3}, late: true}},
		{"resnet101_v2", resNet{repeats: [4]int{3, 4, 23, 3}, late: true, before: true}},
		{"resnet152_v1", resNet{repeats: [4]int{3, 8, 36, 3}}},
		{"resnet152_v15", resNet{repeats: [4]int{3, 8, 36, 3}, late: true}},
		{"resnet152_v2", resNet{repeats: [4]int{3, 8, 36, 3}, late: true, before: true}},
	}
	var all []builtin
	for _, row := range table {
		all = append(all, picture(row.name, row.net.build))
	}
	return all
}

func (r resNet) build(name string) (*Workload, error) {
	ref := "arXiv 1512.03385, Table 1"
	act := "relu"
	if r.before {
		ref, act = "arXiv 1603.05027 (pre-activation)", ""
	}
	size, base := cmp.Or(r.resolution, 224), percent(64, cmp.Or(r.width, 100))
	b, x := image(name, ref, size, size)
	x = b.conv("stem", x, base, same(7, 2), act)
	if r.before {
		b.plain(x)
	}
	x = b.maxPool("stem.pool", x, same(3, 2))
	channels := base
	for stage, repeat := range r.repeats {
		width := base << stage
		for i := range repeat {
			u := unit{id: numbered(numbered("stage", stage+1)+".block", i), in: channels, width: width, stride: 1}
			if i == 0 && stage > 0 {
				u.stride = 2
			}
			x, channels = r.unit(b, x, u)
		}
	}
	if r.before {
		x = b.shiftRelu("norm", x, channels)
	}
	b.classifyDense(x, imageNet)
	return b.build()
}

// unit is one residual unit.
type unit struct {
	id                string
	in, width, stride int64
}

// unit appends a residual unit and returns its output and its channels.
func (r resNet) unit(b *builder, x string, u unit) (end string, channels int64) {
	channels = 4 * u.width
	if r.basic {
		channels = u.width
	}
	y, shortcut := x, x
	if r.before {
		y = b.shiftRelu(u.id+".norm", x, u.in)
	}
	first := y
	y = r.inner(b, y, u)
	if r.before {
		b.plain(y)
	}
	if u.stride > 1 || u.in != channels {
		from := x
		if r.before {
			from = first
		}
		shortcut = b.conv(u.id+".shortcut", from, channels, same(1, u.stride), "")
		if r.before {
			b.plain(shortcut)
		}
	}
	return b.sum(u.id+".add", y, shortcut), channels
}

// inner appends the convolutions of a unit.
func (r resNet) inner(b *builder, x string, u unit) string {
	const act = "relu"
	if r.basic {
		y := b.conv(u.id+".conv1", x, u.width, same(3, u.stride), act)
		return b.conv(u.id+".conv2", y, u.width, same(3, 1), "")
	}
	early, late := u.stride, int64(1)
	if r.late {
		early, late = late, early
	}
	y := b.conv(u.id+".conv1", x, u.width, same(1, early), act)
	y = b.conv(u.id+".conv2", y, u.width, same(3, late), act)
	return b.point(u.id+".conv3", y, 4*u.width, "")
}
