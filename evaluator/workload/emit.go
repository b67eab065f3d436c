package workload

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"apollo/evaluator/workload/graph"
)

// viewKey is a tensor under a shape.
type viewKey struct {
	t    int
	size shape
}

// emit appends one layer for every live node.
func (l *lowering) emit() error {
	for i := range l.g.Nodes {
		if t := l.g.Nodes[i].Weights; t > 0 && !l.dead[i] {
			l.products[l.g.Stored(t-1)] = true
		}
	}
	for _, t := range l.g.Inputs {
		if l.uses[l.root(t)] > 0 && l.places[t].id == "" && l.alias[t] == t {
			l.input(t)
		}
	}
	for i := range l.g.Nodes {
		n := &l.g.Nodes[i]
		if l.dead[i] || len(n.Out) == 0 {
			continue
		}
		if len(l.w.Layers) >= maxLayers {
			return fmt.Errorf("the model has more than %d layers", maxLayers)
		}
		for _, t := range n.Out {
			if graph.CheckShape(l.g.Shape(t)) != nil || l.g.Elements(t) == 0 {
				return nodeError(n, "its output %q has no elements (%v)", l.g.Tensors[t].Name, l.g.Shape(t))
			}
		}
		weights, recurrent := l.elsewhere(n.Weights, n.Part), l.elsewhere(n.Recurrent, n.Part)
		l.borrowed = weights && (recurrent || n.Recurrent == 0)
		l.borrowedInputs, l.borrowedStates = weights && !l.borrowed, recurrent && !l.borrowed
		l.borrowedBias = l.elsewhere(n.Biases, n.Part)
		if err := l.node(n); err != nil {
			return err
		}
	}
	if len(l.w.Layers) == 0 {
		return fmt.Errorf("the model has no layers: all its %d operations work on constants or only rename", l.g.Ops)
	}
	l.leave()
	return nil
}

// elsewhere reports whether a part of a tensor, which is given plus 1, is no parameter of
// who reads it: it is computed, or another layer counts it. Otherwise that is now counted.
func (l *lowering) elsewhere(tensor int, which int64) bool {
	if tensor == 0 {
		return false
	}
	if !l.isConst(tensor - 1) {
		return true
	}
	p := part{l.g.Stored(tensor - 1), which}
	was := l.counted[p]
	l.counted[p] = true
	return was
}

// leave gives an output of the network that a layer reads too a view that nobody
// reads: so it leaves the chip. What grows where it is has done so already.
func (l *lowering) leave() {
	read, made := map[string]bool{}, map[string]bool{}
	for i := range l.w.Layers {
		y := &l.w.Layers[i]
		made[y.ID] = !y.appends()
		for _, id := range y.In {
			read[id] = true
		}
	}
	for _, t := range l.g.Outputs {
		p := l.places[l.root(t)]
		if read[p.id] && made[p.id] {
			v := Layer{Op: View}
			v.setShape(p.size)
			l.add(l.g.Tensors[t].Name+".output", v, p.id)
			made[p.id] = false
		}
	}
}

// input adds a tensor from outside.
func (l *lowering) input(t int) {
	s := l.dims(t)
	id := l.id(l.g.Tensors[t].Name)
	l.w.Inputs = append(l.w.Inputs, Input{Name: id, Shape: []int64{s.n, s.p, s.q, s.k}})
	l.places[t] = place{id, s}
}

// id makes a name printable and unique.
func (l *lowering) id(name string) string {
	name = printable(name)
	if name == "" {
		name = "layer"
	}
	id := name
	for i := len(l.w.Layers); l.ids[id]; i++ {
		id = name + "#" + strconv.Itoa(i)
	}
	l.ids[id] = true
	return id
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(s, "_"))
}

// at returns where an operand is. A constant that is data and not weights
// comes from outside, like an input.
func (l *lowering) at(t int) place {
	t = l.root(t)
	if l.places[t].id == "" {
		l.input(t)
	}
	return l.places[t]
}

// as returns the name of an operand under the given shape, through a view
// where it has another.
func (l *lowering) as(n *graph.Node, t int, want shape) (string, error) {
	have := l.at(t)
	if have.size == want {
		return have.id, nil
	}
	if have.size.elements() != want.elements() {
		return "", nodeError(n, "reads %v where its shape says %v", have.size, want)
	}
	key := viewKey{l.root(t), want}
	if id, ok := l.views[key]; ok {
		return id, nil
	}
	v := Layer{Op: View}
	v.setShape(want)
	id := l.add(n.Name+".view", v, have.id)
	l.views[key] = id
	return id, nil
}

