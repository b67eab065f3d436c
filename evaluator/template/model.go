package template

import (
	"fmt"
	"slices"

	"apollo/evaluator"
	"apollo/evaluator/frame"
	"apollo/evaluator/lower"
	"apollo/evaluator/model"
)

// shape is what the cost of a layer depends on.
type shape struct {
	// p has sizes in the unit of the view.
	p          model.Problem
	view       int // index into taskModel.views
	vector     bool
	ops, bytes int64 // of a layer without multiplications: elements computed, bytes moved
	// beside is what one with multiplications moves beside its loops, by operand, in
	// the unit of the view; less than none is what these move and no tensor has.
	beside [model.Operands]int64
	// word is the least that an element takes, in bytes; 0 where memories pack elements.
	word int64
	// absent of the inputs that all windows reach are padding, and least is what windows
	// read; in the unit of the view.
	absent, least int64
}

// aside is all that a layer moves beside its loops.
func (s *shape) aside() (n int64) {
	for _, bytes := range s.beside {
		n += bytes
	}
	return n
}

// padding is what is not there of so much of the inputs.
func (s *shape) padding(inputs int64) int64 { return min(s.absent, max(inputs-s.least, 0)) }

// network is a network as shapes.
type network struct {
	frame.Network
	shapes []int // of each layer, the index of its shape
}

// taskModel is a template for one task. Layers of equal shape are mapped once.
type taskModel struct {
	constants  *constants
	mapperGoal evaluator.MapperGoal
	views      []view // the first is that of a design as a whole
	shapes     []shape
	ids        []string // of each shape, its first layer
	nets       []network
}

// Bind implements frame.Constants.
func (k *constants) Bind(t frame.Task) (frame.Model, error) {
	own := *k
	b := &taskModel{constants: &own, mapperGoal: t.MapperGoal, views: []view{defaultView()}}
	word := k.spec.word(t.Networks)
	for _, n := range t.Networks {
		net, bits := network{Network: n}, n.Workload.Precision
		for _, l := range n.Layers {
			v, p, err := k.spec.view(l.Layer, bits)
			if err != nil {
				return nil, fmt.Errorf("network %s: %w", n.Name, err)
			}
			s := shape{p: p, view: b.viewOf(v), vector: !l.Op.HasMACs()}
			if s.vector {
				s.ops = max(l.InputElements(), l.OutputElements())
				s.bytes = streamed(l.Layer, bits, word)
			} else {
				s.word = word / 8
				s.beside = lower.Beside(l.Layer, bits, word)
				for o := range s.beside {
					s.beside[o] = s.beside[o] * v.perByte / 2
				}
				absent, least := lower.Padding(l.Layer, bits, word)
				s.absent, s.least = absent*v.perByte/2, least*v.perByte/2
			}
			at := slices.Index(b.shapes, s)
			if at < 0 {
				at = len(b.shapes)
				b.shapes, b.ids = append(b.shapes, s), append(b.ids, l.ID)
			}
			net.shapes = append(net.shapes, at)
		}
		b.nets = append(b.nets, net)
	}
	own.datapath = k.spec.needed(b.shapes, b.views)
	if k.spec.Stages != nil {
		return bounded{b}, nil
	}
	return b, nil
}

// viewOf returns the index of a view.
func (b *taskModel) viewOf(v view) int {
	at := slices.Index(b.views, v)
	if at < 0 {
		at = len(b.views)
		b.views = append(b.views, v)
	}
	return at
}

// machines builds a design's machine as every view sees it.
func (b *taskModel) machines(d *frame.Design) []Machine {
	list := make([]Machine, len(b.views))
	for i, v := range b.views {
		list[i] = b.constants.seen(d.Values[:len(b.constants.spec.Params)], v)
	}
	return list
}

// known is what the frame asks of a machine.
func (m *Machine) known() frame.Machine {
	const milli = 1000
	return frame.Machine{ClockHz: m.ClockHz, MACsPerCycle: m.Units, IOBandwidth: m.IORate * (m.ClockHz / milli), AreaMM2: m.Area.Total()}
}

// peak is what the frame asks of a machine, with the rate of the view that has
// the most products in a cycle: no layer is above it.
func peak(seen []Machine) frame.Machine {
	known := seen[0].known()
	for i := range seen {
		known.MACsPerCycle = max(known.MACsPerCycle, seen[i].Units)
	}
	return known
}

