package onnx

import (
	"fmt"
	"slices"

	"apollo/evaluator/workload/graph"
)

// maxTurns bounds what loops add up to.
const maxTurns = 4096

// body is the graph of a loop.
type body struct {
	message         []byte
	inputs, outputs []string
	shapes          map[string][]int64 // of outputs, where the file states them
}

// bodyOf reads the names of the graph that an attribute holds.
func (n *node) bodyOf(attr string) (b body) {
	if b.message = n.attrs[attr].graph; b.message == nil {
		n.misfit("it has no %s", attr)
		return b
	}
	b.shapes = map[string][]int64{}
	err := n.r.fields(b.message, func(f field) error {
		if f.num != 11 && f.num != 12 {
			return nil
		}
		in, err := n.info(f.b)
		if f.num == 11 {
			b.inputs = append(b.inputs, in.name)
			return err
		}
		b.outputs = append(b.outputs, in.name)
		if shape, ok := in.static(); ok {
			b.shapes[in.name] = shape
		}
		return err
	})
	if err != nil && n.err == nil {
		n.err = fmt.Errorf("in %s: %w", n.title(), err)
	}
	return b
}

func (n *node) manyTurns() {
	n.fail("the loops of the model take more than %d turns: export one turn as a model of its own", maxTurns)
}

// turn reads the body once, with tensors for its inputs.
func (n *node) turn(b body, in []int) (out []int) {
	if n.turns++; n.turns > maxTurns {
		n.manyTurns()
		return nil
	}
	inner := newScope(n.scope)
	n.looping++
	defer func() { n.looping-- }()
	n.within(inner, func() error {
		for i, name := range b.inputs {
			inner.names[name] = in[i]
		}
		if _, _, err := n.stored(b.message); err != nil {
			return err
		}
		if err := n.nodes(b.message, 1); err != nil {
			return err
		}
		for _, name := range b.outputs {
			t, ok := n.scope.find(name)
			if !ok {
				return fmt.Errorf("output %q: no operation writes it", name)
			}
			out = append(out, t)
		}
		return nil
	})
	return out
}

// number makes a constant of one element.
func (n *node) number(name string, v float64, width int64) int {
	t, err := n.tensor(graph.Tensor{Name: graph.Clip(n.outNames[0] + name), Bits: width, Const: true})
	if err != nil {
		n.fail("%w", err)
		return 0
	}
	n.values[t] = value{[]float64{v}, true}
	return t
}

// loop writes the turns of a Loop one after the other: how many there are must
// follow from the file, its shapes and --value.
func (n *node) loop() error {
	b := n.bodyOf("body")
	most, limited := n.scalar(0)
	going, conditional := n.scalar(1)
	const own = 2 // inputs of the body: the turn's number, the condition
	state := slices.Clone(n.in[min(own, len(n.in)):])
	scans := len(b.outputs) - 1 - len(state)
	never := limited && whole(most) <= 0 || conditional && going == 0
	switch {
	case n.err != nil:
		return n.err
	case len(b.inputs) != own+len(state) || scans < 0 || len(state) > 0 && slices.Min(state) < 0:
		n.misfit("its body has %d inputs and %d outputs, which does not fit its %d inputs", len(b.inputs), len(b.outputs), len(n.in))
		return n.err
	case n.has(0) && !limited && !never:
		n.fail("how often it turns is computed at run time, and a list of layers has a fixed length%s", n.decide())
		return n.err
	case n.has(1) && !conditional && !never:
		n.fail("its condition is computed at run time, and a list of layers has a fixed length%s", n.decide())
		return n.err
	}
	if limited && whole(most) > maxTurns {
		n.manyTurns()
		return n.err
	}
	parts := make([][]int, scans)
	done, runs := 0, !never
	for ; runs && (!limited || int64(done) < whole(most)); done++ {
		truth := n.number(".condition", 1, bits(typeBool))
		index := n.number(".turn", float64(done), bits(typeInt64))
		out := n.turn(b, slices.Concat([]int{index, truth}, state))
		if n.err != nil {
			return n.err
		}
		state = out[1 : 1+len(state)]
		for i := range parts {
			parts[i] = append(parts[i], out[1+len(state)+i])
		}
		if limited && int64(done)+1 == whole(most) {
			continue // nothing asks whether it goes on
		}
		v, ok := n.values[out[0]]
		if !ok || len(v.v) != 1 {
			n.fail("whether it goes on after turn %d is computed at run time, and a list of layers has a fixed length%s", done+1, n.decide())
			return n.err
		}
		runs = v.v[0] != 0
	}
	results := state
	for i, list := range parts {
		name := b.outputs[1+len(state)+i]
		results = append(results, n.stacked(name, list, b.shapes, 0))
	}
	n.unrolled(done)
	return n.results(results)
}

