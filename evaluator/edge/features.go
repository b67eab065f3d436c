package edge

import "apollo/evaluator"

// features are what a designer reads off a data sheet first: how much computes,
// how much is held, and what share of either each unit has.
func features() []evaluator.Feature {
	x, y, cores, lanes := "pes_x", "pes_y", "cores", "lanes"
	return []evaluator.Feature{
		product("pes", "", 1, x, y),
		product("macs_per_cycle", "", simdWidth, x, y, cores, lanes),
		product("pe_lanes", "", 1, cores, lanes),
		product("pe_memories", "B", 1, x, y, "pe_memory"),
		product("core_memories", "B", 1, x, y, cores, "core_memory"),
		share("core_memory_per_lane", "B", 1, "core_memory", lanes),
		share("parameter_memory_per_lane", "B", parameterEntryBytes, "parameter_memory", cores, lanes),
		share("bandwidth_per_lane", "B/s", 1, "io_bandwidth", x, y, cores, lanes),
		{Name: "on_chip_memory", Unit: "B", Terms: []evaluator.Term{
			{Times: []string{x, y, "pe_memory"}},
			{Times: []string{x, y, cores, "core_memory"}},
			{Scale: activationEntryBytes, Times: []string{"activation_memory"}},
			{Scale: instructionEntryBytes, Times: []string{"instruction_memory"}},
			{Scale: parameterEntryBytes, Times: []string{"parameter_memory"}},
		}},
	}
}

func product(name, unit string, scale float64, params ...string) evaluator.Feature {
	return evaluator.Feature{Name: name, Unit: unit, Terms: []evaluator.Term{{Scale: scale, Times: params}}}
}

// share is one parameter for each of the units that the others count.
func share(name, unit string, scale float64, of string, params ...string) evaluator.Feature {
	return evaluator.Feature{Name: name, Unit: unit, Terms: []evaluator.Term{{Scale: scale, Times: []string{of}, Over: params}}}
}
