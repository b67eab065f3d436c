package edge

// Constants of the Coral chip beyond its memories and its array.
const (
	// coralIssuePercent is the time of a compute step: fitted, the one global
	// factor, on the six estimates of the chip's own compiler, to the least
	// worst error; measured utilisation of 16 to 23 % asks for 3 to 5. See
	// docs/validation.md#coral.
	coralIssuePercent = 355
	coralClockHz      = 500e6
	// coralStreamRate is the rate at which parameters reach the chip, in B/s:
	// the published latencies of networks whose parameters exceed 8 MB grow by
	// about 2.5 ms per MB; chosen: see docs/validation.md#coral.
	coralStreamRate = 400e6
	// coralHostMicros is the host's part of an inference: what remains of the
	// published latencies of the smallest networks; chosen: see
	// docs/validation.md#coral.
	coralHostMicros = 1100
)

// preset is a named chip.
type preset struct {
	name string
	chip chip
	doc  string
}

// presets returns the named chips off the lattice: the Coral Edge TPU and the
// published Edge TPU variants v1, v2 and v3.
//
// The variants' clock, PEs, memories of PE and core, cores, lanes and
// bandwidth are those of A. Yazdanbakhsh et al., "An Evaluation of Edge TPU
// Accelerators for Convolutional Neural Networks", arXiv 2102.10423.
// It gives no chip-level memories: the largest of the space are taken, so
// that the variants are limited by what is published of them.
func presets() []preset {
	variant := func(c chip) chip {
		c.PEsX = 4
		c.ActivationMemory, c.InstructionMemory, c.ParameterMemory = 16384, 65536, 32768
		return c
	}
	return []preset{
		{"coral", coral(), "the Edge TPU of the Coral boards, 4.1 TOPS, steady state, with its host"},
		{"v1", variant(chip{
			PEsY: 4, PEMemory: 2 * mib, Cores: 4, CoreMemory: 32 * kib, Lanes: 64, IOBandwidth: 17 * giga, ClockHz: 800e6,
		}), "Edge TPU V1, 26.2 TOPS (arXiv 2102.10423)"},
		{"v2", variant(chip{
			PEsY: 4, PEMemory: 384 * kib, Cores: 1, CoreMemory: 32 * kib, Lanes: 64, IOBandwidth: 32 * giga, ClockHz: 1066e6,
		}), "Edge TPU V2, 8.73 TOPS (arXiv 2102.10423)"},
		{"v3", variant(chip{
			PEsY: 1, PEMemory: 2 * mib, Cores: 8, CoreMemory: 8 * kib, Lanes: 32, IOBandwidth: 32 * giga, ClockHz: 1066e6,
		}), "Edge TPU V3, 8.73 TOPS (arXiv 2102.10423)"},
	}
}

// coral returns the Edge TPU of the Coral boards. 4 x 4 PEs of 64 lanes, 192
// KiB of activation and 512 KiB of parameter memory a PE, 500 MHz: recorded in
// models that its compiler wrote (google-coral repositories, Apache-2.0); the
// parameter memories together are the 8 MB that stay from one inference to the
// next. The other three numbers are coralIssuePercent, the host's part and the
// rate at which parameters beyond 8 MB are streamed: see their constants.
func coral() chip {
	return chip{
		PEsX: 4, PEsY: 4, PEMemory: 192 * kib, Cores: 1, CoreMemory: 512 * kib, Lanes: 64,
		ActivationMemory: 16384, InstructionMemory: 65536, ParameterMemory: 32768,
		IOBandwidth: coralStreamRate, ClockHz: coralClockHz,
		ResidentBytes: 16 * 512 * kib, IssuePercent: coralIssuePercent, PackedDepthwise: true,
		HostCycles: coralClockHz / 1e6 * coralHostMicros,
	}
}

// presetNamed returns the chip with the given name; false for none, as of the
// baseline, which has nothing beyond the parameters.
func presetNamed(name string) (chip, bool) {
	for _, p := range presets() {
		if p.name == name {
			return p.chip, true
		}
	}
	return chip{}, false
}
