package edge

import (
	"apollo/evaluator/frame"
	"apollo/evaluator/report"
	"apollo/optimizer/space"
)

const paramCount = 10

// Units of the sizes below.
const (
	kib  = 1 << 10
	mib  = 1 << 20
	giga = 1e9
)

// params returns the ten parameters. The values are those of the published
// space (google-research/prime, Apache-2.0), which numbers its parameters and
// does not name them.
//
// Their baseline is the design that gains are measured against: of the lattice
// designs that fit 4.8 mm² and run every target network, the one nearest to v2,
// by the sum of |log2| of the ratios over the parameters that are published for
// v2; of equally near ones, the fastest by their geometric mean. TestBaseline
// finds it again.
func params() []frame.Param {
	mesh := []float64{1, 2, 4, 6, 8, 10, 12, 14, 16, 32}
	in := func(unit string, p frame.Param) frame.Param {
		p.Unit = unit
		return p
	}
	return []frame.Param{
		frame.Count("pes_x", "Columns of the mesh of processing elements (PEs).", 4, mesh...),
		frame.Count("pes_y", "Rows of the mesh of PEs.", 2, mesh...),
		frame.Bytes("pe_memory", "Memory of one PE, for activations and partial sums, shared by its cores.", 256*kib, frame.Powers(256*kib, 16*mib)...),
		frame.Count("cores", "Cores in one PE.", 1, mesh...),
		frame.Bytes("core_memory", "Memory of one core, for weights, double-buffered.", 32*kib, frame.Powers(4*kib, 4*mib)...),
		frame.Count("lanes", "Compute lanes of one core; each lane is a 4-way SIMD multiply-accumulate unit.", 64, frame.Powers(4, 256)...),
		in("entries", frame.Count("activation_memory", "Entries of 16 B in the chip's activation memory, which stages bands of input rows on their way to the mesh.",
			16384, frame.Powers(256, 16384)...)),
		in("entries", frame.Count("instruction_memory", "Entries of 16 B in the chip's instruction memory, which holds the whole network's program.",
			32768, frame.Powers(8192, 65536)...)),
		in("entries", frame.Count("parameter_memory", "Entries of 64 B in the chip's parameter memory, into which weights are prefetched.",
			8192, frame.Powers(2048, 32768)...)),
		in("B/s", frame.Count("io_bandwidth", "Bandwidth of the off-chip interface.", 30*giga, 5*giga, 10*giga, 16*giga, 20*giga, 25*giga, 30*giga)),
	}
}

// Spec returns the template.
func Spec() *frame.Spec {
	s := &frame.Spec{
		// The version changes with every change of the model that can change a
		// number.
		Name: "edge", Version: "8",
		Doc: "An Edge-TPU-like inference accelerator: off-chip memory, chip-level activation, parameter and instruction " +
			"memories, a mesh of PEs with a memory each, cores with a weight memory each, and lanes of 4-way SIMD multiply-accumulate " +
			"units; int8, 22 nm, 1 GHz. The ten parameters and their values are those of the published space of 452,760,000 designs " +
			"(google-research/prime). That source numbers its parameters and does not name them: the names here follow from the values " +
			"and from the published Edge TPU variants.",
		Params: params(), Features: features(),
		BaselineDoc: "the design of the space nearest to v2 within 4.8 mm2 that runs the seven target networks",
		Declare:     func() frame.Constants { return declared() },
		Fixed: "the template edge takes no mappings: its network pass, prefetching and spilling, holds for the mapper's own. " +
			"Given by the design are the spreads over mesh, cores and lanes, and the order of the loops; searched are which dimensions are spread, and the tiles",
		Codes: []string{codePEPort, codeCoreMemory, codeActivationMemory, codeParameterMemory, codeInstructionMemory},
		Targets: []string{
			"mobilenet_v2", "mobilenet_edgetpu", "ssd_mobilenet_v2", "ssdlite_mobiledet_edgetpu", "deeplabv3_mobilenet_v2",
			"ppocr_v4_detection", "ppocr_v4_recognition",
		},
	}
	for _, p := range presets() {
		s.OtherPresets = append(s.OtherPresets, report.Preset{Name: p.name, Values: p.chip.values(), Doc: p.doc})
	}
	return s
}

// values returns the chip's parameters in the template's order.
func (c chip) values() []space.Value {
	v := make([]space.Value, paramCount)
	for i, field := range c.fields() {
		v[i].Num = float64(*field)
	}
	return v
}
