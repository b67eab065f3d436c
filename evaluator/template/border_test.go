package template

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"apollo/evaluator"
	"apollo/evaluator/frame"
	"apollo/evaluator/model"
	"apollo/evaluator/number"
	"apollo/evaluator/report"
	"apollo/evaluator/workload"
	"apollo/optimizer/space"
)

// graph is a random network in the making.
type graph struct {
	rng    *rand.Rand
	batch  int64
	bits   workload.Precision
	inputs []workload.Input
	layers []workload.Layer
}

type tensor struct {
	name    string
	side, k int64
	layer   int // that writes it, -1 for an input
}

func randomGraph(rng *rand.Rand) *graph {
	widths := []workload.Precision{
		{},
		{},
		{Weights: 4, Activations: 8},
		{Weights: 4, Activations: 4, Accumulators: 16},
		{Weights: 8, Activations: 8, WeightKind: number.Float, ActivationKind: number.Float},
		{Weights: 16, Activations: 16, WeightKind: number.Brain, ActivationKind: number.Brain},
	}
	g := &graph{rng: rng, batch: 1 + rng.Int64N(3), bits: widths[rng.IntN(len(widths))].WithDefaults()}
	g.input()
	for range 2 + rng.IntN(8) {
		g.add(len(g.layers), g.any(len(g.layers)))
	}
	return g
}

func (g *graph) input() tensor {
	t := tensor{fmt.Sprintf("x%d", len(g.inputs)), int64(1) << g.rng.IntN(6), 8 * (1 + g.rng.Int64N(16)), -1}
	g.inputs = append(g.inputs, workload.Input{Name: t.name, Shape: []int64{g.batch, t.side, t.side, t.k}})
	return t
}

// tensors are those that exist before a place in the order.
func (g *graph) tensors(before int) []tensor {
	var list []tensor
	for _, in := range g.inputs {
		if len(in.Shape) == 4 {
			list = append(list, tensor{in.Name, in.Shape[1], in.Shape[3], -1})
		}
	}
	for i := range before {
		if l := &g.layers[i]; l.P > 0 && l.P == l.Q {
			list = append(list, tensor{l.ID, l.P, l.K, i})
		}
	}
	return list
}

// any draws a tensor: now and then a new input.
func (g *graph) any(before int) tensor {
	if g.rng.IntN(5) == 0 {
		return g.input()
	}
	list := g.tensors(before)
	return list[g.rng.IntN(len(list))]
}

