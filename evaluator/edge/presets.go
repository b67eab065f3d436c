package edge

// Preset is a named chip.
type Preset struct {
	Name string `json:"name"`
	Chip Chip   `json:"chip"`
	// Doc says what it is and where its numbers come from.
	Doc string `json:"doc"`
}

// Presets returns the named chips: the Coral Edge TPU and the published Edge
// TPU variants v1, v2 and v3, which lie off the lattice, and the baseline, which
// lies on it.
//
// The variants' clock, PEs, memories of PE and core, cores, lanes and
// bandwidth are those of A. Yazdanbakhsh et al., "An Evaluation of Edge TPU
// Accelerators for Convolutional Neural Networks", arXiv 2102.10423.
// It gives no chip-level memories: the largest of the space are taken, so
// that the variants are limited by what is published of them.
func Presets() []Preset {
	variant := func(c Chip) Chip {
		c.PEsX = 4
		c.ActivationMemory, c.InstructionMemory, c.ParameterMemory = 16384, 65536, 32768
		return c
	}
	return []Preset{
		{"baseline", Baseline(), "the design of the space nearest to v2 within 4.8 mm2 that runs the seven target networks"},
		{"coral", Coral(), "the Edge TPU of the Coral boards, 4.1 TOPS, steady state, with its host"},
		{"v1", variant(Chip{
			PEsY: 4, PEMemory: 2 * mib, Cores: 4, CoreMemory: 32 * kib, Lanes: 64, IOBandwidth: 17 * giga, ClockHz: 800e6,
		}), "Edge TPU V1, 26.2 TOPS (arXiv 2102.10423)"},
		{"v2", variant(Chip{
			PEsY: 4, PEMemory: 384 * kib, Cores: 1, CoreMemory: 32 * kib, Lanes: 64, IOBandwidth: 32 * giga, ClockHz: 1066e6,
		}), "Edge TPU V2, 8.73 TOPS (arXiv 2102.10423)"},
		{"v3", variant(Chip{
			PEsY: 1, PEMemory: 2 * mib, Cores: 8, CoreMemory: 8 * kib, Lanes: 32, IOBandwidth: 32 * giga, ClockHz: 1066e6,
		}), "Edge TPU V3, 8.73 TOPS (arXiv 2102.10423)"},
	}
}

// Coral returns the Edge TPU of the Coral boards. 4 x 4 PEs of 64 lanes, 192
// KiB of activation and 512 KiB of parameter memory a PE, 500 MHz: recorded in
// models that its compiler wrote (google-coral repositories, Apache-2.0); the
// parameter memories together are the 8 MB that stay from one inference to the
// next. The other three numbers are CoralIssuePercent, the host's part and the
// rate at which parameters beyond 8 MB are streamed: see their constants.
func Coral() Chip {
	return Chip{
		PEsX: 4, PEsY: 4, PEMemory: 192 * kib, Cores: 1, CoreMemory: 512 * kib, Lanes: 64,
		ActivationMemory: 16384, InstructionMemory: 65536, ParameterMemory: 32768,
		IOBandwidth: coralStreamRate, ClockHz: coralClockHz,
		ResidentBytes: 16 * 512 * kib, IssuePercent: CoralIssuePercent, PackedDepthwise: true,
		HostCycles: coralClockHz / 1e6 * coralHostMicros,
	}
}

// PresetNamed returns the preset with the given name, or false.
func PresetNamed(name string) (Preset, bool) {
	for _, p := range Presets() {
		if p.Name == name {
			return p, true
		}
	}
	return Preset{}, false
}

// Baseline returns the design that gains are measured against: of the lattice
// designs that fit 4.8 mm² and run every network of Targets, the one nearest
// to v2, by the sum of |log2| of the ratios over the parameters that are
// published for v2; of equally near ones, the fastest by their geometric mean.
// TestBaseline finds it again.
func Baseline() Chip {
	return Chip{
		PEsX: 4, PEsY: 2, PEMemory: 256 * kib, Cores: 1, CoreMemory: 32 * kib, Lanes: 64,
		ActivationMemory: 16384, InstructionMemory: 32768, ParameterMemory: 8192, IOBandwidth: 30 * giga,
	}
}