// add appends a layer and returns its id.
func (l *lowering) add(name string, y Layer, in ...string) string {
	y.ID, y.In = l.id(name), in
	if y.Op.HasWeights() {
		if y.Borrowed, y.BorrowedBias = l.borrowed, l.borrowedBias && !y.NoBias; y.Borrowed {
			y.Idle = 0
		}
		if y.Op == RNN && l.borrowedInputs {
			y.BorrowedElements = y.gates() * y.K * y.C
		} else if y.Op == RNN && l.borrowedStates {
			y.BorrowedElements = y.gates() * y.K * y.K
		}
	}
	if y.Op != View {
		y.OutputBits = l.bits
	}
	l.w.Layers = append(l.w.Layers, y)
	return y.ID
}

// write appends the layer of a node and says that its first output is there.
// Other outputs are copied from it.
func (l *lowering) write(n *graph.Node, y Layer, in ...string) {
	id := l.add(n.Name, y, in...)
	l.places[l.root(n.Out[0])] = place{id, y.outShape()}
	for _, t := range n.Out[1:] {
		if l.uses[l.root(t)] == 0 {
			continue
		}
		part := Layer{Op: Copy, Fn: "slice"}
		part.setShape(l.dims(t))
		l.bits = l.g.Tensors[l.root(t)].Bits
		l.places[l.root(t)] = place{l.add(n.Name+".part", part, id), l.dims(t)}
	}
}

func (l *lowering) node(n *graph.Node) error {
	l.bits = l.g.Tensors[l.root(n.Out[0])].Bits
	switch n.Op {
	case graph.Conv, graph.Deconv:
		return l.conv(n)
	case graph.Pool:
		return l.pool(n)
	case graph.Dense:
		return l.dense(n)
	case graph.MatMul:
		return l.matMul(n)
	case graph.RNN:
		d := n.Dims
		x, err := l.as(n, n.In[0], shape{d.N, 1, d.M, d.C})
		if err != nil {
			return err
		}
		in := []string{x}
		for _, t := range n.In[1:] {
			in = append(in, l.at(t).id)
		}
		l.write(n, Layer{Op: RNN, Fn: n.Fn, N: d.N, M: d.M, K: d.K, C: d.C, NoBias: !n.Bias, WeightBits: n.WeightBits}, in...)
		return nil
	case graph.Eltwise:
		return l.eltwise(n)
	}
	return l.vector(n)
}

// dense is a product with constant weights. Different weights for each of N
// products are a convolution in N groups.
func (l *lowering) dense(n *graph.Node) error {
	d := n.Dims
	if d.N <= 1 {
		have := l.at(n.In[0])
		if _, ok := product(maxElements, d.M, d.C); !ok || have.size.elements() != d.M*d.C {
			return nodeError(n, "reads %v where its shape says %d x %d", have.size, d.M, d.C)
		}
		l.write(n, Layer{Op: GEMM, M: d.M, K: d.K, C: d.C, Act: n.Act, NoBias: !n.Bias, WeightBits: n.WeightBits, Idle: n.Idle, ScaleBytes: n.ScaleBytes}, have.id)
		return nil
	}
	for _, p := range [][2]int64{{d.N, d.C}, {d.N, d.K}} {
		if _, ok := product(maxDim, p[0], p[1]); !ok {
			return nodeError(n, "%d products of %d are outside the limits", p[0], p[1])
		}
	}
	x, err := l.as(n, n.In[0], shape{1, 1, d.M, d.N * d.C})
	if err != nil {
		return err
	}
	y := Layer{
		Op: GroupConv, N: 1, K: d.N * d.K, C: d.C, P: 1, Q: d.M, R: 1, S: 1, H: 1, W: d.M, Groups: d.N,
		Stride: [2]int64{1, 1}, Dilation: [2]int64{1, 1}, Act: n.Act, NoBias: !n.Bias, WeightBits: n.WeightBits, Idle: n.Idle,
		ScaleBytes: n.ScaleBytes,
	}
	if d.C == 1 {
		y.Op = DepthwiseConv
	}
	l.write(n, y, x)
	return nil
}

func (l *lowering) matMul(n *graph.Node) error {
	d := n.Dims
	a, b := l.at(n.In[0]), l.at(n.In[1])
	if p, ok := product(maxElements, d.N, d.M, d.C); !ok || a.size.elements() != p { // shared by several products
		a.id = l.spread(n, a, shape{d.N, 1, d.M, d.C})
	}
	if p, ok := product(maxElements, d.N, d.C, d.K); !ok || p%b.size.elements() != 0 {
		b.id = l.spread(n, b, shape{d.N, 1, d.C, d.K})
	}
	l.write(n, Layer{Op: MatMul, N: d.N, M: d.M, K: d.K, C: d.C, Act: n.Act, Fused: l.fused(n)}, a.id, b.id)
	return nil
}

