package edge

// Energy is the energy of one inference by part, in J. Total is the sum of the
// others. Leakage is that of the memories at 350 K; everything else is
// dynamic.
type Energy struct {
	OffChip           float64 `json:"off_chip"`
	ParameterMemory   float64 `json:"parameter_memory"`
	ActivationMemory  float64 `json:"activation_memory"`
	InstructionMemory float64 `json:"instruction_memory"`
	PEMemory          float64 `json:"pe_memory"`
	CoreMemory        float64 `json:"core_memory"`
	Registers         float64 `json:"registers"`
	Arithmetic        float64 `json:"arithmetic"`
	Mesh              float64 `json:"mesh"`
	Leakage           float64 `json:"leakage"`
	Total             float64 `json:"total"`
}

// Dynamic returns the sum of the parts without leakage.
func (e *Energy) Dynamic() float64 {
	return e.OffChip + e.ParameterMemory + e.ActivationMemory + e.InstructionMemory +
		e.PEMemory + e.CoreMemory + e.Registers + e.Arithmetic + e.Mesh
}

// Parts lists the named parts, without the total.
func (e *Energy) Parts() []Part {
	return []Part{
		{"off_chip", e.OffChip},
		{"parameter_memory", e.ParameterMemory},
		{"activation_memory", e.ActivationMemory},
		{"instruction_memory", e.InstructionMemory},
		{"pe_memory", e.PEMemory},
		{"core_memory", e.CoreMemory},
		{"registers", e.Registers},
		{"arithmetic", e.Arithmetic},
		{"mesh", e.Mesh},
		{"leakage", e.Leakage},
	}
}

// addLayer adds the dynamic energy of a layer in pJ; scale makes J of it.
func (e *Energy) addLayer(m *machine, s *shape, cost *layerCost, st *step) {
	program := st.entries * m.instructionEntryBytes
	e.OffChip += float64(s.weights+program+st.spill) * m.dramPJ
	t := &cost.traffic
	e.ParameterMemory += m.parameter.of(t.parameterRead, t.parameterWrite)
	// Exchanged and spilled activations pass the activation memory.
	e.ActivationMemory += float64(cost.exchange*cost.activePEs+st.spill) * m.activationPJ
	e.InstructionMemory += float64(st.entries+st.tiles) * m.instructionPJ
	e.PEMemory += m.pe.of(t.peRead, t.peWrite)
	e.CoreMemory += m.core.of(t.coreRead, t.coreWrite)
	e.Registers += float64(t.register)*m.registerPJ + float64(t.register)*m.registerPJ
	if s.vector {
		e.Arithmetic += float64(s.ops) * m.addPJ
	} else {
		e.Arithmetic += float64(s.macs) * m.macPJ
	}
	e.Mesh += float64(cost.exchange*cost.activePEs)*m.hopPJ + float64(st.spill)*m.hopPJ
}

func (e *Energy) scale() {
	const joulesPerPicojoule = 1e-12
	for _, part := range []*float64{
		&e.OffChip, &e.ParameterMemory, &e.ActivationMemory, &e.InstructionMemory,
		&e.PEMemory, &e.CoreMemory, &e.Registers, &e.Arithmetic, &e.Mesh,
	} {
		*part *= joulesPerPicojoule
	}
}
