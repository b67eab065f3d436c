package validate

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"apollo/evaluator/model"
	"apollo/evaluator/template"
	"apollo/internal/correlation"
)

// maestroFlow says what stands for a dataflow of the tool: a design of a template,
// written for a number of units, the tool's own array, or both.
type maestroFlow struct {
	template string
	design   func(units int64) []int64
	// width is what the template multiplies its network constant by.
	width func(units int64) int64
	// array costs all layers.
	array *maestroArray
	// fixed says that the template takes the array's loops, not a mapping of its own.
	fixed bool
	// dense says that the template is ranked on layers that are not depthwise: the
	// tool gives each of their channels a unit without adding up.
	dense bool
}

// The tool holds no layer to the sizes of its memories, and charges what crosses
// the array and nothing beyond it.
const (
	unlimitedBytes = 1 << 30
	unlimitedRate  = 1e15
)

// maestroFlows lists the tool's mappings by the end of their names.
func maestroFlows() map[string]maestroFlow {
	// Clusters of 64 input channels, one output channel a cluster.
	const channels = 64
	weights := maestroFlow{
		template: "nvdla",
		design: func(units int64) []int64 {
			return []int64{channels, units / channels, unlimitedBytes, unlimitedBytes, unlimitedRate}
		},
		width: func(int64) int64 { return channels },
		array: channelArray(channels),
		dense: true,
	}
	// Clusters of eight output columns, one output row a cluster.
	const columns = 8
	outputs := maestroFlow{
		template: "shidiannao",
		design: func(units int64) []int64 {
			return []int64{units / columns, columns, unlimitedBytes, unlimitedBytes, unlimitedRate}
		},
		width: func(units int64) int64 { return units },
		array: pixelArray(columns),
		fixed: true,
	}
	return map[string]maestroFlow{
		"kcp_ws": weights, "ckp_ws": weights, "yxp_os": outputs,
		"xp_ws": {array: columnArray()}, "nlr": {array: passingArray()},
	}
}

// maestroMisses are blocks that rank below the goal, with the reason: they are
// printed as missed and judged again once they rank.
func maestroMisses() map[string]string {
	const short = "the tool charges a short tile as a whole one, shidiannao what it has"
	const whole = "the tool takes whole cycles for every step of its array"
	const sums = "every product of a unit crosses the tool's array, nvdla adds 64 up before"
	return map[string]string{
		"A Resnet50_yxp_os": whole, "A Resnet50_yxp_os on shidiannao,": whole, "C Resnet50_yxp_os on shidiannao,": short, "A vgg16_yxp_os on shidiannao,": short,
		"A MobileNetV2_kcp_ws on nvdla, without depthwise,": sums, "C MobileNetV2_kcp_ws on nvdla, without depthwise,": sums,
	}
}

// onTemplate names the rank of a template beside that of the tool's own array.
func (f *maestroFlow) onTemplate() string {
	if f.dense {
		return " on " + f.template + ", without depthwise,"
	}
	return " on " + f.template + ","
}

// maestroBlock is one network under one mapping on one machine.
type maestroBlock struct {
	name    string
	flow    maestroFlow
	layers  []maestroLayer
	units   int64
	rate    float64 // of the array network, elements a cycle
	machine template.Machine
	rows    int
	// on the template and on the tool's array
	template, array maestroRanks
}

// maestroRanks are cycles of layers, theirs and ours, and the work.
type maestroRanks struct{ theirs, ours, macs []float64 }

func (r *maestroRanks) add(theirs, ours float64, p *model.Problem) {
	r.theirs, r.ours, r.macs = append(r.theirs, theirs), append(r.ours, ours), append(r.macs, float64(p.MACs()))
}

func (r *maestroRanks) row(name string) Row {
	const least = 0.9
	row := ranked(name+" cycles, Spearman (theirs: MACs)", correlation.Spearman(r.theirs, r.macs), correlation.Spearman(r.theirs, r.ours), least)
	if why, ok := maestroMisses()[name]; ok {
		row = missed(row, why)
	}
	return row
}

