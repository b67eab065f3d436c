package edge

import (
	"apollo/evaluator"
	"apollo/evaluator/workload"
)

// Estimate is what the Coral chip takes for one network, without judging whether
// the network's program and tiles fit: its rules are not the template's.
type Estimate struct {
	// MACsPerCycle is the peak rate of the chip.
	MACsPerCycle int64
	// OnChipCycles is the sum of the layers' times on chip: what a compiler
	// counts, without starting layers, without the host and without streaming.
	OnChipCycles int64
	// LatencySeconds has all of these.
	LatencySeconds float64
}

// CoralConstants are the numbers of the preset that published rows set.
type CoralConstants struct {
	// IssuePercent is the time of a compute step, StreamRate of parameters beyond the
	// chip in B/s, HostMicros what the host takes.
	IssuePercent, StreamRate, HostMicros int64
}

// Coral returns the constants of the preset.
func Coral() CoralConstants {
	return CoralConstants{IssuePercent: coralIssuePercent, StreamRate: coralStreamRate, HostMicros: coralHostMicros}
}

// Estimate returns the estimate for a network. The error is for a malformed
// workload.
func (k CoralConstants) Estimate(w *workload.Workload) (Estimate, error) {
	m, err := Spec().Bind([]evaluator.Network{{Workload: w, Weight: 1}}, declared())
	if err != nil {
		return Estimate{}, err
	}
	b, c := m.(*taskModel), coral()
	c.IssuePercent, c.IOBandwidth, c.HostCycles = k.IssuePercent, k.StreamRate, coralClockHz/1e6*k.HostMicros
	s := b.get()
	defer b.put(s)
	x, net := &s.machine, &b.nets[0]
	b.sizer.prepare(x, &c)
	b.cache.mapAll(x, b.shapes, s.costs)
	s.reserve(len(net.layers))
	net.program(x, s.costs, s.steps)
	e := Estimate{MACsPerCycle: c.MACs()}
	for i := range net.layers {
		e.OnChipCycles += s.costs[net.layers[i].shape].cycles
	}
	e.LatencySeconds = float64(net.time(x, b.shapes, s.costs, s.steps)) / float64(x.clock())
	return e, nil
}