// fused reports whether the output of a node goes on without becoming a tensor:
// one that something else reads too is one.
func (l *lowering) fused(n *graph.Node) bool { return n.Fused && l.uses[l.root(n.Out[0])] == 1 }

// spread repeats an operand to a larger shape.
func (l *lowering) spread(n *graph.Node, from place, to shape) string {
	y := Layer{Op: Copy, Fn: "tile"}
	y.setShape(to)
	return l.add(n.Name+".tile", y, from.id)
}

// eltwise lines its operands up at their last dimensions.
func (l *lowering) eltwise(n *graph.Node) error {
	variable, constant := l.operands(n)
	out := l.g.Shape(n.Out[0])
	want := l.arrange(out)
	y := Layer{Op: Eltwise, Fn: n.Fn, Act: n.Act}
	y.setShape(want)
	y.Borrowed = len(constant) > 0
	for _, t := range constant {
		own := !l.products[l.g.Stored(t)] && !l.elsewhere(t+1, 0)
		y.Borrowed = y.Borrowed && !own
		y.Const += l.g.Elements(t)
		y.WeightBits = max(y.WeightBits, l.g.Tensors[t].Bits)
	}
	var in []string
	var shapes []shape
	for _, t := range variable {
		s := l.g.Shape(t)
		aligned := s
		if len(s) < len(out) {
			aligned = slices.Concat(slices.Repeat([]int64{1}, len(out)-len(s)), s)
		}
		id, err := l.as(n, t, l.arrange(aligned))
		if err != nil {
			return err
		}
		in, shapes = append(in, id), append(shapes, l.arrange(aligned))
	}
	if len(in) == 0 {
		return nodeError(n, "reads nothing but constants")
	}
	if !combines(shapes, want) {
		for i, s := range shapes {
			if s != want {
				in[i] = l.spread(n, place{in[i], s}, want)
			}
		}
	}
	l.write(n, y, in...)
	return nil
}

// combines reports whether an Eltwise over shapes gives want.
func combines(shapes []shape, want shape) bool {
	out := shapes[0]
	for _, s := range shapes[1:] {
		if s.elements() == out.elements() {
			continue
		}
		var ok bool
		if out, ok = broadcast(out, s); !ok {
			return false
		}
	}
	return out == want
}

// vector is every operation without window and weights.
func (l *lowering) vector(n *graph.Node) error {
	variable, constant := l.operands(n)
	y := Layer{Fn: n.Fn, Act: n.Act, Const: n.Const, WeightBits: n.WeightBits}
	y.setShape(l.dims(n.Out[0]))
	var in []string
	for _, t := range variable {
		if id := l.at(t).id; !slices.Contains(in, id) {
			in = append(in, id)
		}
	}
	for _, t := range constant {
		read := l.g.Elements(t)
		if n.Op == graph.Copy && n.Fn == "gather" && len(variable) > 0 && l.root(t) != l.root(n.In[0]) {
			continue // places, which are no parameters
		}
		if n.Op == graph.Copy && n.Fn == "gather" { // of a table, the rows that are asked for
			rest := max(read-y.outShape().elements(), 0)
			// A product, or the first lookup, has all of the table.
			if read -= rest; l.products[l.g.Stored(t)] || l.elsewhere(t+1, 0) {
				y.Borrowed = true
			} else {
				y.Idle += rest
			}
		}
		y.Const += read
		y.WeightBits = max(y.WeightBits, l.g.Tensors[t].Bits)
	}
	if len(in) == 0 {
		return nodeError(n, "reads nothing that changes from run to run, and its value is not known")
	}
	switch n.Op {
	case graph.Reduce:
		y.Op = Reduce
	case graph.Act:
		y.Op, y.Fn, y.Act = Activation, "", n.Fn
	case graph.Softmax:
		y.Op, y.Fused = Softmax, l.fused(n)
	case graph.Norm, graph.BatchNorm:
		y.Op = Norm
	case graph.Resize:
		x, s := l.dims(n.In[0]), y.outShape()
		if y.Op = Copy; x.k == s.k && x.n == s.n {
			y.Op = Resize
			id, err := l.as(n, n.In[0], x)
			if err != nil {
				return err
			}
			in = []string{id}
		}
	case graph.View:
		y.Op, in = Copy, in[:1]
	case graph.Opaque:
		y.Op = Opaque
		l.report.Unmodelled = append(l.report.Unmodelled, fmt.Sprintf("%s %q: %s", n.Type, n.Name, n.Inexact))
	default:
		y.Op = Copy
	}
	l.write(n, y, in...)
	return nil
}
