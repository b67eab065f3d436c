// Package eyeriss is the row-stationary dataflow on a grid of processing
// elements with three scratchpads each (Y.-H. Chen et al., "Eyeriss: An
// Energy-Efficient Reconfigurable Accelerator for Deep Convolutional Neural
// Networks", IEEE JSSC 52(1), 2017): its mappings, their time and their
// traffic.
//
// # Notation
//
// As in the source, a pass has n images, p x t output channels and q x r input
// channels of e output rows. One processing element slides one filter row over
// one input row, for p output and q input channels; a set of R x e elements
// makes e output rows of a 2-D convolution; r x t sets work side by side. m
// output channels are summed in the global buffer before inputs are replaced.
package eyeriss

import "apollo/evaluator/model"

// Chip is one instance of the architecture. Sizes in words are of WordBytes.
type Chip struct {
	// Rows and Cols are the grid.
	Rows, Cols int64
	// FilterWords, InputWords and SumWords are the scratchpads of one element.
	FilterWords, InputWords, SumWords int64
	// BufferBytes is the part of the global buffer that inputs and partial sums
	// share.
	BufferBytes int64
	// BusRate is what each bus to the grid moves, in words per 1000 cycles.
	BusRate int64
}

// Silicon returns the published chip: 12 x 14 elements, scratchpads of 224, 12
// and 24 words, 100 kB of the 108 kB buffer for inputs and partial sums.
func Silicon() Chip {
	return Chip{Rows: 12, Cols: 14, FilterWords: 224, InputWords: 12, SumWords: 24, BufferBytes: 100 << 10, BusRate: BusBytes / WordBytes * milli}
}

// Constants of the network on chip and of the energies.
const (
	// WordBytes is the width of a word: 16 bit (source, Table III).
	WordBytes = 2
	// BusBytes is what each of the buses to the grid moves per cycle: 64 bit for
	// filters and for partial sums (source, Section V); inputs are taken to be as
	// wide.
	BusBytes = 8
	// Energies of an access relative to a multiply-accumulate: Eyeriss, ISCA
	// 2016, Table IV.
	offChipEnergy = 200
	bufferEnergy  = 6
	padEnergy     = 1

	milli = 1000
	// padAccesses of a multiply-accumulate: filter, input, sum in and out.
	padAccesses = 4
)

// Mapping is one row-stationary mapping, in the letters of the source.
type Mapping struct {
	E, P, Q, R, T, N, M int64
}

// Cost is what a mapping takes.
type Cost struct {
	Mapping Mapping
	// Passes through the grid, Active elements that work in one.
	Passes, Active int64
	// ComputeCycles are the steps of the busiest element; Cycles has the
	// filling of the scratchpads and the draining of the sums too.
	ComputeCycles, Cycles int64
	// OffChip and Buffer are words moved over the chip's border, and in and out
	// of the global buffer; Pad counts scratchpad accesses.
	OffChip, Buffer, Pad int64
	// Network are the words over the buses: filters, inputs, and sums in and out.
	Network int64
	// OffChipBy is OffChip by operand; BufferInputs are the inputs among the
	// Buffer's words, the rest are partial sums, in and out.
	OffChipBy    [model.Operands]int64
	BufferInputs int64
}

// layer is a problem in the source's letters: one group, square or not.
type layer struct {
	groups, images, kernels, channels, rows, cols, r, s int64
	stride, dilation                                    [2]int64
}

func newLayer(p *model.Problem) layer {
	b := &p.Bound
	return layer{b[model.G], b[model.N], b[model.K], b[model.C], b[model.P], b[model.Q], b[model.R], b[model.S], p.Stride, p.Dilation}
}

func (l *layer) macs() int64 {
	return l.groups * l.images * l.kernels * l.channels * l.rows * l.cols * l.r * l.s
}

// height and width are the input under e output rows and under a full row.
func (l *layer) height(e int64) int64 { return (e-1)*l.stride[0] + (l.r-1)*l.dilation[0] + 1 }
func (l *layer) width() int64         { return (l.cols-1)*l.stride[1] + (l.s-1)*l.dilation[1] + 1 }

// sets returns how many sets of R x e elements the grid holds; a set wider than
// the grid is folded.
func (c *Chip) sets(l *layer, e int64) int64 {
	if e <= c.Cols {
		return c.Rows / l.r * (c.Cols / e)
	}
	return c.Rows / (l.r * model.CeilDiv(e, c.Cols))
}

// sums returns for how many output channels the buffer holds the sums of a
// pass, beside its inputs.
func (c *Chip) sums(l *layer, m *Mapping) int64 {
	room := c.BufferBytes/WordBytes - m.inputs(l)
	return max(room, 0) / (m.N * m.E * l.cols)
}

// inputs returns the words of inputs of a pass.
func (m *Mapping) inputs(l *layer) int64 { return m.N * m.Q * m.R * l.height(m.E) * l.width() }

// busCycles returns the time of words on a bus.
func (c *Chip) busCycles(words int64) int64 { return model.CeilDiv(words*milli, c.BusRate) }

// cost returns the cost of a mapping that fits the buffer.
func (c *Chip) cost(l *layer, m Mapping) Cost {
	inputs, perKernel := m.inputs(l), m.N*m.E*l.cols
	x := Cost{Mapping: m, Active: l.r * m.E * m.R * m.T}
	strips := model.CeilDiv(l.rows, m.E)
	x.Passes = l.groups * model.CeilDiv(l.kernels, m.P*m.T) * model.CeilDiv(l.channels, m.Q*m.R) * strips * (l.images / m.N)
	step := l.s * m.P * m.Q * l.cols
	x.ComputeCycles = x.Passes * m.N * step
	// A pass fills the filters once, and for every image the first window of
	// inputs; the sums of the last position drain.
	filters := l.r * l.s * m.P * m.Q * m.R * m.T
	window := l.height(m.E) * l.s * m.Q * m.R
	sums := m.E * m.P * m.T
	// Inputs on one bus and sums on another pass meanwhile: the slowest takes the time.
	busy := max(step, c.busCycles(inputs/m.N-window), c.busCycles(perKernel/m.N*m.P*m.T-sums))
	x.Cycles = x.Passes * (m.N*(busy+c.busCycles(window)+c.busCycles(sums)) + c.busCycles(filters))

	weights := l.groups * l.kernels * l.channels * l.r * l.s
	all := l.images * l.groups * l.channels * strips * l.height(m.E) * l.width()
	outputs := l.images * l.groups * l.kernels * l.rows * l.cols
	x.OffChipBy = [model.Operands]int64{weights * strips * (l.images / m.N), all * model.CeilDiv(l.kernels, m.M), outputs}
	x.OffChip = x.OffChipBy[model.Weights] + x.OffChipBy[model.Inputs] + outputs
	x.BufferInputs = x.Passes * inputs
	x.Buffer = x.BufferInputs + 2*x.Passes*perKernel*m.P*m.T
	x.Network = x.Buffer + x.OffChipBy[model.Weights]
	x.Pad = padAccesses * l.macs()
	return x
}
