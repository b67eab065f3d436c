package template

import (
	"apollo/evaluator/frame"
	"apollo/evaluator/lower"
	"apollo/evaluator/model"
	"apollo/evaluator/number"
	"apollo/evaluator/report"
	"apollo/evaluator/tech"
	"apollo/evaluator/workload"
)

// view is a machine as layers of some formats see it: its sizes, rates and
// energies are per unit of which there are perByte in a byte, so that elements of
// half a byte have a whole size.
type view struct {
	perByte int64
	work    tech.Work
	energy  tech.Effort
	// products is how many multiplications a unit does in a cycle.
	products int64
	// block is the sparsity of weights in blocks, 1 of 1 where all count: units see
	// those that are kept.
	block workload.Sparsity
}

func defaultView() view {
	work := tech.Default()
	return view{1, work, work.Energy(), 1, everyWeight()}
}

// everyWeight is the sparsity of weights that all count.
func everyWeight() workload.Sparsity { return workload.Sparsity{Keep: 1, Of: 1} }

// view returns how a layer sees the machines of the template, and its loops.
func (s *Spec) view(l *workload.Layer, bits workload.Precision) (view, model.Problem, error) {
	v := view{perByte: 1, products: 1, block: everyWeight()}
	v.work.Weights, v.work.Activations, v.work.Sums = l.Formats(bits)
	v.energy = v.work.Energy()
	if s.WordBits > 0 || !l.Op.HasMACs() {
		p, err := lower.Problem(l, bits)
		for o := range p.Bytes {
			p.Bytes[o] = max(p.Bytes[o], s.WordBits/8)
		}
		p.PartialBytes = max(p.PartialBytes, p.Bytes[model.Outputs])
		return v, p, err
	}
	if s.Splits && v.work.Halves() {
		v.products = 2
	}
	pack := lower.Packed
	switch sparse := l.Sparsity(bits); {
	case sparse.Blocks():
		pack, v.block = lower.Blocks, sparse
	case sparse.Density > 0:
		pack = lower.Masked
	}
	p, perByte, err := pack(l, bits)
	v.perByte = perByte
	return v, p, err
}

// word returns the bits that every element takes of a machine for some networks: a
// word holds all operands of their products. It is 0 where memories pack elements.
func (s *Spec) word(networks []frame.Network) int64 {
	bits := s.WordBits
	for i := range networks {
		n := &networks[i]
		for _, l := range n.Layers {
			if weights, activations, _ := l.Formats(n.Workload.Precision); bits > 0 && l.Op.HasMACs() {
				bits = max(bits, weights.Bits, activations.Bits)
			}
		}
	}
	return model.CeilDiv(bits, 8) * 8
}

// streamed returns the bytes that a layer without multiplications moves, in words
// of some bits: an element that is wider than a word takes its own width.
func streamed(l *workload.Layer, bits workload.Precision, word int64) int64 {
	in, out, stored, fused := l.InputBytes(bits), l.OutputBytes(bits), l.WeightBytes(bits), l.FusedBytes(bits)
	if word > 0 {
		words := *l
		words.WeightBits, words.OutputBits, bits.Activations = word, 0, word
		words.OwnElements, words.OwnBytes, words.InFormats = 0, 0, [2]number.Format{}
		in, out, stored, fused = max(in, words.InputBytes(bits)), max(out, words.OutputBytes(bits)), max(stored, words.WeightBytes(bits)), max(fused, words.FusedBytes(bits))
	}
	return in + out + stored - fused
}

// datapath is that of units without a network.
func (s *Spec) datapath() (d tech.Datapath) {
	work := tech.Default()
	if s.WordBits > 0 {
		work.Weights.Bits, work.Activations.Bits = s.WordBits, s.WordBits
	}
	d.Take(&work)
	return d
}

// needed is the datapath that shapes ask for.
func (s *Spec) needed(shapes []shape, views []view) (d tech.Datapath) {
	if s.WordBits > 0 || s.Splits {
		d = s.datapath()
	}
	for i := range shapes {
		if !shapes[i].vector {
			v := &views[shapes[i].view]
			d.Take(&v.work)
			d.Choices = max(d.Choices, v.block.Of-1)
		}
	}
	if d == (tech.Datapath{}) {
		d = s.datapath()
	}
	return d
}

// bytes returns what so many units are, in bytes.
func (v *view) bytes(units int64) int64 { return model.CeilDiv(units, v.perByte) }

// cost turns a cost into bytes.
func (v *view) cost(c *Cost) { c.OffChip = v.bytes(c.OffChip) }

// detail turns a cost by parts into bytes.
func (v *view) detail(d *Detail) {
	v.cost(&d.Cost)
	for i := range d.Bytes {
		d.Bytes[i].Value = v.bytes(d.Bytes[i].Value)
	}
}

// misfit turns what does not fit into bytes.
func (v *view) misfit(f *Misfit) {
	if f != nil && f.Unit == "B" {
		f.Need, f.Have = v.bytes(f.Need), v.bytes(f.Have)
	}
}

// mapped returns a layer's loops and the hierarchy in bytes.
func (v *view) mapped(p model.Problem, a model.Arch) *report.Mapped {
	if v.perByte > 1 {
		for o := range p.Bytes {
			p.Bytes[o] = v.bytes(p.Bytes[o])
		}
		p.PartialBytes = v.bytes(p.PartialBytes)
		for i := range a.Levels {
			l := &a.Level[i]
			l.Capacity, l.ReadRate, l.WriteRate = l.Capacity/v.perByte, l.ReadRate/v.perByte, l.WriteRate/v.perByte
			l.ReadPJ, l.WritePJ = l.ReadPJ*float64(v.perByte), l.WritePJ*float64(v.perByte)
		}
	}
	return &report.Mapped{Problem: p, Arch: a, Packed: v.perByte > 1}
}
