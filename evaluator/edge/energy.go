package edge

import "apollo/evaluator/report"

// Parts of the energy.
const (
	energyOffChip = iota
	energyParameterMemory
	energyActivationMemory
	energyInstructionMemory
	energyPEMemory
	energyCoreMemory
	energyRegisters
	energyArithmetic
	energyMesh
	energyClock
	energyLeakage
	energyParts
)

// energy is the energy of one inference by part, in J. Leakage is that of the
// memories at 350 K, and the clock network does not rest; everything else follows
// what is done.
type energy [energyParts]float64

func (e *energy) total() float64 {
	var sum float64
	for _, v := range e {
		sum += v
	}
	return sum
}

// parts lists the parts by name.
func (e *energy) parts() report.Breakdown {
	return breakdown(e[:], report.OffChip, "parameter_memory", "activation_memory", "instruction_memory",
		"pe_memory", "core_memory", "registers", "arithmetic", "mesh", "clock", "leakage")
}

func breakdown(values []float64, names ...string) report.Breakdown {
	var b report.Breakdown
	for i, v := range values {
		b = append(b, report.Part{Name: names[i], Value: v})
	}
	return b
}

// addLayer adds the dynamic energy of a layer in pJ; scale makes J of it.
func (e *energy) addLayer(m *machine, s *shape, cost *layerCost, st *step) {
	program := st.entries * m.instructionEntryBytes
	e[energyOffChip] += float64(s.weights+program+st.border) * m.dramPJ
	t := &cost.traffic
	e[energyParameterMemory] += m.parameter.of(t.parameterRead, t.parameterWrite)
	// Exchanged activations, and those that cross the border, pass the activation memory.
	e[energyActivationMemory] += float64(cost.exchange*cost.activePEs+st.border) * m.activationPJ
	e[energyInstructionMemory] += float64(st.entries+st.tiles) * m.instructionPJ
	e[energyPEMemory] += m.pe.of(t.peRead, t.peWrite)
	e[energyCoreMemory] += m.core.of(t.coreRead, t.coreWrite)
	e[energyRegisters] += float64(t.register)*m.Node.RegisterPJPerByte + float64(t.register)*m.Node.RegisterPJPerByte
	if s.vector {
		e[energyArithmetic] += float64(s.ops) * (m.Node.AddPJ * s.energy.Add)
	} else {
		e[energyArithmetic] += float64(s.macs) * m.Node.MACPJ(s.energy)
	}
	e[energyMesh] += float64(cost.exchange*cost.activePEs)*m.hopPJ + float64(st.border)*m.hopPJ
}

func (e *energy) scale() {
	const joulesPerPicojoule = 1e-12
	for i := range e {
		e[i] *= joulesPerPicojoule
	}
}