// add puts a random layer that reads a tensor in a place.
func (g *graph) add(at int, t tensor) {
	l := workload.Layer{ID: fmt.Sprintf("l%d", len(g.layers)), In: []string{t.name}}
	kind := g.rng.IntN(12)
	if t.k > 4096 {
		kind = 11 // a long view
	}
	switch kind {
	case 0, 1:
		l.Op, l.K, l.P, l.Q, l.R, l.S = workload.Conv, 8*(1+g.rng.Int64N(16)), t.side, t.side, 3, 3
	case 2:
		l.Op, l.K, l.P, l.Q, l.R, l.S = workload.DepthwiseConv, t.k, t.side, t.side, 3, 3
	case 3:
		l.Op, l.K = workload.GEMM, 8*(1+g.rng.Int64N(16))
	case 4:
		// A product with an input: the keys of an attention.
		in := workload.Input{Name: fmt.Sprintf("x%d", len(g.inputs)), Shape: []int64{g.batch, t.k, 1 + g.rng.Int64N(2048)}}
		g.inputs = append(g.inputs, in)
		l.Op, l.N, l.M, l.C, l.K, l.In = workload.MatMul, g.batch, t.side*t.side, t.k, in.Shape[2], append(l.In, in.Name)
	case 5:
		l.Op, l.N, l.P, l.Q, l.K = workload.View, g.batch, 1, 1, t.side*t.side*t.k
	case 6:
		// The states that a cell begins with come in too.
		l.Op, l.Fn, l.N, l.M, l.C, l.K = workload.RNN, "lstm", g.batch, t.side*t.side, t.k, 8*(1+g.rng.Int64N(8))
		for range 2 {
			in := workload.Input{Name: fmt.Sprintf("x%d", len(g.inputs)), Shape: []int64{g.batch, l.K}}
			g.inputs, l.In = append(g.inputs, in), append(l.In, in.Name)
		}
	case 7:
		// A cache that grows by what is new.
		past := 1 + g.rng.Int64N(512)
		in := workload.Input{Name: fmt.Sprintf("x%d", len(g.inputs)), Shape: []int64{g.batch, past, t.k}}
		g.inputs, l.In = append(g.inputs, in), []string{in.Name, t.name}
		l.Op, l.Fn, l.N, l.P, l.Q, l.K = workload.Copy, workload.Append, g.batch, 1, past+t.side*t.side, t.k
	case 8:
		// More outputs than inputs.
		step := 1 + g.rng.Int64N(3)
		l.Op, l.K, l.P, l.Q, l.R, l.S, l.Stride = workload.Deconv, 8*(1+g.rng.Int64N(4)), t.side*step, t.side*step, 3, 3, [2]int64{step, step}
	case 9:
		groups := []int64{1, 2, 4, 8}[g.rng.IntN(4)]
		if t.k%groups != 0 || t.k == groups {
			groups = 1
		}
		l.Op, l.K, l.P, l.Q, l.R, l.S, l.Groups = workload.Conv, groups*(1+g.rng.Int64N(8)), (t.side+1)/2, (t.side+1)/2, 3, 3, groups
		if groups > 1 {
			l.Op = workload.GroupConv
		}
		l.Stride, l.Dilation = [2]int64{2, 2}, [2]int64{1 + g.rng.Int64N(3), 1}
	case 10:
		l.Op, l.Fn, l.K, l.P, l.Q, l.R, l.S, l.Stride = workload.Pool, "max", t.k, (t.side+1)/2, (t.side+1)/2, 2, 2, [2]int64{2, 2}
	default:
		l.Op, l.P, l.Q, l.K, l.Fn = workload.Eltwise, t.side, t.side, t.k, "add"
		for _, o := range g.tensors(at) {
			if o.side == t.side && o.k == t.k && o.name != t.name && g.rng.IntN(2) == 0 {
				l.In = append(l.In, o.name)
			}
		}
	}
	if l.Op != workload.View && l.Fn != workload.Append && g.rng.IntN(5) == 0 {
		l.OutputBits = 16 << g.rng.IntN(2)
		l.OutputKind = []number.Kind{number.Int, number.Float}[g.rng.IntN(2)]
	}
	g.layers = slices.Insert(g.layers, at, l)
}

// workload returns the graph with its layers in the given order; nil means as
// they are.
func (g *graph) workload(t *testing.T, order []int) *workload.Workload {
	t.Helper()
	w := &workload.Workload{Name: "graph", Inputs: slices.Clone(g.inputs), Precision: g.bits}
	for i := range g.layers {
		l := g.layers[i]
		if order != nil {
			l = g.layers[order[i]]
		}
		w.Layers = append(w.Layers, l)
	}
	if err := w.Normalise(); err != nil {
		t.Fatal(err)
	}
	return w
}

// grown returns the graph with one layer more, which takes no output from the
// network: it reads an input, or what others read.
func (g *graph) grown() *graph {
	more := &graph{rng: g.rng, batch: g.batch, bits: g.bits, inputs: slices.Clone(g.inputs), layers: slices.Clone(g.layers)}
	at := g.rng.IntN(len(g.layers) + 1)
	read := func(t tensor) bool {
		return t.layer < 0 || slices.ContainsFunc(g.layers, func(l workload.Layer) bool { return slices.Contains(l.In, t.name) })
	}
	list := slices.DeleteFunc(more.tensors(at), func(t tensor) bool { return !read(t) })
	if g.rng.IntN(2) == 0 {
		list = []tensor{more.input()}
	}
	more.add(at, list[g.rng.IntN(len(list))])
	// An addition must not end other outputs.
	l := &more.layers[at]
	if l.Op == workload.Eltwise {
		l.In = l.In[:1]
	}
	return more
}

