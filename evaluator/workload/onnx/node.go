package onnx

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"apollo/evaluator/workload/graph"
)

// infer gives an operation's outputs their shapes, and appends its layers
// unless everything it reads is constant.
type infer func(*node)

// node is one operation while it is read. The first mistake stays in err.
type node struct {
	*model
	name, op, domain string
	overload         string
	in, out          []int
	outNames         []string
	attrs            map[string]attribute
	fixed            bool // everything that is read is constant
	err              error
}

func (n *node) fail(format string, args ...any) {
	if n.err != nil {
		return
	}
	n.err = fmt.Errorf("%s: "+format, append([]any{n.title()}, args...)...)
	for _, t := range n.in {
		if why := n.lost[t]; why != "" {
			n.err = fmt.Errorf("%s: %s", n.title(), why)
			return
		}
	}
}

// misfit is fail for what no valid model has.
func (n *node) misfit(format string, args ...any) {
	size := ""
	if len(n.options.Dims) > 0 {
		size = "a size given with --dim does not suit the model, or "
	}
	n.fail(format+": "+size+"the model is not valid, onnx.checker.check_model(path, full_check=True) tells where; export it again", args...)
}

func (n *node) title() string {
	if n.name != "" {
		return fmt.Sprintf("operation %d (%s, %q)", n.g.Ops, n.op, n.name)
	}
	return fmt.Sprintf("operation %d (%s)", n.g.Ops, n.op)
}

// node reads a NodeProto.
func (m *model) node(message []byte) error {
	if m.g.Ops >= graph.MaxNodes {
		return fmt.Errorf("offset %d: the model has more than %d operations", m.r.offset(message), graph.MaxNodes)
	}
	n := &node{model: m, attrs: map[string]attribute{}, fixed: true}
	var missing string
	err := m.r.fields(message, func(f field) error {
		if f.typ != protowire.BytesType {
			return nil
		}
		switch f.num {
		case 1:
			name := string(f.b)
			t, ok := m.scope.find(name)
			if name == "" {
				t = -1
			} else if !ok && t >= 0 {
				missing = name
			}
			n.in = append(n.in, t)
		case 2:
			n.outNames = append(n.outNames, string(f.b))
		case 3:
			n.name = f.text()
		case 4:
			n.op = f.text()
		case 5:
			name, a, err := m.r.attribute(f.b)
			if a.ref != "" { // of the function that the operation is in
				var given bool
				if a, given = m.scope.attrs[a.ref]; !given {
					return err
				}
			}
			n.attrs[name] = a
			return err
		case 7:
			n.domain = f.text()
		case 8:
			n.overload = f.text()
		}
		return nil
	})
	if err != nil {
		return err
	}
	defer func() { m.g.Ops++ }()
	if missing != "" {
		n.misfit("reads %q, which no earlier operation writes", missing)
		return n.err
	}
	if does, err := n.control(); does {
		return err
	}
	if body, ok := n.local(); ok {
		return n.call(body)
	}
	n.fixed = m.g.AllConst(n.in)
	return n.run()
}

func (n *node) run() error {
	for _, name := range n.outNames {
		t := -1
		if name != "" {
			var err error
			if t, err = n.tensor(graph.Tensor{Name: graph.Clip(name), Const: n.fixed}); err != nil {
				return err
			}
		}
		n.out = append(n.out, t)
	}
	if len(n.out) == 0 || n.out[0] < 0 && n.op != "LSTM" && n.op != "GRU" && n.op != "RNN" {
		n.misfit("writes nothing")
		return n.err
	}
	nodes := len(n.g.Nodes)
	n.inSequence()
	if do, ok := n.tabled(); ok {
		do(n)
	} else {
		n.unknown()
	}
	if len(n.g.Nodes) == nodes {
		n.g.Constants++
	}
	if n.fixed && len(n.in) > 0 && n.err == nil {
		n.g.Made(n.out[0], n.in[0])
	}
	for i, t := range n.out {
		if t >= 0 {
			n.scope.names[n.outNames[i]] = t
		}
	}
	return n.err
}

// unknown is an operation that is not in the table: opaque where the file
// states its shapes.
func (n *node) unknown() {
	what := "the operation"
	if n.domain != "" {
		what = fmt.Sprintf("the operation (of %q)", n.domain)
	}
	for i, t := range n.out {
		shape, ok := n.scope.infos[n.outNames[i]]
		if t >= 0 && !ok {
			n.fail("%s is not known and the file does not state the shape of its output %q: run shape inference on the file first (onnx.shape_inference), or export the model without it", what, n.outNames[i])
			return
		}
		if t >= 0 {
			n.g.Tensors[t].Shape = shape
		}
	}
	n.emit(graph.Node{Op: graph.Opaque, Inexact: what + " is not known"})
}

