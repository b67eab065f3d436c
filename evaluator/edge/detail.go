package edge

import (
	"fmt"

	"apollo/evaluator"
	"apollo/evaluator/model"
)

// Roofline is where a layer, or a network, stands under the chip's roofline:
// S. Williams et al., "Roofline", CACM 52(4), 2009.
type Roofline struct {
	// Intensity is the multiply-accumulates per byte that crosses the chip's
	// border.
	Intensity float64 `json:"macs_per_byte"`
	// Attainable is what the chip's peak rate and its off-chip bandwidth allow
	// at this intensity, Achieved what the layer does, in MAC/s. A layer whose
	// weights were prefetched while earlier ones ran may achieve more than the
	// bandwidth allows it alone; a network never does.
	Attainable float64 `json:"attainable_macs_per_s"`
	Achieved   float64 `json:"achieved_macs_per_s"`
	// Bound is "compute" or "off-chip bandwidth": which of the two is lower.
	Bound string `json:"bound"`
}

func (c Chip) roofline(macs, offChipBytes int64, seconds float64) Roofline {
	r := Roofline{Attainable: float64(c.MACs()) * float64(c.clock()), Bound: "compute"}
	if seconds > 0 {
		r.Achieved = float64(macs) / seconds
	}
	if offChipBytes > 0 {
		r.Intensity = float64(macs) / float64(offChipBytes)
		if slope := r.Intensity * float64(c.IOBandwidth); slope < r.Attainable {
			r.Attainable, r.Bound = slope, "off-chip bandwidth"
		}
	}
	return r
}

// MappedLayer is a layer with multiplications, as a loop nest on a hierarchy.
type MappedLayer struct {
	Network, Layer string
	Problem        model.Problem
	Arch           model.Arch
	Mapping        model.Mapping
}

// Mappings returns the mappings that the model finds for the layers with
// multiplications, in order, as loop nests whose weight tiles fit the memories. An infeasible chip is an error that says why.
func Mappings(networks []evaluator.Network, c Chip) ([]MappedLayer, error) {
	b, err := bindChip(networks, c)
	if err != nil {
		return nil, err
	}
	s := b.get()
	defer b.put(s)
	if why := b.measure(&c, s); why != nil {
		return nil, fmt.Errorf("the design is infeasible: %s", why.Message)
	}
	var out []MappedLayer
	for i := range b.nets {
		for _, y := range b.nets[i].layers {
			shape := &b.shapes[y.shape]
			if shape.vector {
				continue
			}
			l := MappedLayer{Network: b.nets[i].name, Layer: y.id, Problem: shape.p, Arch: s.machine.hierarchy()}
			s.costs[y.shape].choice.loops(shape, &l.Mapping)
			stream(shape, &l.Mapping)
			out = append(out, l)
		}
	}
	return out, nil
}

// stream moves the outermost loops over weight tiles from the parameter memory
// to the off-chip interface. The nest stays the same; it then says that the
// parameter memory holds the tiles on their way and not all weights at once.
func stream(s *shape, m *model.Mapping) {
	from, to := &m.Loops[levelParameter], &m.Loops[levelIO]
	to.Order = from.Order
	move := []model.Dim{s.other(), s.channel}
	if from.Temporal[model.P] == 1 {
		move = append(move, model.C) // no loop over pixels is in between
	}
	for _, d := range move {
		to.Temporal[d], from.Temporal[d] = from.Temporal[d], 1
	}
}

// Broken returns every rule that a chip breaks, for every network, in the
// order in which evaluation checks them; evaluation stops at the first. It is
// empty for a feasible chip.
func Broken(networks []evaluator.Network, c Chip) ([]*evaluator.Reason, error) {
	b, err := bindChip(networks, c)
	if err != nil {
		return nil, err
	}
	var out []*evaluator.Reason
	for i := range ruleCount {
		for n := range b.nets {
			net := &b.nets[n]
			if r := net.limits.check(i, &c, &b.sizer.constants); r.need > r.have {
				out = append(out, b.explainRule(net, &r, &c))
			}
		}
	}
	s := b.get()
	defer b.put(s)
	b.sizer.prepare(&s.machine, &c)
	b.cache.mapAll(&s.machine, b.shapes, s.costs)
	for n := range b.nets {
		s.reserve(len(b.nets[n].layers))
		if why := b.program(&b.nets[n], &s.machine, s.costs, s.steps); why != nil {
			out = append(out, why)
		}
	}
	return out, nil
}

// checkChip refuses chips that are malformed.
func checkChip(c Chip) error {
	if _, err := ChipOf(c.Values()); err != nil {
		return err
	}
	if c.ClockHz < 0 || c.ClockHz > maxValue {
		return malformedError{"clock_hz is out of range, want 1 to 2^40 or 0 for the clock of the space"}
	}
	return nil
}

// bindChip is the backend for a chip that need not lie on the lattice.
func bindChip(networks []evaluator.Network, c Chip) (*bound, error) {
	if err := checkChip(c); err != nil {
		return nil, err
	}
	return bind(evaluator.Task{Params: params(), Networks: networks})
}

// With returns the chip with the ten parameters of another; what a chip has
// beyond them stays.
func (c Chip) With(parameters Chip) Chip {
	to, from := c.fields(), parameters.fields()
	for i := range to {
		*to[i] = *from[i]
	}
	return c
}