// shuffled returns another order in which every layer comes after what it reads.
func (g *graph) shuffled() []int {
	done := map[string]bool{}
	for _, in := range g.inputs {
		done[in.Name] = true
	}
	var order []int
	for len(order) < len(g.layers) {
		var ready []int
		for i := range g.layers {
			l := &g.layers[i]
			if !done[l.ID] && !slices.ContainsFunc(l.In, func(name string) bool { return !done[name] }) {
				ready = append(ready, i)
			}
		}
		next := ready[g.rng.IntN(len(ready))]
		done[g.layers[next].ID] = true
		order = append(order, next)
	}
	return order
}

func (g *graph) works() bool {
	return slices.ContainsFunc(g.layers, func(l workload.Layer) bool { return l.Op != workload.View })
}

// onGraphs calls f with random graphs on random designs of every template; other
// ones with APOLLO_SEED, and APOLLO_GRAPHS times as many.
func onGraphs(t *testing.T, f func(t *testing.T, x *frame.Spec, v []space.Value, g *graph) bool) {
	t.Helper()
	seed := fromEnv(t, "APOLLO_SEED", 12)
	times := int(fromEnv(t, "APOLLO_GRAPHS", 1))
	for _, x := range All() {
		t.Run(x.Name, func(t *testing.T) {
			t.Parallel()
			s, err := space.New(x.Template().Params...)
			if err != nil {
				t.Fatal(err)
			}
			rng := rand.New(rand.NewPCG(seed, 1))
			graphs := 40
			if x.Name == "edge" {
				graphs = 1500 // the one whose layers share what is on chip
			}
			graphs *= times
			checked := 0
			for range graphs {
				g, v := randomGraph(rng), s.Values(s.At(rng.Uint64N(s.Size())))
				for i := range x.Params {
					switch x.Params[i].Name { // small, so that some of it does not fit
					case "pe_memory":
						v[i].Num = float64(int64(256) << rng.IntN(10))
					case "instruction_memory":
						v[i].Num = float64(int64(512) << rng.IntN(5))
					}
				}
				if g.works() && f(t, x, v, g) {
					checked++
				}
			}
			t.Logf("%d of %d graphs checked", checked, graphs)
			if checked < graphs/10 {
				t.Errorf("only %d of %d graphs were checked", checked, graphs)
			}
		})
	}
}

func inspected(t *testing.T, x *frame.Spec, v []space.Value, w *workload.Workload) report.Design {
	t.Helper()
	r, err := x.Inspect([]evaluator.Network{{Workload: w, Weight: 1}}, report.Point{Values: v}, nil)
	if err != nil {
		t.Fatalf("%v: %v: %+v, %+v", v, err, w.Layers, w.Precision)
	}
	return r
}

// rounding is for the order of float additions.
const rounding = 1 + 1e-9

// A layer more never makes a network faster, wherever it stands and whatever it
// reads, nor cheaper while the other layers stay on the units that they had: the
// part of edge's array that takes the least time may take less energy.
func TestMoreLayersAreNotFaster(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes seconds")
	}
	onGraphs(t, func(t *testing.T, x *frame.Spec, v []space.Value, g *graph) bool {
		more := g.grown()
		before, after := inspected(t, x, v, g.workload(t, nil)), inspected(t, x, v, more.workload(t, nil))
		// A network without products has units of 8 bits, which may be wider than those
		// of the layer that comes.
		if !after.Feasible || !slices.ContainsFunc(g.layers, func(l workload.Layer) bool { return l.Op.HasMACs() }) {
			return false
		}
		if !before.Feasible {
			t.Fatalf("%v: infeasible without a layer (%s): %+v", v, before.Reason.Message, more.layers)
		}
		for _, name := range []string{"latency_s", "energy_j"} {
			if was, is := *before.Metrics.Of(name), *after.Metrics.Of(name); is*rounding < was && (name == "latency_s" || len(moved(before.Layers, after.Layers)) == 0) {
				t.Fatalf("%v: %s is %g with a layer more, %g without: %+v, before %+v", v, name, is, was, more.layers, g.layers)
			}
		}
		return true
	})
}

