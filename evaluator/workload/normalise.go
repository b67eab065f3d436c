package workload

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"unicode"
	"unicode/utf8"

	"apollo/evaluator/number"
)

// Limits that keep a hostile table from costing memory or wrapping a count.
const (
	maxLayers   = 100_000
	maxRank     = 8
	maxDim      = 1<<31 - 1
	maxElements = 1 << 40 // of one tensor, or of one layer's weights
	maxMACs     = 1 << 62 // of the whole network
	maxBits     = 64
	maxName     = 256
)

// Normalise fills every field that follows from others (schema, widths, N, H,
// W, groups, shapes of operations that keep or combine their inputs) and
// checks the network. It returns every mistake, each naming the layer and what
// to write instead; the workload is usable only when the error is nil.
// Normalising twice changes nothing.
func (w *Workload) Normalise() error {
	if w.Schema == "" {
		w.Schema = schema
	}
	w.Precision = w.Precision.WithDefaults()
	if err := w.checkHeader(); err != nil {
		return err
	}
	n := normaliser{
		shapes: make(map[string]shape, len(w.Inputs)+len(w.Layers)), formats: map[string]number.Format{}, fused: map[string]bool{},
	}
	for i := range w.Inputs {
		n.input(i, w.Inputs[i])
	}
	for i := range w.Layers {
		n.layer(i, &w.Layers[i])
	}
	for i := range w.Layers {
		if n.fused[w.Layers[i].ID] {
			n.errs = append(n.errs, fmt.Errorf("layer %d (%q): it is fused, but no layer reads it: remove fused", i, w.Layers[i].ID))
		}
	}
	if w.Decode != nil {
		n.errs = append(n.errs, w.normaliseDecode())
	}
	return errors.Join(n.errs...)
}

func (w *Workload) checkHeader() error {
	switch {
	case w.Schema != schema:
		return fmt.Errorf("workload %q: schema is %q, this program reads %q", w.Name, w.Schema, schema)
	case checkName(w.Name) != nil:
		return fmt.Errorf("workload name %q: %w", w.Name, checkName(w.Name))
	case len(w.Inputs) == 0:
		return fmt.Errorf("workload %q has no inputs: add inputs: [{name: image, shape: [1, 224, 224, 3]}]", w.Name)
	case len(w.Layers) == 0:
		return fmt.Errorf("workload %q has no layers", w.Name)
	case len(w.Layers) > maxLayers || len(w.Inputs) > maxLayers:
		return fmt.Errorf("workload %q has %d inputs and %d layers, the limit is %d", w.Name, len(w.Inputs), len(w.Layers), maxLayers)
	}
	if err := w.Precision.check(); err != nil {
		return fmt.Errorf("workload %q: %w", w.Name, err)
	}
	return nil
}

func checkName(s string) error {
	switch {
	case s == "":
		return errors.New("is empty")
	case len(s) > maxName:
		return fmt.Errorf("is longer than %d bytes", maxName)
	case !utf8.ValidString(s):
		return errors.New("is not UTF-8")
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return fmt.Errorf("holds the unprintable character %U", r)
		}
	}
	return nil
}

// normaliser walks the layers in order and knows the shape of every tensor
// that exists so far. A shape that could not be found is kept as the zero
// shape, so that one mistake is reported once.
type normaliser struct {
	shapes map[string]shape
	// formats are those of outputs that are not in the network's.
	formats map[string]number.Format
	fused   map[string]bool // layers whose output is fused and not read yet
	errs    []error
	macs    int64
}

func (n *normaliser) input(i int, in Input) {
	fail := func(format string, args ...any) {
		n.errs = append(n.errs, fmt.Errorf("input %d (%q): "+format, append([]any{i, in.Name}, args...)...))
	}
	if err := checkName(in.Name); err != nil {
		fail("the name %w", err)
		return
	}
	if _, used := n.shapes[in.Name]; used {
		fail("the name is used twice")
		return
	}
	n.shapes[in.Name] = shape{}
	if len(in.Shape) == 0 || len(in.Shape) > maxRank {
		fail("the shape has %d dimensions, want 1 to %d", len(in.Shape), maxRank)
		return
	}
	for _, d := range in.Shape {
		if d < 1 || d > maxDim {
			fail("the shape %v has the dimension %d, want 1 to %d", in.Shape, d, int64(maxDim))
			return
		}
	}
	if _, ok := product(maxElements, in.Shape...); !ok {
		fail("the shape %v has more than 2^40 elements", in.Shape)
		return
	}
	n.shapes[in.Name] = shapeOf(in.Shape)
}

