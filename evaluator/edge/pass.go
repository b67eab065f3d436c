package edge

import (
	"fmt"

	"apollo/evaluator"
	"apollo/evaluator/model"
)

// step is what the network pass adds to a layer.
type step struct {
	bands, tiles, rolled int64 // bands of input, output tiles issued, of them from a loop
	entries              int64 // instruction entries
	spill                int64 // bytes of activations that cross the chip's border because they do not fit
	border               int64 // those, and the network's inputs and outputs
	load                 int64 // bytes of weights and program that the layer must wait for
	onChip               int64 // cycles on chip without the serial cost
	io                   int64 // cycles of off-chip transfers
	cycles               int64 // total
}

// program sizes the network's program and reports whether it fits. Tiles are
// issued from loops; what is left of the instruction memory unrolls the same
// share of every layer's, so that no layer's depends on where it stands.
func (net *network) program(m *machine, costs []layerCost, steps []step) bool {
	activationBytes := m.ActivationMemory * m.activationEntryBytes
	var total, tiles int64
	for i := range net.layers {
		y, st := &net.layers[i], &steps[i]
		cost := &costs[y.shape]
		bands, cuts := y.bands(activationBytes, m.Lanes)
		if m.anyLanes && y.lanesSpread {
			bands, cuts = y.fewestBands(activationBytes), 1
		}
		*st = step{bands: bands, tiles: max(bands, cuts*cost.steps)}
		st.entries = m.layerEntries + m.peEntries*cost.activePEs + m.bandEntries*st.bands + m.tileEntries*st.tiles
		total += st.entries
		tiles += st.tiles
	}
	if total > m.InstructionMemory {
		return false
	}
	if rolled := tiles - (m.InstructionMemory-total)/m.unrolledEntries; rolled > 0 {
		for i := range net.layers {
			st := &steps[i]
			st.rolled = model.CeilDiv(st.tiles*rolled, tiles)
		}
	}
	return true
}

func (b *taskModel) explainProgram(net *network, m *machine, steps []step) *evaluator.Reason {
	var total int64
	longest := 0
	for i := range net.layers {
		total += steps[i].entries
		if steps[i].entries > steps[longest].entries {
			longest = i
		}
	}
	name := b.layerName(net, longest)
	return &evaluator.Reason{
		Code: codeInstructionMemory, Layer: name, Need: float64(total), Have: float64(m.InstructionMemory), Unit: "entries",
		Message: fmt.Sprintf("%s: the program needs %d entries of instruction memory, there are %d (layer %s is the longest with %d): %s",
			net.Name, total, m.InstructionMemory, name, steps[longest].entries, b.programFix(total)),
	}
}

func (b *taskModel) programFix(total int64) string {
	if f := b.fix("instruction_memory", -total); f != "" {
		return f + " would do"
	}
	return "fewer PEs, more core memory or more activation memory would shorten it"
}

// time plays the layers in order. The off-chip interface serves, for each
// layer, the network's inputs that it is the first to read, the outputs that it
// writes and the activations that do not fit on chip, then what is missing of its
// program and weights, and fills the parameter memory with the weights of later
// layers while it is idle. It rests while a layer starts.
func (net *network) time(m *machine, shapes []shape, costs []layerCost, steps []step) int64 {
	capacity := m.ParameterMemory * m.parameterEntryBytes
	var total, staged int64
	var out outside
	resident := m.ResidentBytes
	for i := range net.layers {
		y, st := &net.layers[i], &steps[i]
		s, cost := &shapes[y.shape], &costs[y.shape]
		st.cross(y, m.spill(y, cost, &out))
		need := s.weights + st.entries*m.instructionEntryBytes
		if resident > 0 {
			need, resident = max(need-resident, 0), max(resident-need, 0)
		}
		st.load = max(need-staged, 0)
		st.onChip = cost.cycles + st.bands*m.bandCycles + st.rolled*m.loopCycles
		bytes := st.border + st.load
		st.io = model.CeilDiv(bytes*milli, m.ioRate)
		busy := max(st.onChip, st.io)
		idle := busy*m.ioRate/milli - bytes
		staged = min(max(staged-need, 0)+max(idle, 0), capacity)
		st.cycles = m.layerCycles + busy
		if i == 0 {
			st.cycles += m.HostCycles
		}
		total += st.cycles
	}
	return total
}

// cross notes what of a layer's activations crosses the chip's border.
func (st *step) cross(y *layer, spill int64) {
	st.spill, st.border = spill, y.arrives+y.leaves+spill
}

// outside is the bytes of idle tensors that are no longer on the chip: of those
// that were outside as well, and of others.
type outside struct{ stored, others int64 }

// spill returns the bytes that cross the chip's border because a layer's
// activations do not fit the PE memories. What a layer needs beyond them
// streams; inputs that arrive and outputs that leave with it do so anyway.
// Idle tensors leave first, those that are outside as well before others, and stay
// out until they die: each comes back once, and others are written once.
func (m *machine) spill(y *layer, cost *layerCost, out *outside) int64 {
	own := max(max(cost.need-m.PEMemory, 0)*cost.activePEs-y.arrives-y.leaves, 0)
	room := max(m.PEMemory-cost.need, 0)*cost.activePEs + (m.allPEs-cost.activePEs)*m.PEMemory
	out.stored = min(out.stored, y.idleOutside)
	out.others = min(out.others, y.idle-y.idleOutside)
	leaving := max(y.idle-room-out.stored-out.others, 0)
	stored := min(leaving, y.idleOutside-out.stored)
	others := leaving - stored
	out.stored += stored
	out.others += others
	return own + stored + 2*others
}

// energy returns the network's energy in J, by part.
func (net *network) energy(m *machine, shapes []shape, costs []layerCost, steps []step, seconds float64) energy {
	var e energy
	for i := range net.layers {
		e.addLayer(m, &shapes[net.layers[i].shape], &costs[net.layers[i].shape], &steps[i])
	}
	e.scale()
	e[energyClock], e[energyLeakage] = m.clockW*seconds, m.leakageW*seconds
	return e
}

// peakWatts is what the layer that draws most takes, with clock and leakage.
func (net *network) peakWatts(m *machine, shapes []shape, costs []layerCost, steps []step) float64 {
	var most float64
	for i := range net.layers {
		st := &steps[i]
		if st.cycles <= 0 {
			continue
		}
		var e energy
		e.addLayer(m, &shapes[net.layers[i].shape], &costs[net.layers[i].shape], st)
		e.scale()
		most = max(most, e.total()/(float64(st.cycles)/float64(m.clock())))
	}
	return most + m.clockW + m.leakageW
}
