package edge

import (
	"math"

	"apollo/evaluator"
	"apollo/evaluator/report"
)

// Report is the detailed answer for one design.
type Report struct {
	Template string `json:"template"`
	Version  string `json:"version"`
	Chip     Chip   `json:"design"`
	// PEs, MACsPerCycle and PeakTOPS describe the chip.
	PEs          int64   `json:"pes"`
	MACsPerCycle int64   `json:"macs_per_cycle"`
	PeakTOPS     float64 `json:"peak_tops"`
	Feasible     bool    `json:"feasible"`
	// Reason is nil for a feasible design.
	Reason  *ReasonReport `json:"reason"`
	Metrics MetricsReport `json:"metrics"`
	Area    Area          `json:"area"`
	// Networks and Layers are empty for an infeasible design. Layers holds the
	// layers of all networks in order.
	Networks []NetworkReport `json:"networks"`
	Layers   []LayerReport   `json:"layers"`
}

// ReasonReport is evaluator.Reason with the names of the wire.
type ReasonReport struct {
	Code    string  `json:"code"`
	Layer   string  `json:"layer"`
	Need    float64 `json:"need"`
	Have    float64 `json:"have"`
	Unit    string  `json:"unit"`
	Message string  `json:"message"`
}

// MetricsReport holds the metrics of the study; nil where infeasible.
type MetricsReport struct {
	LatencySeconds *float64 `json:"latency_s"`
	AreaMM2        *float64 `json:"area_mm2"`
	EnergyJ        *float64 `json:"energy_j"`
}

// NetworkReport is one network's totals.
type NetworkReport struct {
	Name           string  `json:"name"`
	Weight         float64 `json:"weight"`
	MACs           int64   `json:"macs"`
	LatencySeconds float64 `json:"latency_s"`
	EnergyJ        float64 `json:"energy_j"`
	// Utilisation is the share of the peak rate over the whole latency.
	Utilisation float64 `json:"utilisation"`
	// Latency splits the latency; Energy splits the energy.
	Latency LatencySplit `json:"latency"`
	Energy  Energy       `json:"energy"`
	// ProgramEntries of the instruction memory hold the program, without
	// unrolled tiles. OffChipBytes cross the chip's border.
	ProgramEntries int64 `json:"program_entries"`
	OffChipBytes   int64 `json:"off_chip_bytes"`
	// Roofline is where the whole network stands.
	Roofline Roofline `json:"roofline"`
}

// LatencySplit says what the latency is spent on, in s. Total is the sum of the
// others.
type LatencySplit struct {
	// Compute is the time of the multipliers; Memory what the PE memory's
	// port, the weight bus or the mesh needs beyond it; IO what off-chip
	// transfers need beyond both.
	Compute float64 `json:"compute_s"`
	Memory  float64 `json:"memory_s"`
	IO      float64 `json:"io_s"`
	// Instruction is the time of issuing tiles from loops.
	Instruction float64 `json:"instruction_s"`
	// Serial is starting layers and bands, switching tiles, fill and drain.
	Serial float64 `json:"serial_s"`
	Total  float64 `json:"total_s"`
}

// LayerReport is one layer of one network.
type LayerReport struct {
	Network string `json:"network"`
	ID      string `json:"id"`
	Op      string `json:"op"`
	MACs    int64  `json:"macs"`
	// Cycles is the layer's time; the five numbers after it are its split.
	Cycles            int64   `json:"cycles"`
	ComputeCycles     int64   `json:"compute_cycles"`
	MemoryCycles      int64   `json:"memory_cycles"`
	IOCycles          int64   `json:"io_cycles"`
	InstructionCycles int64   `json:"instruction_cycles"`
	SerialCycles      int64   `json:"serial_cycles"`
	LatencySeconds    float64 `json:"latency_s"`
	// Utilisation is the share of the peak rate over Cycles.
	Utilisation float64 `json:"utilisation"`
	// Bottleneck names what the layer waits for: "compute", "PE memory port",
	// "weight bus", "mesh links", "off-chip interface", "serial".
	Bottleneck string `json:"bottleneck"`
	// Bands of input rows, weight tiles and output tiles of the mapping.
	Bands       int64 `json:"bands"`
	WeightTiles int64 `json:"weight_tiles"`
	OutputTiles int64 `json:"output_tiles"`
	// Bytes is what each level moves, reads and writes together.
	Bytes LevelBytes `json:"bytes"`
	// Accesses is the mapping's traffic per level and operand; empty for layers
	// without multiplications.
	Accesses []report.Access `json:"accesses"`
	Roofline Roofline        `json:"roofline"`
	// SpillBytes are activations that cross the chip's border.
	SpillBytes int64 `json:"spill_bytes"`
	// EnergyJ is the dynamic energy.
	EnergyJ float64 `json:"energy_j"`
	// Mapping is the loop nest.
	Mapping string `json:"mapping"`
}

// LevelBytes is the traffic of each level in bytes.
type LevelBytes struct {
	OffChip         int64 `json:"off_chip"`
	ParameterMemory int64 `json:"parameter_memory"`
	PEMemory        int64 `json:"pe_memory"`
	CoreMemory      int64 `json:"core_memory"`
	Exchange        int64 `json:"exchange"`
}

func reasonReport(r *evaluator.Reason) *ReasonReport {
	if r == nil {
		return nil
	}
	return &ReasonReport{Code: r.Code, Layer: r.Layer, Need: r.Need, Have: r.Have, Unit: r.Unit, Message: r.Message}
}

func finite(v float64) *float64 {
	if math.IsNaN(v) {
		return nil
	}
	return &v
}