func (n *normaliser) layer(i int, l *Layer) {
	fail := func(err error) {
		n.errs = append(n.errs, fmt.Errorf("layer %d (%q, %s): %w", i, l.ID, l.Op, err))
	}
	if err := checkName(l.ID); err != nil {
		fail(fmt.Errorf("the id %w", err))
		return
	}
	if _, used := n.shapes[l.ID]; used {
		fail(errors.New("the id is used twice"))
		return
	}
	ins, err := n.inputsOf(l)
	n.shapes[l.ID] = shape{}
	if err != nil {
		fail(err)
		return
	}
	if slices.Contains(ins, shape{}) {
		return // its producer has been reported
	}
	if err := l.complete(ins); err != nil {
		fail(err)
		return
	}
	if err := n.count(l); err != nil {
		fail(err)
		return
	}
	if err := n.read(l); err != nil {
		fail(err)
		return
	}
	n.shapes[l.ID] = l.outShape()
	if l.Fused {
		n.fused[l.ID] = true
	}
}

func (n *normaliser) inputsOf(l *Layer) ([]shape, error) {
	if len(l.In) == 0 {
		return nil, errors.New("reads nothing: write in: [name], the inputs or earlier layers that it reads")
	}
	ins := make([]shape, len(l.In))
	for i, name := range l.In {
		s, ok := n.shapes[name]
		if !ok {
			return nil, fmt.Errorf("reads %q, which is neither an input nor an earlier layer", name)
		}
		ins[i] = s
	}
	return ins, nil
}

// count checks that no count of the layer or of the network so far overflows.
func (n *normaliser) count(l *Layer) error {
	out := l.outShape()
	if _, ok := product(maxElements, out.n, out.p, out.q, out.k); !ok {
		return errors.New("the output has more than 2^40 elements")
	}
	k := l.K
	c := max(l.C, 1)
	if l.Op == RNN {
		k, c = l.gates()*l.K, l.C+l.K
	}
	if _, ok := product(maxElements, max(k, 1), c, max(l.R, 1), max(l.S, 1)); !ok || max(l.Const, l.Idle) > maxElements {
		return errors.New("the weights have more than 2^40 elements")
	}
	if w := l.WeightElements(); l.BorrowedElements < 0 || l.BorrowedElements > w {
		return fmt.Errorf("borrowed_elements is %d, want 0 to the layer's %d weights", l.BorrowedElements, w)
	}
	dims := []int64{max(l.N, 1), max(l.M, 1), max(k, 1), c, max(l.P, l.H, 1), max(l.Q, l.W, 1), max(l.R, 1), max(l.S, 1)}
	if !l.Op.HasMACs() {
		return nil
	}
	if _, ok := product(maxMACs, dims...); !ok || l.MACs() > maxMACs-n.macs {
		return errors.New("the network has more than 2^62 MACs")
	}
	n.macs += l.MACs()
	return nil
}

// read fills what follows from the inputs of a layer.
func (n *normaliser) read(l *Layer) error {
	l.InElements, l.FusedElements, l.FusedIn, l.Shared = 0, 0, [2]bool{}, 0
	l.InFormats, l.OwnElements, l.OwnBytes = [2]number.Format{}, 0, 0
	for i, name := range l.In {
		own := n.formats[name]
		if i < len(l.InFormats) {
			l.InFormats[i] = own
		}
		if slices.Index(l.In, name) < i {
			continue
		}
		size := n.shapes[name].elements()
		if l.appends() && i == 0 {
			continue // stays where it is
		}
		l.InElements += size
		if own.Bits > 0 {
			l.OwnElements, l.OwnBytes = l.OwnElements+size, l.OwnBytes+bytesOf(size, own.Bits)
		}
		switch waiting, fused := n.fused[name]; {
		case !fused:
		case !waiting:
			return fmt.Errorf("reads %q, which is fused into another layer already: a fused layer has one reader", name)
		case i >= len(l.FusedIn) || l.Op.HasWeights() && l.Op != GEMM:
			return fmt.Errorf("reads %q, which is fused: a product or a layer without window reads fused tensors, as its first or second input", name)
		default:
			n.fused[name], l.FusedIn[i] = false, true
			l.FusedElements += size
		}
	}
	if l.Op == View {
		n.formats[l.ID] = l.InFormats[0]
	} else if l.OutputBits > 0 {
		n.formats[l.ID] = number.Format{Kind: l.OutputKind, Bits: l.OutputBits}
	}
	if l.Op == MatMul {
		l.Shared = l.N * l.C * l.K / max(n.shapes[l.In[1]].elements(), 1)
	}
	return nil
}

// product multiplies positive numbers; ok is false above limit.
func product(limit int64, dims ...int64) (int64, bool) {
	p := uint64(1)
	for _, d := range dims {
		hi, lo := bits.Mul64(p, uint64(d))
		if d < 0 || hi != 0 || lo > uint64(limit) {
			return 0, false
		}
		p = lo
	}
	return int64(p), true
}
