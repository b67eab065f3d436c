// Package tflite reads TensorFlow Lite models
// (tensorflow/lite/schema/schema.fbs) as graphs. Weights are not read, only
// shapes; every offset of the file is checked before it is followed.
package tflite

import (
	"errors"
	"fmt"
	"slices"

	"apollo/evaluator/number"
	"apollo/evaluator/workload/graph"
)

// typeResource is the type of a tensor that is the handle of a variable.
const typeResource = 13

// identifier stands at offset 4 of every model.
const identifier = "TFL3"

// Is reports whether data starts like a TensorFlow Lite model.
func Is(data []byte) bool { return len(data) >= 8 && string(data[4:8]) == identifier }

// Read returns the graph of the model's main subgraph. The errors name the
// offset or the operation, and what to do.
func Read(data []byte) (*graph.Graph, error) {
	if !Is(data) {
		return nil, errors.New("offset 4: the identifier TFL3 is missing: this is no TensorFlow Lite model")
	}
	m := model{
		r: &reader{data: data}, g: &graph.Graph{Format: "tflite"}, table: operators(),
		known: map[int][]int64{}, variables: map[string]*variable{}, handles: map[int]*variable{},
	}
	root := m.r.table(0)
	sub := m.header(root)
	m.main(sub)
	m.operators(sub)
	if m.r.err != nil {
		return nil, fmt.Errorf("%w: the file is damaged or not complete; export or download it again", m.r.err)
	}
	if m.err != nil {
		return nil, m.err
	}
	return m.g, nil
}

// model is a file while it is read. Mistakes of the file's structure stay in
// r.err, those of its meaning in err.
type model struct {
	r     *reader
	g     *graph.Graph
	err   error
	table map[int64]entry
	codes []code
	subs  list
	data  []list // what buffers hold
	// at are the tensors of the subgraph that is read, in the graph; ready
	// says of every tensor of the graph that something has written it.
	at    []int
	ready []bool
	depth int
	known map[int][]int64 // values of small constants
	// variables are what a streaming model keeps between runs, by name, and by
	// the tensor that is their handle.
	variables map[string]*variable
	handles   map[int]*variable
}

// code is an entry of the table of operators.
type code struct {
	builtin int64
	custom  string
}

// Fields of the schema's tables, by position.
const (
	modelCodes, modelSubgraphs, modelBuffers    = 1, 2, 4
	codeOld, codeCustom, codeBuiltin            = 0, 1, 3
	subTensors, subInputs, subOutputs, subOps   = 0, 1, 2, 3
	tensorShape, tensorType, tensorBuffer       = 0, 1, 2
	tensorName, tensorVariable, tensorSignature = 3, 5, 7
	opCode, opInputs, opOutputs, opOptions      = 0, 1, 2, 4
	opMoreOptions                               = 12
	bufferData, bufferSize                      = 0, 2
)

// header reads the tables beside the subgraph and returns the subgraph.
func (m *model) header(root table) table {
	codes := root.tables(modelCodes, graph.MaxNodes, "operator codes")
	for i := range codes.n {
		t := codes.table(i)
		// Old files have only the byte; new ones keep 127 there for codes that
		// do not fit. The larger is the code.
		builtin := max(int64(int8(t.byte(codeOld))), t.int32(codeBuiltin, 0))
		m.codes = append(m.codes, code{builtin, t.text(codeCustom)})
		if m.r.err != nil {
			return table{r: m.r}
		}
	}
	buffers := root.tables(modelBuffers, graph.MaxObjects, "buffers")
	for i := range buffers.n {
		t := buffers.table(i)
		data := t.vector(bufferData, 1)
		if t.field(bufferSize) != 0 {
			data.n = max(data.n, 1) // behind the tables
			data.at = len(m.r.data)
		}
		m.data = append(m.data, data)
		if m.r.err != nil {
			return table{r: m.r}
		}
	}
	subs := root.tables(modelSubgraphs, graph.MaxNodes, "subgraphs")
	if subs.n == 0 {
		m.r.fail(root.at, "the model has no subgraph")
		return table{r: m.r}
	}
	m.subs = subs
	if subs.n > 1 {
		m.g.Notes = append(m.g.Notes, fmt.Sprintf("the file has %d subgraphs: the first, its main function, is read, with what it calls and the branches that are always taken", subs.n))
	}
	return subs.table(0)
}

// main reads the tensors of the main subgraph with its inputs and outputs.
func (m *model) main(sub table) {
	states := m.tensors(sub)
	m.g.Inputs = m.indices(sub, subInputs, "inputs")
	m.g.Outputs = m.indices(sub, subOutputs, "outputs")
	list := sub.tables(subTensors, graph.MaxTensors, "tensors")
	for _, i := range m.g.Inputs {
		m.dynamic(i, list.table(i).ints(tensorSignature))
		m.ready[i] = true
	}
	m.g.Inputs = slices.DeleteFunc(m.g.Inputs, func(i int) bool { // what a handle stands for comes in where it is read
		handle := list.table(i).byte(tensorType) == typeResource
		if handle {
			m.handles[i] = &variable{now: -1}
			m.g.Tensors[i].Const = true
		}
		return handle
	})
	m.g.Inputs = append(m.g.Inputs, states...)
	for _, i := range states {
		m.ready[i] = true
	}
}