// moved returns the layers of which both have another mapping, or on another part of the array.
func moved(before, after []report.Layer) map[string]bool {
	list := map[string]bool{}
	for _, l := range before {
		at := slices.IndexFunc(after, func(o report.Layer) bool { return o.ID == l.ID })
		if after[at].Mapping != l.Mapping || after[at].Counts.Of("active_pes") != l.Counts.Of("active_pes") {
			list[l.ID] = true
		}
	}
	return list
}

// Every input that a layer reads and every output crosses the border, in every
// order of the layers; and the order changes no more of the latency than the
// transfers that can hide behind another layer: weights, program, inputs with
// several readers, and spills.
func TestOrderOfLayers(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes seconds")
	}
	onGraphs(t, func(t *testing.T, x *frame.Spec, v []space.Value, g *graph) bool {
		a, b := g.workload(t, nil), g.workload(t, g.shuffled())
		was, is := inspected(t, x, v, a), inspected(t, x, v, b)
		// What waits decides on mappings where it does not fit, and so on programs.
		if !was.Feasible || !is.Feasible {
			return false
		}
		for i, r := range []report.Design{was, is} {
			var weights int64
			for at := range a.Layers {
				weights += a.Layers[at].WeightBytes(a.Precision)
			}
			// What windows leave out crosses on edge alone.
			if n, want := &r.Networks[0], weights+crossing([]*workload.Workload{a, b}[i], x.Name == "edge"); n.OffChipBytes < want {
				t.Fatalf("%v: %d B cross, weights, inputs and outputs have %d: %+v", v, n.OffChipBytes, want, g.layers)
			}
			if c := r.Networks[0].Crossing; x.Name == "edge" {
				if moved := c.Of("inputs") + c.Of("outputs"); moved != crossing(a, true) || c.Of("weights") != weights {
					t.Fatalf("%v: %d B of inputs and outputs and %d of weights cross, the tensors have %d and %d: %+v", v, moved, c.Of("weights"), crossing(a, true), weights, g.layers)
				}
			}
			least := float64(r.Networks[0].OffChipBytes) / float64(r.IOBandwidth)
			if took := *r.Networks[0].Metrics.Of("latency_s"); took*rounding < least {
				t.Fatalf("%v: %g s, the interface alone takes %g: %+v", v, took, least, g.layers)
			}
		}
		old, now := &was.Networks[0], &is.Networks[0]
		// The program is that of the part of the array that the network had: another one is no slower.
		free := now.Crossing.Of("weights") + old.Crossing.Of("program") + now.Crossing.Of("spills") + shared(a)
		// Layers that another part has now would spill there what waits: out and back.
		free += 2 * waits(b, moved(was.Layers, is.Layers))
		if len(now.Crossing) == 0 {
			free = 0 // nothing hides, nothing spills
		}
		slack := float64(free)/float64(is.IOBandwidth) + float64(len(g.layers))/float64(is.ClockHz)
		if t0, t1 := *old.Metrics.Of("latency_s"), *now.Metrics.Of("latency_s"); t1 > t0*rounding+slack {
			t.Fatalf("%v: %g s in another order, %g before, the transfers allow %g: %+v", v, t1, t0, slack, g.layers)
		}
		for _, part := range []string{"inputs", "outputs", "weights"} {
			if old.Crossing.Of(part) != now.Crossing.Of(part) {
				t.Fatalf("%v: %s are %d B, in another order %d: %+v", v, part, old.Crossing.Of(part), now.Crossing.Of(part), g.layers)
			}
		}
		return true
	})
}