// scan writes the turns of a Scan, one for each part of its inputs.
func (n *node) scan() error {
	b := n.bodyOf("body")
	count := int(n.int("num_scan_inputs", 0))
	states := len(n.in) - count
	switch {
	case n.err != nil:
		return n.err
	case count >= 1 && len(b.inputs) == len(n.in)-1:
		n.fail("Scan of opset 8, with a batch, is not supported: export the model with opset 9 or later")
		return n.err
	case count < 1 || states < 0 || len(b.inputs) != len(n.in) || slices.Min(n.in) < 0 || len(b.outputs) < states:
		n.misfit("its body has %d inputs and %d outputs, which does not fit its %d inputs", len(b.inputs), len(b.outputs), len(n.in))
		return n.err
	}
	state, turns := slices.Clone(n.in[:states]), int64(-1)
	slabs := make([][]int, count)
	for i, t := range n.in[states:] {
		x := n.g.Shape(t)
		at := n.axis(place0(n.attrs["scan_input_axes"].ints, i), len(x))
		if n.err != nil || turns >= 0 && turns != x[at] || x[at] > maxTurns {
			n.misfit("an input %v cannot be scanned along axis %d", x, at)
			return n.err
		}
		turns = x[at]
		slabs[i] = n.parted(t, at, slices.Repeat([]int64{1}, int(turns)), false)
	}
	parts := make([][]int, len(b.outputs)-states)
	for turn := range turns {
		in := state
		for _, s := range slabs {
			in = append(slices.Clip(in), s[turn])
		}
		out := n.turn(b, in)
		if n.err != nil {
			return n.err
		}
		state = out[:states:states]
		for i := range parts {
			parts[i] = append(parts[i], out[states+i])
		}
	}
	results := state
	for i, list := range parts {
		results = append(results, n.stacked(b.outputs[states+i], list, b.shapes, place0(n.attrs["scan_output_axes"].ints, i)))
	}
	n.unrolled(int(turns))
	return n.results(results)
}

// place0 is number i of a list that may be absent, which is 0 then.
func place0(list []int64, i int) int64 {
	if i < len(list) {
		return list[i]
	}
	return 0
}

// unrolled tells how a loop was read.
func (n *node) unrolled(turns int) {
	if n.err == nil && n.looping == 0 {
		n.g.Notes = append(n.g.Notes, fmt.Sprintf("%s: its %d turns are layers one after the other; weights that several turns read count in each", n.title(), turns))
	}
}

// scalar returns the value of an input of one element, where it is known.
func (n *node) scalar(i int) (float64, bool) {
	v, ok := n.known(i)
	if !ok || len(v) != 1 {
		return 0, false
	}
	return v[0], true
}

// stacked joins what the turns of a loop write, along a new axis.
func (n *node) stacked(name string, list []int, stated map[string][]int64, axis int64) int {
	shape, ok := stated[name]
	if len(list) > 0 {
		shape = n.g.Shape(list[0])
	} else if !ok {
		n.fail("it takes no turn, and the file does not state the shape of %q, of which it makes none: run shape inference on the file first (onnx.shape_inference)", name)
	}
	at := n.axis(axis, len(shape)+1)
	for _, t := range list {
		if !slices.Equal(n.g.Shape(t), shape) {
			n.misfit("its turns write the shapes %v and %v to %q", shape, n.g.Shape(t), name)
		}
	}
	if n.err != nil {
		return 0
	}
	return n.joined(name, list, slices.Insert(slices.Clone(shape), at, int64(len(list))), at)
}

// joined appends the copy that makes one tensor of several, along an axis.
func (n *node) joined(name string, list []int, shape []int64, axis int) int {
	if err := graph.CheckShape(shape); err != nil {
		n.fail("%q: %w", name, err)
		return 0
	}
	t, err := n.tensor(graph.Tensor{Name: graph.Clip(name), Shape: shape, Const: n.g.AllConst(list)})
	if err != nil {
		n.fail("%w", err)
		return 0
	}
	if len(list) == 0 {
		return t
	}
	n.g.Tensors[t].Bits = n.g.Tensors[list[0]].Bits
	n.beside(func() { n.emit(graph.Node{Op: graph.Copy, Fn: "concat", In: list, Out: []int{t}}) }, list)
	if v, ok := n.inTurn(list); ok && axis == 0 {
		n.values[t] = v
	}
	return t
}

// inTurn returns the values of tensors that are known, one after the other.
func (n *node) inTurn(list []int) (all value, ok bool) {
	all.integer = true
	for _, t := range list {
		v, ok := n.values[t]
		if !ok || len(all.v)+len(v.v) > graph.MaxFolded {
			return value{}, false
		}
		all.v, all.integer = append(all.v, v.v...), all.integer && v.integer
	}
	return all, true
}

// beside emits a layer that reads other tensors than the operation's own.
func (n *node) beside(emit func(), in []int) {
	fixed := n.fixed
	n.fixed = n.g.AllConst(in)
	emit()
	n.fixed = fixed
}

// parted cuts a tensor along an axis, and returns its parts; without keep, the
// axis goes.
func (n *node) parted(t, axis int, sizes []int64, keep bool) (parts []int) {
	x := n.g.Tensors[t]
	known, ok := n.values[t]
	ok = ok && axis == 0 && int64(len(known.v)) == graph.Elements(x.Shape)
	first := int64(0)
	for i, size := range sizes {
		shape := slices.Clone(x.Shape)
		if shape[axis] = size; !keep {
			shape = slices.Delete(shape, axis, axis+1)
		}
		p, err := n.tensor(graph.Tensor{Name: graph.Clip(fmt.Sprintf("%s.%d", x.Name, i)), Shape: shape, Bits: x.Bits, Const: x.Const})
		if err != nil {
			n.fail("%w", err)
			return nil
		}
		if elements := graph.Elements(shape); ok && first+elements <= int64(len(known.v)) {
			n.values[p] = value{known.v[first : first+elements], known.integer}
			first += elements
		}
		parts = append(parts, p)
	}
	if len(parts) > 0 {
		n.beside(func() { n.emit(graph.Node{Op: graph.Copy, Fn: "split", In: []int{t}, Out: parts}) }, []int{t})
	}
	return parts
}

// control reads the operations that hold graphs; false for all others.
func (n *node) control() (bool, error) {
	if len(n.outNames) == 0 {
		return false, nil // refused with all others that write nothing
	}
	switch n.op {
	case "If":
		return true, n.branch()
	case "Loop":
		return true, n.loop()
	case "Scan":
		return true, n.scan()
	case "SequenceMap":
		return true, n.sequenceMap()
	}
	return false, nil
}
