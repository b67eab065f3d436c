package edge

import "apollo/evaluator"

// features are what a designer reads off a data sheet first: how much computes,
// how much is held, and what share of either each unit has.
func features() []evaluator.Feature {
	x, y, cores, lanes := "pes_x", "pes_y", "cores", "lanes"
	return []evaluator.Feature{
		evaluator.Ratio("pes", "", 1, []string{x, y}, nil),
		evaluator.Ratio("macs_per_cycle", "", simdWidth, []string{x, y, cores, lanes}, nil),
		evaluator.Ratio("pe_lanes", "", 1, []string{cores, lanes}, nil),
		evaluator.Ratio("pe_memories", "B", 1, []string{x, y, "pe_memory"}, nil),
		evaluator.Ratio("core_memories", "B", 1, []string{x, y, cores, "core_memory"}, nil),
		evaluator.Ratio("core_memory_per_lane", "B", 1, []string{"core_memory"}, []string{lanes}),
		evaluator.Ratio("parameter_memory_per_lane", "B", parameterEntryBytes, []string{"parameter_memory"}, []string{cores, lanes}),
		evaluator.Ratio("bandwidth_per_lane", "B/s", 1, []string{"io_bandwidth"}, []string{x, y, cores, lanes}),
		{Name: "on_chip_memory", Unit: "B", Terms: []evaluator.Term{
			{Times: []string{x, y, "pe_memory"}},
			{Times: []string{x, y, cores, "core_memory"}},
			{Scale: activationEntryBytes, Times: []string{"activation_memory"}},
			{Scale: instructionEntryBytes, Times: []string{"instruction_memory"}},
			{Scale: parameterEntryBytes, Times: []string{"parameter_memory"}},
		}},
	}
}