// tensors appends the tensors of a subgraph and returns those that are states.
func (m *model) tensors(sub table) (states []int) {
	list := sub.tables(subTensors, graph.MaxTensors, "tensors")
	m.at = make([]int, 0, list.n)
	for i := range list.n {
		t := list.table(i)
		x := graph.Tensor{Name: t.text(tensorName), Shape: t.ints(tensorShape), Bits: bits(t.byte(tensorType))}
		buffer := t.int32(tensorBuffer, 0)
		if m.r.err != nil {
			return nil
		}
		err := graph.CheckShape(x.Shape)
		if err == nil {
			m.g.State(format(t.byte(tensorType)), graph.Elements(x.Shape))
		}
		if err != nil {
			m.r.fail(t.at, "tensor %d (%q): %w", i, x.Name, err)
			return nil
		}
		if len(m.g.Tensors) >= 2*graph.MaxTensors {
			m.fail("the model has more than %d tensors", 2*graph.MaxTensors)
			return nil
		}
		x.Const = buffer > 0 && buffer < int64(len(m.data)) && m.data[buffer].n > 0
		if x.Const {
			if v := m.numbers(t.byte(tensorType), graph.Elements(x.Shape), m.data[buffer]); v != nil {
				m.known[len(m.g.Tensors)] = v
			}
		}
		if t.byte(tensorVariable) != 0 {
			x.Const = false
			states = append(states, len(m.g.Tensors))
		}
		m.at = append(m.at, len(m.g.Tensors))
		m.g.Tensors = append(m.g.Tensors, x)
		m.ready = append(m.ready, x.Const)
	}
	return states
}

// dynamic refuses an input whose size the file leaves open.
func (m *model) dynamic(i int, signature []int64) {
	t := &m.g.Tensors[i]
	for d, size := range signature {
		if size >= 0 || d >= len(t.Shape) {
			continue
		}
		if d == 0 {
			m.g.Notes = append(m.g.Notes, fmt.Sprintf("input %q: the batch is open, taken as %d", t.Name, t.Shape[0]))
			continue
		}
		m.fail("input %q: dimension %d is open; shapes of a TensorFlow Lite file are fixed when it is converted: convert the model with a fixed input shape", t.Name, d)
	}
}

func (m *model) fail(format string, args ...any) {
	if m.err == nil {
		m.err = fmt.Errorf(format, args...)
	}
}

// indices returns a list of tensors, -1 for an absent one.
func (m *model) indices(t table, field int, what string) []int {
	var out []int
	for _, v := range t.ints(field) {
		if v < -1 || v >= int64(len(m.at)) {
			m.r.fail(t.at, "%s name the tensor %d, there are %d", what, v, len(m.at))
			return nil
		}
		if v == -1 && (what == "inputs" || what == "outputs") {
			m.r.fail(t.at, "%s name no tensor", what)
			return nil
		}
		if v >= 0 {
			v = int64(m.at[v])
		}
		out = append(out, int(v))
	}
	return out
}

func (m *model) operators(sub table) {
	list := sub.tables(subOps, graph.MaxNodes, "operators")
	m.g.Ops += list.n
	for i := range list.n {
		t := list.table(i)
		index := t.int32(opCode, 0)
		in, out := m.operands(t, opInputs), m.operands(t, opOutputs)
		if index < 0 || index >= int64(len(m.codes)) {
			m.r.fail(t.at, "operator %d has the code %d, there are %d", i, index, len(m.codes))
		}
		if m.r.err != nil || m.err != nil {
			return
		}
		o := operator{model: m, t: t, index: i, code: m.codes[index], in: in, out: out}
		o.options, _ = t.child(opOptions)
		if t := firstNot(m.ready, in); t >= 0 {
			o.fail("reads tensor %q before anything has written it", m.g.Tensors[t].Name)
			return
		}
		nodes := len(m.g.Nodes)
		if o.read(); len(m.g.Nodes) == nodes {
			m.g.Constants++
			o.fold()
		}
		for _, t := range out {
			if t >= 0 {
				m.ready[t] = true
			}
		}
	}
}

func firstNot(ready []bool, in []int) int {
	i := slices.IndexFunc(in, func(t int) bool { return t >= 0 && !ready[t] })
	if i < 0 {
		return -1
	}
	return in[i]
}

func (m *model) operands(t table, field int) []int {
	what := "the inputs of an operator"
	if field == opOutputs {
		what = "the outputs of an operator"
	}
	return m.indices(t, field, what)
}

// format returns the format of an element type.
func format(kind int) number.Format {
	f := number.Format{Bits: bits(kind)}
	switch kind {
	case 0, 1, 10:
		f.Kind = number.Float
	case 18:
		f.Kind = number.Brain
	}
	return f
}

// bits returns the width of the schema's tensor types.
func bits(kind int) int64 {
	widths := []int64{32, 16, 32, 8, 64, 0, 8, 16, 64, 8, 64, 128, 64, 0, 0, 32, 16, 4, 16}
	if kind < len(widths) {
		return widths[kind]
	}
	return 0
}
