package edge

import (
	"apollo/evaluator"
	"apollo/optimizer/space"
)

// Name is the template's name in studies.
const Name = "edge"

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
func params() []space.Param {
	mesh := []float64{1, 2, 4, 6, 8, 10, 12, 14, 16, 32}
	return []space.Param{
		{Name: "pes_x", Values: mesh},
		{Name: "pes_y", Values: mesh},
		{Name: "pe_memory", Unit: "B", Values: doubling(256*kib, 16*mib)},
		{Name: "cores", Values: mesh},
		{Name: "core_memory", Unit: "B", Values: doubling(4*kib, 4*mib)},
		{Name: "lanes", Values: doubling(4, 256)},
		{Name: "activation_memory", Unit: "entries", Values: doubling(256, 16384)},
		{Name: "instruction_memory", Unit: "entries", Values: doubling(8192, 65536)},
		{Name: "parameter_memory", Unit: "entries", Values: doubling(2048, 32768)},
		{Name: "io_bandwidth", Unit: "B/s", Values: []float64{5 * giga, 10 * giga, 16 * giga, 20 * giga, 25 * giga, 30 * giga}},
	}
}

func doubling(from, to float64) []float64 {
	var values []float64
	for v := from; v <= to; v *= 2 {
		values = append(values, v)
	}
	return values
}

func paramName(i int) string { return params()[i].Name }

// paramDocs has one sentence per parameter.
func paramDocs() []string {
	return []string{
		"Columns of the mesh of processing elements (PEs).",
		"Rows of the mesh of PEs.",
		"Memory of one PE, for activations and partial sums, shared by its cores.",
		"Cores in one PE.",
		"Memory of one core, for weights, double-buffered.",
		"Compute lanes of one core; each lane is a 4-way SIMD multiply-accumulate unit.",
		"Entries of 16 B in the chip's activation memory, which stages bands of input rows on their way to the mesh.",
		"Entries of 16 B in the chip's instruction memory, which holds the whole network's program.",
		"Entries of 64 B in the chip's parameter memory, into which weights are prefetched.",
		"Bandwidth of the off-chip interface.",
	}
}

const templateDoc = "An Edge-TPU-like inference accelerator: off-chip memory, chip-level activation, parameter and instruction " +
	"memories, a mesh of PEs with a memory each, cores with a weight memory each, and lanes of 4-way SIMD multiply-accumulate " +
	"units; int8, 22 nm, 1 GHz. The ten parameters and their values are those of the published space of 452,760,000 designs " +
	"(google-research/prime). That source numbers its parameters and does not name them: the names here follow from the values " +
	"and from the published Edge TPU variants."

// Template returns the template: the space, its documentation, the baseline
// design and the backend that evaluates it.
func Template() evaluator.Template {
	return evaluator.Template{
		Name: Name, Doc: templateDoc,
		Params: params(), ParamDocs: paramDocs(),
		Features: features(),
		Baseline: Baseline().Values(),
		Backend:  Backend{},
	}
}

// Networks returns the built-in networks that the template's presets are
// checked against: those that the published statistics of the space and of the
// variants have in common.
func Networks() []string { return []string{"mobilenet_v2", "mobilenet_edgetpu"} }

// Targets returns the built-in networks that the space is searched for; the
// baseline runs all of them.
func Targets() []string {
	return append(Networks(), "ssd_mobilenet_v2", "ssdlite_mobiledet_edgetpu", "deeplabv3_mobilenet_v2",
		"ppocr_v4_detection", "ppocr_v4_recognition")
}

var _ evaluator.Backend = Backend{}