// Templates without a memory for activations move every tensor of a layer at
// least once, biases too.
func TestEveryTensorOfALayerCrosses(t *testing.T) {
	t.Parallel()
	onGraphs(t, func(t *testing.T, x *frame.Spec, v []space.Value, g *graph) bool {
		if x.Name == "edge" {
			return true // TestOrderOfLayers
		}
		w := g.workload(t, nil)
		r := inspected(t, x, v, w)
		if !r.Feasible {
			return false
		}
		for _, got := range r.Layers {
			at := slices.IndexFunc(w.Layers, func(l workload.Layer) bool { return l.ID == got.ID })
			l := w.Layers[at]
			if skips(&l) {
				continue // inputs: TestEveryElementCrossesOnce
			}
			if moved, want := got.Bytes.Of(report.OffChip), l.InputBytes(w.Precision)+l.OutputBytes(w.Precision)+l.WeightBytes(w.Precision); moved < want {
				t.Errorf("%v: layer %+v moves %d B, its tensors have %d", v, l, moved, want)
			}
			// Words of eyeriss are as wide as the widest operand of the network.
			if listed, ok := accessed(&got); ok && x.Name != "eyeriss" && listed != got.Bytes.Of(report.OffChip) {
				t.Errorf("%v: layer %+v lists accesses of %d B off chip and moves %d: %+v", v, l, listed, got.Bytes.Of(report.OffChip), got.Accesses)
			}
		}
		return true
	})
}

// accessed returns the bytes of a layer's accesses off chip, where it lists them and
// elements have whole bytes.
func accessed(l *report.Layer) (bytes int64, ok bool) {
	if l.Mapped == nil || l.Mapped.Packed {
		return 0, false
	}
	p := &l.Mapped.Problem
	for _, x := range l.Accesses {
		if x.Level != l.Mapped.Arch.Level[0].Name {
			continue
		}
		ok = true
		for o := range model.Operands {
			switch {
			case x.Operand != o.String():
			case o == model.Outputs:
				bytes += (x.Updates-x.Reads)*p.Bytes[o] + 2*x.Reads*p.PartialBytes
			default:
				bytes += x.Reads * p.Bytes[o]
			}
		}
	}
	return bytes, ok
}

// Accesses off chip are those that cross: with the outputs of a transposed convolution
// and the state of cells that loops do not know, and without what is fused.
func TestAccessesOffChip(t *testing.T) {
	t.Parallel()
	const head = "{schema: apollo.workload/v1, name: border, inputs: [{name: x, shape: [1, 8, 8, 16]}, {name: h, shape: [1, 8]}, {name: c, shape: [1, 8]}], layers: ["
	for layers, want := range map[string]report.Access{
		"{id: u, op: deconv, K: 8, P: 16, Q: 16, R: 2, S: 2, stride: [2, 2], in: [x]}":                          {Operand: "outputs", Updates: 16 * 16 * 8},
		"{id: u, op: rnn, fn: lstm, N: 1, M: 64, C: 16, K: 8, in: [x, h, c]}":                                   {Operand: "inputs", Reads: 64*(16+8) + 8},
		"{id: s, op: matmul, N: 1, M: 8, C: 128, K: 8, in: [x, x], fused: true}, {id: u, op: softmax, in: [s]}": {Operand: "outputs"},
	} {
		w, err := workload.Parse("border.yaml", []byte(head+layers+"]}"))
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range All() {
			r := inspected(t, x, x.Template().Baseline, w)
			l := &r.Layers[0]
			listed, ok := accessed(l)
			if x.Name == "edge" || !ok {
				continue // what crosses is of the network, or is not listed
			}
			if listed != l.Bytes.Of(report.OffChip) {
				t.Errorf("%s: %s: accesses of %d B, %d B cross", x.Name, layers, listed, l.Bytes.Of(report.OffChip))
			}
			want.Level = l.Mapped.Arch.Level[0].Name
			if !slices.Contains(l.Accesses, want) {
				t.Errorf("%s: %s: %+v, want %+v", x.Name, layers, l.Accesses, want)
			}
		}
	}
}

// Words of eyeriss are as wide as the widest operand of the network, and accesses are counted in them.
func TestAccessesOfWideWords(t *testing.T) {
	t.Parallel()
	x, _ := Named("eyeriss")
	w, err := workload.Parse("wide.yaml", []byte("{schema: apollo.workload/v1, name: wide, precision: {weights: 32}, inputs: [{name: x, shape: [1, 7, 7, 4]}], layers: [{id: c, op: conv, K: 4, P: 7, Q: 7, R: 3, S: 3, in: [x]}]}"))
	if err != nil {
		t.Fatal(err)
	}
	r := inspected(t, x, x.Template().Baseline, w)
	l := &r.Layers[0]
	want := report.Access{Level: l.Mapped.Arch.Level[0].Name, Operand: "inputs", Reads: 7 * 7 * 4}
	if !slices.Contains(l.Accesses, want) {
		t.Errorf("%+v, want %+v", l.Accesses, want)
	}
	words := int64(0)
	for _, a := range l.Accesses {
		if a.Level == want.Level {
			words += a.Reads + a.Updates
		}
	}
	if bytes := l.Bytes.Of(report.OffChip); 4*words != bytes {
		t.Errorf("accesses of %d words of 4 B, %d B cross", words, bytes)
	}
}