// maestroLayers ranks layers by cycles, per block.
func maestroLayers(t *table) ([]Row, error) {
	var blocks []*maestroBlock
	for i := range t.rows {
		l := t.line(i)
		name := l.text("hw") + " " + l.text("mapping")
		at := slices.IndexFunc(blocks, func(b *maestroBlock) bool { return b.name == name })
		if at < 0 {
			b, err := newMaestroBlock(l, name)
			if err != nil {
				return nil, err
			}
			at, blocks = len(blocks), append(blocks, b)
		}
		if err := blocks[at].add(l); err != nil {
			return nil, err
		}
	}
	var rows []Row
	for _, b := range blocks {
		rows = append(rows, b.array.row(b.name))
		if len(b.template.ours) > 0 {
			rows = append(rows, b.template.row(b.name+b.flow.onTemplate()))
		}
	}
	return rows, nil
}

func newMaestroBlock(l *line, name string) (*maestroBlock, error) {
	b := &maestroBlock{name: name}
	network, flow, _ := strings.Cut(l.text("mapping"), "_")
	f, known := maestroFlows()[flow]
	b.flow, b.layers = f, maestroNetworks()[network]
	// Volume over the slower column explains the tool's cycles: what its array
	// asks for is charged there too.
	b.units, b.rate = l.size("num_pes"), min(l.above("noc_bw"), l.above("offchip_bw"))
	switch {
	case l.err == nil && (!known || b.layers == nil):
		l.fail(fmt.Errorf("mapping %q: want a network and a dataflow of the tool, as in vgg16_ckp_ws", l.text("mapping")))
	case l.err == nil && b.flow.design != nil && slices.Min(b.flow.design(b.units)) < 1:
		l.fail(fmt.Errorf("%d units: the mapping wants at least one cluster of them", b.units))
	}
	if l.err != nil {
		return nil, l.err
	}
	for _, s := range template.Specs() {
		if s.Name == b.flow.template {
			b.machine = s.Machine(b.flow.design(b.units), b.rate/float64(b.flow.width(b.units)))
		}
	}
	return b, nil
}

func (b *maestroBlock) add(l *line) error {
	b.rows++
	name, cycles, macs := l.text("Layer Number"), l.above("Runtime (Cycles)"), l.above("Num MACs")
	if l.err == nil && (b.rows > len(b.layers) || b.layers[b.rows-1].name != name) {
		l.fail(fmt.Errorf("layer %q is not layer %d of the tool's network", name, b.rows))
	}
	if l.err != nil {
		return l.err
	}
	layer := b.layers[b.rows-1]
	if layer.r == layer.y && macs == float64(layer.k*layer.c) {
		layer.r, layer.y = 1, 1 // some of the tool's mapping files pool first
	}
	p := layer.problem()
	b.array.add(cycles, float64(b.flow.array.cycles(&p, b.units, b.rate)), &p)
	if b.flow.template == "" || b.flow.dense && layer.depthwise {
		return nil
	}
	ours, err := b.onTemplate(&p)
	if err != nil {
		return l.t.bad(l.n, fmt.Errorf("layer %s: %w", name, err))
	}
	b.template.add(cycles, float64(ours), &p)
	return nil
}

// onTemplate costs a layer on the template's design.
func (b *maestroBlock) onTemplate(p *model.Problem) (int64, error) {
	var m model.Mapping
	if !b.flow.fixed {
		cost, misfit := b.machine.Fastest(p, &m)
		if misfit != nil {
			return 0, errors.New(misfit.What)
		}
		return cost.Cycles, nil
	}
	for i := range b.machine.Arch.Levels {
		m.Loops[i] = model.Ones()
	}
	_, m.Loops[b.machine.Arch.Levels-2] = b.flow.array.loops(p, b.units)
	detail, err := b.machine.Flow.Detail(p, &m)
	return detail.Cycles, err
}