// Measure implements frame.Model.
func (b *taskModel) Measure(d frame.Design, all []frame.Totals) (frame.Machine, *evaluator.Reason) {
	if all == nil {
		return b.constants.outlined(d.Values[:len(b.constants.spec.Params)]), nil
	}
	seen := b.machines(&d)
	m, known := &seen[0], peak(seen)
	costs := make([]Cost, len(b.shapes))
	if at, misfit := b.costs(seen, b.goal(m), costs); misfit != nil {
		return known, misfit.reason(b.ids[at])
	}
	for i := range b.nets {
		sum := b.nets[i].sum(costs)
		if b.mapperGoal == evaluator.MapEnergyDelay {
			// Costs of the others come before: a network has a goal of its own.
			var misfit *Misfit
			var at int
			if sum, misfit, at = b.balanced(seen, &b.nets[i], costs, nil); misfit != nil {
				return known, misfit.reason(b.ids[at])
			}
		}
		all[i] = m.totals(&sum)
	}
	return known, nil
}

// costs writes the cost of each shape; of one that has no mapping it returns
// where it stands and why.
func (b *taskModel) costs(seen []Machine, g goal, costs []Cost) (at int, misfit *Misfit) {
	for i := range b.shapes {
		if costs[i], misfit = b.layer(seen, &b.shapes[i], g); misfit != nil {
			return i, misfit
		}
	}
	return 0, nil
}

// sum adds up the layers.
func (n *network) sum(costs []Cost) (sum Cost) {
	for _, at := range n.shapes {
		sum.add(&costs[at])
	}
	return sum
}

// Broken implements frame.Model: one reason for each code. All take a mapping to
// find.
func (b *taskModel) Broken(d frame.Design, quick bool) []*evaluator.Reason {
	if quick {
		return nil
	}
	seen := b.machines(&d)
	var out []*evaluator.Reason
	for i := range b.shapes {
		_, misfit := b.layer(seen, &b.shapes[i], leastTime())
		if misfit == nil || slices.ContainsFunc(out, func(r *evaluator.Reason) bool { return r.Code == misfit.Code }) {
			continue
		}
		out = append(out, misfit.reason(b.ids[i]))
	}
	return out
}

// layer returns the cost of one layer, in bytes.
func (b *taskModel) layer(seen []Machine, s *shape, g goal) (Cost, *Misfit) {
	v := &b.views[s.view]
	c, misfit := seen[s.view].layer(s, g)
	v.cost(&c)
	v.misfit(misfit)
	return c, misfit
}

// layer returns the cost of one layer; those without multiplications stream
// their tensors past the units.
func (m *Machine) layer(s *shape, g goal) (Cost, *Misfit) {
	if !s.vector {
		var loops model.Mapping
		c, misfit := m.Flow.Find(&s.p, g, &loops)
		if misfit == nil {
			m.border(s, &c)
		}
		return c, misfit
	}
	return Cost{
		Cycles: max(model.CeilDiv(s.ops, m.Units), m.ioCycles(s.bytes)), OffChip: s.bytes,
		EnergyPJ: float64(s.ops)*m.AddPJ + float64(s.bytes)*m.DRAMPJPerByte,
	}, nil
}

func (f *Misfit) reason(layer string) *evaluator.Reason {
	return &evaluator.Reason{
		Code: f.Code, Layer: layer, Need: float64(f.Need), Have: float64(f.Have), Unit: f.Unit,
		Message: fmt.Sprintf("layer %s: %s needs %d %s, there are %d: a larger %s would help", layer, f.What, f.Need, f.Unit, f.Have, f.Param),
	}
}

// add adds the cost of a layer to that of its network.
func (c *Cost) add(layer *Cost) {
	c.Cycles += layer.Cycles
	c.OffChip += layer.OffChip
	c.EnergyPJ += layer.EnergyPJ
	if layer.Cycles > 0 {
		c.PeakPJ = max(c.PeakPJ, layer.EnergyPJ/float64(layer.Cycles))
	}
}

// joulesPerPicojoule is 1 pJ in J.
const joulesPerPicojoule = 1e-12

func (m *Machine) totals(sum *Cost) frame.Totals {
	seconds := float64(sum.Cycles) / float64(m.ClockHz)
	return frame.Totals{
		Cycles: sum.Cycles, Seconds: seconds, Joules: sum.EnergyPJ*joulesPerPicojoule + (m.ClockW+m.LeakageW)*seconds,
		PeakWatts: sum.PeakPJ*joulesPerPicojoule*float64(m.ClockHz) + m.ClockW + m.LeakageW,
	}
}
