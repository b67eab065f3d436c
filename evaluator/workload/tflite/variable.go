package tflite

import "apollo/evaluator/workload/graph"

// variable is what a streaming model keeps from one run to the next.
type variable struct {
	now int // the tensor that holds it, -1 before anything has read or written it
}

// resource treats the operators on variables: a variable is an input of the
// network where it is read first, and an output where it is assigned.
func (o *operator) resource() bool {
	switch o.code.builtin {
	case varHandleOp:
		if len(o.out) > 0 && o.out[0] >= 0 {
			o.handles[o.out[0]] = o.named(o.options.text(0) + "/" + o.options.text(1))
			o.g.Tensors[o.out[0]].Const = true
		}
	case readVariableOp:
		o.readVariable()
	case assignVariableOp:
		v := o.handle()
		if v == nil || !o.want(1, -1, "value") {
			return true
		}
		v.now = o.in[1]
		if !o.g.Tensors[v.now].Const {
			o.g.Outputs = append(o.g.Outputs, v.now)
		}
	case callOnceOp: // sets the variables before the first run
	default:
		return false
	}
	return true
}

// named returns the variable of a name; one without a name is its own.
func (o *operator) named(name string) *variable {
	if v, ok := o.variables[name]; ok && name != "/" {
		return v
	}
	v := &variable{now: -1}
	o.variables[name] = v
	return v
}

func (o *operator) handle() *variable {
	if !o.want(0, -1, "handle of a variable") {
		return nil
	}
	v := o.handles[o.in[0]]
	if v == nil {
		o.fail("input 0 is no handle of a variable: the file is not valid, convert the model again")
	}
	return v
}

func (o *operator) readVariable() {
	v := o.handle()
	if v == nil {
		return
	}
	if len(o.out) == 0 || o.out[0] < 0 {
		o.fail("writes nothing")
		return
	}
	if v.now < 0 {
		v.now = o.out[0]
		o.g.Inputs = append(o.g.Inputs, v.now)
		return
	}
	if o.g.Elements(v.now) != o.g.Elements(o.out[0]) {
		o.fail("reads a variable of shape %v as %v: the file is not valid, convert the model again", o.g.Shape(v.now), o.output())
		return
	}
	if o.g.Tensors[v.now].Const {
		o.g.Tensors[o.out[0]].Const = true
		return
	}
	o.emit(graph.Node{Op: graph.View, In: []int{v.now}})
}

// maxDepth bounds subgraphs within each other.
const maxDepth = 16

// branch reads the subgraph of an IF whose condition is constant as if its
// operators stood here.
func (o *operator) branch() {
	if !o.want(0, -1, "condition") {
		return
	}
	yes, known := o.known[o.in[0]]
	if !known || len(yes) != 1 || !o.g.Tensors[o.in[0]].Const {
		o.fail("its condition is computed at run time, and a list of layers has one way only: convert the model without branches, or one branch of it")
		return
	}
	index := o.options.int32(0, 0)
	if yes[0] == 0 {
		index = o.options.int32(1, 0)
	}
	if o.r.err != nil {
		return
	}
	o.inline(index, o.in[1:])
}

// call reads the subgraph that an operator stands for in its place: CALL, and the
// parts of an operation that converters keep together (STABLEHLO_COMPOSITE).
func (o *operator) call(entry) {
	index := o.options.int32(0, 0)
	if o.code.builtin == compositeOp {
		parts, ok := o.t.child(opMoreOptions)
		if !ok {
			o.fail("it has no options: the file is not valid, convert the model again")
			return
		}
		index = parts.int32(1, 0)
	}
	if o.r.err == nil {
		o.inline(index, o.in)
	}
}

// inline reads a subgraph as if its operators stood here.
func (o *operator) inline(index int64, args []int) {
	if index < 1 || index >= int64(o.subs.n) || o.depth >= maxDepth {
		o.fail("what it stands for is subgraph %d of %d, or subgraphs are more than %d deep", index, o.subs.n, maxDepth)
		return
	}
	sub := o.subs.table(int(index))
	outer := o.at
	o.depth++
	o.tensors(sub)
	params := sub.ints(subInputs)
	for i, p := range params {
		if p < 0 || p >= int64(len(o.at)) || i >= len(args) || args[i] < 0 {
			o.fail("its subgraph has %d inputs, the operator gives %d: the file is not valid, convert the model again", len(params), len(args))
			return
		}
		o.at[p] = args[i]
	}
	results := o.indices(sub, subOutputs, "outputs")
	if o.r.err == nil {
		o.operators(sub)
	}
	o.at = outer
	o.depth--
	o.taken(results)
}

// taken gives the outputs of a subgraph the names of the operator's.
func (o *operator) taken(results []int) {
	if o.r.err != nil || o.err != nil {
		return
	}
	for i, t := range o.out {
		if i >= len(results) || !o.ready[results[i]] || t < 0 || o.g.Elements(t) != o.g.Elements(results[i]) {
			o.fail("its outputs do not fit those of its subgraph: the file is not valid, convert the model again")
			return
		}
		if o.g.Tensors[results[i]].Const {
			o.g.Tensors[t].Const = true
			if v, ok := o.known[results[i]]; ok {
				o.known[t] = v
			}
			continue
		}
		o.emit(graph.Node{Op: graph.View, In: results[i : i+1], Out: []int{t}})
	}
}
