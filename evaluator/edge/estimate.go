package edge

import (
	"apollo/evaluator"
	"apollo/evaluator/workload"
)

// Estimate is what a chip takes for one network, without judging whether the
// network's program and tiles fit: for chips whose rules are not the template's.
type Estimate struct {
	// OnChipCycles is the sum of the layers' times on chip: what a compiler
	// counts, without starting layers, without the host and without streaming.
	OnChipCycles int64
	// LatencySeconds has all of these.
	LatencySeconds float64
}

// EstimateOf returns the estimate for a network. The error is for a malformed
// chip or workload.
func EstimateOf(w *workload.Workload, c Chip) (Estimate, error) {
	if _, err := ChipOf(c.Values()); err != nil {
		return Estimate{}, err
	}
	b, err := bind(evaluator.Task{Params: params(), Networks: []evaluator.Network{{Workload: w, Weight: 1}}})
	if err != nil {
		return Estimate{}, err
	}
	s := b.get()
	defer b.put(s)
	m, net := &s.machine, &b.nets[0]
	b.sizer.prepare(m, &c)
	b.cache.mapAll(m, b.shapes, s.costs)
	s.reserve(len(net.layers))
	b.program(net, m, s.costs, s.steps)
	var e Estimate
	for i := range net.layers {
		e.OnChipCycles += s.costs[net.layers[i].shape].cycles
	}
	e.LatencySeconds = float64(net.time(m, b.shapes, s.costs, s.steps)) / float64(m.clock())
	return e, nil
}
