package tflite

import (
	"fmt"

	"apollo/evaluator/workload/graph"
)

// operator is one operator while it becomes a node.
type operator struct {
	*model
	t, options table
	index      int
	code       code
	in, out    []int
}

func (o *operator) name() string {
	if o.code.builtin == customOp {
		return o.code.custom
	}
	if e, ok := o.table[o.code.builtin]; ok {
		return e.name
	}
	return fmt.Sprintf("BUILTIN_%d", o.code.builtin)
}

func (o *operator) fail(format string, args ...any) {
	o.model.fail("operator %d (%s): "+format, append([]any{o.index, o.name()}, args...)...)
}

// shape returns the shape of an input, nil when it is absent.
func (o *operator) shape(i int) []int64 {
	if i >= len(o.in) || o.in[i] < 0 {
		return nil
	}
	return o.g.Shape(o.in[i])
}

func (o *operator) output() []int64 { return o.g.Shape(o.out[0]) }

// has reports whether an input is given.
func (o *operator) has(i int) bool { return i < len(o.in) && o.in[i] >= 0 }

// held returns the tensor that input i is, plus 1; 0 where there is none.
func (o *operator) held(i int) int {
	if !o.has(i) {
		return 0
	}
	return o.in[i] + 1
}

// want checks that input i exists with the given rank; rank -1 means any.
func (o *operator) want(i, rank int, what string) bool {
	if !o.has(i) {
		o.fail("the %s (input %d) is missing", what, i)
		return false
	}
	if s := o.shape(i); rank >= 0 && len(s) != rank {
		o.fail("the %s has the shape %v, want rank %d", what, s, rank)
		return false
	}
	return true
}

// read turns the operator into a node, or its outputs into constants.
func (o *operator) read() {
	if o.resource() {
		return
	}
	if len(o.out) == 0 || o.out[0] < 0 {
		if len(o.out) == 0 && o.code.builtin != customOp {
			return // writes a variable, or nothing
		}
		o.fail("writes nothing")
		return
	}
	if o.code.builtin == ifOp {
		o.branch()
		return
	}
	if o.refused() {
		return
	}
	if len(o.in) > 0 && o.g.AllConst(o.in) {
		for _, t := range o.out {
			if t >= 0 {
				o.g.Tensors[t].Const = true
			}
		}
		o.widths()
		if len(o.out) > 0 {
			o.g.Made(o.out[0], o.in[0])
		}
		return
	}
	e, known := o.table[o.code.builtin]
	switch {
	case o.code.builtin == customOp:
		o.custom()
	case !known:
		o.emit(graph.Node{Op: graph.Opaque, Inexact: "the operation is not known"})
	default:
		e.read(o, e)
	}
}

// widths keeps the stored width of weights that are expanded while loading
// (DEQUANTIZE, DENSIFY): the accelerator reads what is stored.
func (o *operator) widths() {
	if o.in[0] < 0 {
		return
	}
	from, to := &o.g.Tensors[o.in[0]], &o.g.Tensors[o.out[0]]
	if o.code.builtin == dequantizeOp && from.Bits < to.Bits {
		to.Bits = from.Bits
	}
}

// refused reports operators that cannot be layers, with advice.
func (o *operator) refused() bool {
	switch o.code.builtin {
	case whileOp:
		o.fail("a loop cannot be a list of layers: convert the model without loops, or one step of it")
		return true
	case customOp:
		switch o.code.custom {
		case "MaxPool3D", "AveragePool3D", "FlexMaxPool3D", "FlexAvgPool3D", "FlexConv3D", "FlexConv3DBackpropInputV2":
			o.fail("windows over depth, height and width are read from TensorFlow Lite as CONV_3D only: convert the model to ONNX")
			return true
		case "edgetpu-custom-op":
			o.fail("the model is compiled for an Edge TPU, its layers are gone: import the file that the compiler was given (without _edgetpu in its name)")
			return true
		case "ethos-u":
			o.fail("the model is compiled for an Ethos-U, its layers are gone: import the file that the compiler was given")
			return true
		}
	}
	return false
}

// emit appends a node; In and Out default to the variable inputs and to the
// outputs.
func (o *operator) emit(n graph.Node) {
	if len(o.g.Nodes) >= graph.MaxNodes {
		o.fail("the model has more than %d operations", graph.MaxNodes)
		return
	}
	n.Type = o.name()
	if n.Name == "" {
		n.Name = o.g.Tensors[o.out[0]].Name
	}
	if n.In == nil {
		n.In = graph.Present(o.in)
	}
	if n.Out == nil {
		n.Out = graph.Present(o.out)
	}
	if len(n.In) == 0 {
		o.fail("reads nothing")
		return
	}
	o.g.Nodes = append(o.g.Nodes, n)
}

// inner adds a tensor between two nodes of one operator.
func (o *operator) inner(suffix string, shape ...int64) int {
	if err := graph.CheckShape(shape); err != nil {
		o.fail("%w", err)
	}
	if len(o.g.Tensors) >= 2*graph.MaxTensors {
		o.fail("the model has more than %d tensors", graph.MaxTensors)
		return o.out[0]
	}
	out := o.g.Tensors[o.out[0]]
	o.g.Tensors = append(o.g.Tensors, graph.Tensor{Name: graph.Clip(out.Name + suffix), Shape: shape, Bits: out.Bits})
	o.ready = append(o.ready, true)
	return len(o.g.Tensors) - 1
}

// activation translates the schema's fused activation functions.
func (o *operator) activation(field int) string {
	names := []string{"", "relu", "relu_n1_to_1", "relu6", "tanh", "sign_bit"}
	kind := o.options.byte(field)
	if kind >= len(names) {
		o.fail("the fused activation %d is not known", kind)
		return ""
	}
	return names[kind]
}

func pair(height, width int64) [2]int64 { return [2]int64{height, width} }