// set gives output i its shape; the width is that of the first input.
func (n *node) set(i int, shape []int64) {
	if n.err != nil || i >= len(n.out) || n.out[i] < 0 {
		return
	}
	if err := graph.CheckShape(shape); err != nil {
		n.fail("its output %q: %w", n.outNames[i], err)
		return
	}
	t := &n.g.Tensors[n.out[i]]
	t.Shape = shape
	for _, in := range n.in {
		if t.Bits == 0 && in >= 0 {
			t.Bits = n.g.Tensors[in].Bits
		}
	}
}

// stated gives output 0 the shape that the file states, or reports why none
// can be had.
func (n *node) stated(why string) { n.state(0, why) }

// state is stated for output i.
func (n *node) state(i int, why string) {
	shape, ok := n.scope.infos[n.outNames[i]]
	if !ok {
		n.fail("%s: its output has a shape that only a run can tell%s", why, n.decide())
		return
	}
	n.set(i, shape)
}

// has reports whether input i is given.
func (n *node) has(i int) bool { return i < len(n.in) && n.in[i] >= 0 }

// need checks that input i is given with at least the rank.
func (n *node) need(i, rank int) bool {
	if n.err != nil {
		return false
	}
	if !n.has(i) {
		n.misfit("input %d is missing", i)
		return false
	}
	if s := n.shape(i); len(s) < rank {
		n.misfit("input %d has the shape %v, want rank %d or more", i, s, rank)
		return false
	}
	return true
}

func (n *node) shape(i int) []int64 { return n.g.Shape(n.in[i]) }

// known returns the values of a small constant input.
func (n *node) known(i int) ([]float64, bool) {
	if !n.has(i) {
		return nil, false
	}
	v, ok := n.values[n.in[i]]
	return v.v, ok
}

// ints returns the values of an input or, in older files, of an attribute.
func (n *node) ints(i int, attr string) ([]int64, bool) {
	if a, ok := n.attrs[attr]; ok && attr != "" {
		return a.ints, true
	}
	v, ok := n.known(i)
	if !ok {
		return nil, false
	}
	out := make([]int64, len(v))
	for j, x := range v {
		out[j] = whole(x)
	}
	return out, true
}

// whole converts to an integer; what is out of range stays there.
func whole(x float64) int64 {
	const limit = 1 << 62
	switch {
	case x >= limit:
		return limit
	case x <= -limit:
		return -limit
	case x != x:
		return 0
	}
	return int64(x)
}

func (n *node) int(attr string, absent int64) int64 {
	if a, ok := n.attrs[attr]; ok {
		return a.i
	}
	return absent
}

// axis brings an axis into 0 … rank-1.
func (n *node) axis(a int64, rank int) int {
	if a < 0 {
		a += int64(rank)
	}
	if a < 0 || a >= int64(rank) {
		n.misfit("axis %d does not exist in rank %d", a, rank)
		return 0
	}
	return int(a)
}

// emit appends a node; In and Out default to all inputs and outputs.
func (n *node) emit(node graph.Node) {
	if n.err != nil || n.fixed {
		return
	}
	if len(n.g.Nodes) >= 2*graph.MaxNodes {
		n.fail("the model has more than %d operations", 2*graph.MaxNodes)
		return
	}
	node.Type, node.Name = n.op, n.name
	if node.Name == "" {
		node.Name = graph.Clip(n.outNames[0])
	}
	if node.In == nil {
		node.In = graph.Present(n.in)
	}
	if node.Out == nil {
		node.Out = graph.Present(n.out)
	}
	if len(node.In) == 0 || len(node.Out) == 0 {
		n.misfit("reads or writes nothing")
		return
	}
	if !slices.ContainsFunc(node.Out, func(t int) bool { return n.g.Elements(t) > 0 }) {
		for _, t := range node.Out { // nothing, as of a cache at the first run
			n.g.Tensors[t].Const = true
		}
		return
	}
	n.g.Nodes = append(n.g.Nodes, node)
}

// inner adds a tensor between two layers of one operation.
func (n *node) inner(suffix string, shape ...int64) int {
	t, err := n.tensor(graph.Tensor{Name: graph.Clip(strings.TrimSpace(n.outNames[0] + suffix)), Shape: shape, Bits: n.bits(0)})
	if err != nil {
		n.fail("%w", err)
	}
	return t
}

// bits returns the width of input i.
func (n *node) bits(i int) int64 {
	if !n.has(i) {
		return 0
	}
	return n.g.Tensors[n.in[i]].Bits
}

// bytes returns the size of those of some inputs that are there.
func (n *node) bytes(in ...int) (size int64) {
	const byteBits = 8
	for _, i := range in {
		if n.has(i) {
			size += (n.g.Elements(n.in[i])*n.bits(i) + byteBits - 1) / byteBits
		}
	}
	return size
}
