package validate

import (
	"fmt"
	"slices"
	"strings"

	"apollo/evaluator/model"
	"apollo/evaluator/template"
)

// maestroFlow says which template has a dataflow of the tool, and how its design
// is written for a number of units; reason says why there is none.
type maestroFlow struct {
	template string
	design   func(units int64) []int64
	// width is what the template multiplies its network constant by.
	width func(units int64) int64
	// rows says that the tool's units pass inputs on along a row only: its loops
	// over a window stand outside of the template's units.
	rows bool
	// depthwise says why the template cannot have the tool's depthwise layers.
	depthwise, reason string
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
		width:     func(int64) int64 { return channels },
		depthwise: "a channel per lane without adding lanes up, nvdla's lanes always add",
	}
	// Clusters of eight output columns, one output row a cluster.
	const columns = 8
	outputs := maestroFlow{
		template: "shidiannao",
		design: func(units int64) []int64 {
			return []int64{units / columns, columns, unlimitedBytes, unlimitedBytes, unlimitedRate}
		},
		width: func(units int64) int64 { return units },
		rows:  true,
	}
	return map[string]maestroFlow{
		"kcp_ws": weights, "ckp_ws": weights, "yxp_os": outputs,
		"xp_ws": {reason: "one weight for a row of output columns, rows in turn"},
		"nlr":   {reason: "no operand stays at a unit"},
	}
}

// maestroMisses are blocks that rank below the goal, with the reason: they are
// printed as missed and judged again once they rank.
func maestroMisses() map[string]string {
	const short = "the tool charges a short tile as a whole one"
	const whole = "the tool takes whole cycles for every step of its array"
	const sums = "every product of a unit crosses the tool's array, nvdla adds 64 up before"
	return map[string]string{
		"A Resnet50_yxp_os": whole, "C Resnet50_yxp_os": short, "C vgg16_yxp_os": short,
		"A MobileNetV2_kcp_ws": sums, "C MobileNetV2_kcp_ws": sums,
	}
}

// maestroBlock is one network under one mapping on one machine.
type maestroBlock struct {
	name               string
	flow               maestroFlow
	layers             []maestroLayer
	machine            template.Machine
	rows, left         int
	why                string // rows are left out
	theirs, ours, macs []float64
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
	var why []string
	left := 0
	for _, b := range blocks {
		rows = append(rows, b.report()...)
		if left += b.left; b.left > 0 {
			why = append(why, fmt.Sprintf("%s, %d rows: %s", b.name, b.left, b.why))
		}
	}
	return append(rows, omitted(len(t.rows), left, why)...), nil
}

func newMaestroBlock(l *line, name string) (*maestroBlock, error) {
	b := &maestroBlock{name: name}
	network, flow, _ := strings.Cut(l.text("mapping"), "_")
	f, known := maestroFlows()[flow]
	b.flow, b.layers = f, maestroNetworks()[network]
	// Volume over the slower column explains the tool's cycles: what its array
	// asks for is charged there too.
	units, rate := l.size("num_pes"), min(l.above("noc_bw"), l.above("offchip_bw"))
	switch {
	case l.err == nil && (!known || b.layers == nil):
		l.fail(fmt.Errorf("mapping %q: want a network and a dataflow of the tool, as in vgg16_ckp_ws", l.text("mapping")))
	case l.err == nil && b.flow.reason == "" && slices.Min(b.flow.design(units)) < 1:
		l.fail(fmt.Errorf("%d units: the mapping wants at least one cluster of them", units))
	}
	if l.err != nil {
		return nil, l.err
	}
	for _, s := range template.Specs() {
		if s.Name == b.flow.template {
			b.machine = s.Machine(b.flow.design(units), rate/float64(b.flow.width(units)))
		}
	}
	return b, nil
}

func (b *maestroBlock) add(l *line) error {
	b.rows++
	if b.flow.reason != "" {
		b.left, b.why = b.rows, b.flow.reason
		return nil
	}
	name, cycles, macs := l.text("Layer Number"), l.above("Runtime (Cycles)"), l.above("Num MACs")
	if l.err == nil && (b.rows > len(b.layers) || b.layers[b.rows-1].name != name) {
		l.fail(fmt.Errorf("layer %q is not layer %d of the tool's network", name, b.rows))
	}
	if l.err != nil {
		return l.err
	}
	layer := b.layers[b.rows-1]
	if layer.depthwise && b.flow.depthwise != "" {
		b.left, b.why = b.left+1, "depthwise: "+b.flow.depthwise
		return nil
	}
	if layer.r == layer.y && macs == float64(layer.k*layer.c) {
		layer.r, layer.y = 1, 1 // some of the tool's mapping files pool first
	}
	p := layer.problem()
	var m model.Mapping
	cost, misfit := b.machine.Fastest(&p, &m)
	if misfit != nil {
		return l.t.bad(l.n, fmt.Errorf("layer %s: %s", name, misfit.What))
	}
	if b.flow.rows {
		const units, array = 3, 2
		in, out := &m.Loops[units].Temporal, &m.Loops[array].Temporal
		in[model.R], in[model.S], out[model.R], out[model.S] = 1, 1, in[model.R], in[model.S]
		detail, err := b.machine.Flow.Detail(&p, &m)
		if err != nil {
			return l.t.bad(l.n, fmt.Errorf("layer %s: %w", name, err))
		}
		cost = detail.Cost
	}
	b.theirs, b.ours, b.macs = append(b.theirs, cycles), append(b.ours, float64(cost.Cycles)), append(b.macs, float64(p.MACs()))
	return nil
}

func (b *maestroBlock) report() []Row {
	const least = 0.9
	if b.flow.reason != "" {
		return nil
	}
	r := correlation(b.name+" cycles, Spearman (theirs: MACs)", rankCorrelation(b.theirs, b.macs), rankCorrelation(b.theirs, b.ours), least)
	if why, ok := maestroMisses()[b.name]; ok {
		r = missed(r, why)
	}
	return []Row{r}
}