// What is padding is no tensor's: it does not cross.
func TestPaddingStaysInside(t *testing.T) {
	t.Parallel()
	const (
		head = "{schema: apollo.workload/v1, name: padded, precision: {weights: 16, activations: 16}, inputs: [{name: x, shape: [1, 8, 8, 16]}], layers: ["
		in   = 8 * 8 * 16
	)
	for layer, elements := range map[string]int64{ // a bias has two words
		"{id: y, op: conv, K: 4, P: 8, Q: 8, R: 3, S: 3, in: [x]}":                     in + 9*16*4 + 2*4 + 8*8*4,
		"{id: y, op: conv, K: 4, P: 4, Q: 4, R: 3, S: 3, stride: [2, 2], in: [x]}":     in + 9*16*4 + 2*4 + 4*4*4,
		"{id: y, op: conv, K: 4, P: 8, Q: 8, R: 3, S: 3, dilation: [2, 2], in: [x]}":   in + 9*16*4 + 2*4 + 8*8*4,
		"{id: y, op: gconv, K: 32, C: 8, P: 8, Q: 8, R: 5, S: 5, groups: 2, in: [x]}":  in + 25*8*32 + 2*32 + 8*8*32,
		"{id: y, op: dwconv, K: 16, P: 8, Q: 8, R: 3, S: 3, in: [x]}":                  in + 9*16 + 2*16 + in,
		"{id: y, op: conv, K: 4, P: 6, Q: 6, R: 3, S: 3, in: [x]}":                     in + 9*16*4 + 2*4 + 6*6*4,
		"{id: y, op: deconv, K: 4, P: 16, Q: 16, R: 2, S: 2, stride: [2, 2], in: [x]}": in + 4*16*4 + 2*4 + 16*16*4,
	} {
		w, err := workload.Parse("padded.yaml", []byte(head+layer+"]}"))
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range All() {
			if x.Name == "edge" {
				continue // TestOrderOfLayers
			}
			l := inspected(t, x, x.Template().Baseline, w).Layers[0]
			// Where it takes no time these mappers bring inputs again.
			again := x.Name == "spatial" || x.Name == "shidiannao"
			if got := l.Bytes.Of(report.OffChip); got < 2*elements || got > 2*elements && !again {
				t.Errorf("%s: %s: %d B cross, the tensors have %d", x.Name, layer, got, 2*elements)
			}
			if listed, ok := accessed(&l); ok && listed != l.Bytes.Of(report.OffChip) {
				t.Errorf("%s: %s: accesses of %d B, %d B cross", x.Name, layer, listed, l.Bytes.Of(report.OffChip))
			}
		}
	}
}

// skips reports whether windows may leave rows or columns of the inputs out.
func skips(l *workload.Layer) bool {
	for i, taps := range [...]int64{l.R, l.S} {
		if l.Stride[i] > taps || l.Stride[i] > 1 && l.Dilation[i] > 1 {
			return true
		}
	}
	return false
}

// windowed returns the bytes that the windows of a layer read of an input: the share of
// its positions, and nothing where more was appended to the input than the layer need read.
func windowed(l *workload.Layer, bytes, owned int64) int64 {
	rows, _ := readRows(l.P, l.R, l.H, l.Stride[0], l.Dilation[0])
	columns, _ := readRows(l.Q, l.S, l.W, l.Stride[1], l.Dilation[1])
	left := bytes - bytes*int64(len(rows)*len(columns))/(l.H*l.W)
	return max(owned-left, 0)
}

