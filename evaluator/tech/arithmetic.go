package tech

import (
	"math"

	"apollo/evaluator/number"
)

// Arithmetic at 45 nm and 0.9 V, in pJ and µm²: M. Horowitz, ISSCC 2014, areas as
// printed in Sze et al., Proc. IEEE 2017 (see multiplyPJ). Integers of other
// widths lie on the power law through the two published ones, in the product of
// the operands' widths: the bits of an array multiplier.
var (
	intMultiply = [2]figure{{8 * 8, multiplyPJ, multiplyUM2}, {32 * 32, 3.1, 3495}}
	intAdd      = [2]figure{{8, 0.03, 36}, {32, addPJ, addUM2}}
	// Floating-point formats of 8, 16 and 32 bits. 8 bits: INT8 is 50 to 180 %
	// more efficient in area and energy (M. van Baalen et al., arXiv 2303.17951,
	// abstract); the lower end is taken for the multiplier, and what the
	// accumulator of more bits takes comes on top. Products of 4 bits are counted as
	// those of 8: no source gives their figure.
	floatMultiply = [3]figure{{8, 1.5 * multiplyPJ, 1.5 * multiplyUM2}, {16, 1.1, 1640}, {32, 3.7, 7700}}
	floatAdd      = [2]figure{{16, 0.4, 1360}, {32, 0.9, 4184}}
)

// brainMultiply and brainAdd are the share of the energy of a 16-bit format with 5
// bits of exponent that one with 8 takes: N. Jouppi et al., "Ten lessons from
// three generations shaped Google's TPUv4i", ISCA 2021, 0.21 of 0.34 and 0.11 of
// 0.16 pJ at 7 nm. brainArea is that of the multiplier's area: about half (S. Wang
// and P. Kanwar, "BFloat16: The secret to high performance on Cloud TPUs", 2019).
const (
	brainMultiply = 0.21 / 0.34
	brainAdd      = 0.11 / 0.16
	brainArea     = 0.5
)

// figure is what a unit of some size takes.
type figure struct{ size, pj, um2 float64 }

// between returns the figure of a size on the power law through the two
// neighbours of a table, or the two nearest ones.
func between(table []figure, size float64) figure {
	i := 1
	for i < len(table)-1 && table[i].size < size {
		i++
	}
	a, b := &table[i-1], &table[i]
	switch size {
	case a.size:
		return *a
	case b.size:
		return *b
	}
	t := math.Log(size/b.size) / math.Log(a.size/b.size)
	return figure{size, b.pj * math.Pow(a.pj/b.pj, t), b.um2 * math.Pow(a.um2/b.um2, t)}
}

// multiplier returns the figure of the unit that multiplies two operands.
func multiplier(a, b number.Format) figure {
	if a.Kind == number.Int && b.Kind == number.Int {
		return between(intMultiply[:], float64(a.Bits*b.Bits))
	}
	p := number.Product(a, b)
	f := between(floatMultiply[:], float64(max(p.Bits, 8)))
	if p.Kind == number.Brain {
		f.pj, f.um2 = f.pj*brainMultiply, f.um2*brainArea
	}
	return f
}

// adder returns the figure of the unit that adds numbers of a format.
func adder(sum number.Format) figure {
	switch sum.Kind {
	case number.Int:
		return between(intAdd[:], float64(sum.Bits))
	case number.Brain:
		f := between(floatAdd[:], float64(sum.Bits))
		return figure{f.size, f.pj * brainAdd, f.um2 * brainAdd}
	}
	return between(floatAdd[:], float64(sum.Bits))
}

// Work is the formats that a layer computes with.
type Work struct{ Weights, Activations, Sums number.Format }

// Default is the work of networks that say nothing.
func Default() Work {
	return Work{number.Format{Bits: 8}, number.Format{Bits: 8}, number.Format{Bits: 32}}
}

// Halves reports whether a multiplier of 8-bit integers has room for two such
// products.
func (w *Work) Halves() bool {
	small := number.Format{Bits: 4}
	fits := func(f number.Format) bool { return f.Kind == small.Kind && f.Bits <= small.Bits }
	return fits(w.Weights) && fits(w.Activations)
}

// Effort is what a multiplication and an addition take, relative to a product of
// two 8-bit integers and to a sum of 32 bits.
type Effort struct{ Multiply, Add float64 }

// Energy returns the energies of some work.
func (w *Work) Energy() Effort {
	return Effort{multiplier(w.Weights, w.Activations).pj / multiplyPJ, adder(w.Sums).pj / addPJ}
}

// area returns the areas of the units for some work.
func (w *Work) area() Effort {
	return Effort{multiplier(w.Weights, w.Activations).um2 / multiplyUM2, adder(w.Sums).um2 / addUM2}
}

// MACPJ returns the energy of one multiply-accumulate in pJ.
func (n *Node) MACPJ(e Effort) float64 { return n.MultiplyPJ*e.Multiply + n.AddPJ*e.Add }

// Datapath is what the units of a chip must be able to do: the widest of every
// work that it was given.
type Datapath struct {
	// Bits of weights, activations and sums.
	Weights, Activations, Sums int64
	// Area is that of a unit's multiplier and adder.
	Area Effort
	// Choices is how many multiplexers of two inputs choose that of a unit.
	Choices int64
}

// Take widens the datapath for some work.
func (d *Datapath) Take(w *Work) {
	d.Weights, d.Activations, d.Sums = max(d.Weights, w.Weights.Bits), max(d.Activations, w.Activations.Bits), max(d.Sums, w.Sums.Bits)
	area := w.area()
	d.Area = Effort{max(d.Area.Multiply, area.Multiply), max(d.Area.Add, area.Add)}
}