// crossing returns the bytes of the inputs that a layer reads and of the outputs,
// found from the names alone; of an input of which all windows leave something out, what the
// layer that reads most of it reads, unless all counts.
func crossing(w *workload.Workload, all bool) (bytes int64) {
	owner := map[string]string{}
	size := map[string]int64{}
	read, seen := map[string]int64{}, map[string]bool{}
	for _, in := range w.Inputs {
		owner[in.Name], size[in.Name] = in.Name, inputBytes(w, &in)
	}
	for i := range w.Layers {
		l := &w.Layers[i]
		for at, name := range l.In {
			seen[name] = true
			if l.Op == workload.View || l.Fn == workload.Append && at == 0 {
				continue // stays where it is
			}
			part := size[owner[name]]
			if !all && skips(l) {
				part = windowed(l, size[name], part)
			}
			read[owner[name]] = max(read[owner[name]], part)
		}
		owner[l.ID], size[l.ID] = l.ID, l.OutputBytes(w.Precision)
		switch {
		case l.Fn == workload.Append: // which moves what is new, whoever reads it
			bytes += size[l.ID]
			fallthrough
		case l.Op == workload.View:
			owner[l.ID] = owner[l.In[0]]
		}
	}
	counted := map[string]bool{}
	count := func(name string, n int64) {
		if !counted[name] {
			counted[name] = true
			bytes += n
		}
	}
	for _, in := range w.Inputs {
		count(in.Name, read[in.Name])
	}
	for i := range w.Layers {
		if id := w.Layers[i].ID; !seen[id] {
			count(owner[id], size[owner[id]])
		}
	}
	return bytes
}

// waits returns the bytes that wait beside some layers, each once as long as it does not stop to wait.
func waits(w *workload.Workload, beside map[string]bool) (bytes int64) {
	known := int64(0)
	for i, l := range w.Lives() {
		if known = min(known, l.Waiting); beside[w.Layers[i].ID] {
			bytes += l.Waiting - known
			known = l.Waiting
		}
	}
	return bytes
}

// shared returns the bytes of inputs that several layers read, also as a view or with what is
// appended to them: any of these may be the first.
func shared(w *workload.Workload) (bytes int64) {
	of, readers := map[string]string{}, map[string]int{}
	for _, in := range w.Inputs {
		of[in.Name] = in.Name
	}
	for i := range w.Layers {
		l := &w.Layers[i]
		read := l.In
		switch {
		case l.Fn == workload.Append:
			read = l.In[1:]
			fallthrough
		case l.Op == workload.View:
			of[l.ID] = of[l.In[0]]
		}
		if l.Op == workload.View {
			continue
		}
		seen := map[string]bool{"": true}
		for _, name := range read {
			if in := of[name]; !seen[in] {
				seen[in] = true
				readers[in]++
			}
		}
	}
	for _, in := range w.Inputs {
		if readers[in.Name] > 1 {
			bytes += inputBytes(w, &in)
		}
	}
	return bytes
}

// inputBytes is the size of an input, in the network's format.
func inputBytes(w *workload.Workload, in *workload.Input) int64 {
	n := w.Precision.Activations
	for _, d := range in.Shape {
		n *= d
	}
	return (n + 7) / 8
}

// A cache of keys crosses the border wherever its reader stands.
func TestSecondInputCrosses(t *testing.T) {
	t.Parallel()
	w, err := workload.Parse("kv.yaml", []byte(`{schema: apollo.workload/v1, name: kv,
inputs: [{name: x, shape: [1, 64]}, {name: kv, shape: [1, 64, 4096]}], layers: [
{id: q, op: gemm, K: 64, in: [x]}, {id: s, op: matmul, N: 1, M: 1, C: 64, K: 4096, in: [q, kv]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range All() {
		r := inspected(t, x, x.Template().Baseline, w)
		const least = 64 + 64*4096 + 64*64 + 4096 // x, kv, weights and what is read of them
		if !r.Feasible || r.Networks[0].OffChipBytes < least {
			t.Errorf("%s: %+v, %d B cross the border, want at least %d", x.Name, r.Reason, r.Networks[0].OffChipBytes, least)
		}
	}
}
