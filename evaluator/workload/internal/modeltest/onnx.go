package modeltest

import (
	"cmp"
	"encoding/binary"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// ONNX is an ONNX model, or the graph of a branch.
type ONNX struct {
	Inputs    []ONNXInput
	Weights   []ONNXTensor
	Nodes     []ONNXNode
	Outputs   []string
	Functions []ONNXFunction
}

// ONNXInput is a model input; a dimension of -1 is open, with a name in Dims, others below 0 are
// written as they are.
// Kind is the element type, 0 means 32-bit floating point.
type ONNXInput struct {
	Name  string
	Shape []int64
	Dims  []string
	Kind  int64
}

// ONNXTensor is an initialiser: of 64-bit integers where Ints is set, else of
// Kind (0 means 32-bit floating point) with the bytes of Raw, or without data. File
// says that the data is in another file, Length bytes at Offset.
type ONNXTensor struct {
	Name   string
	Shape  []int64
	Ints   []int64
	Kind   int64
	Raw    []byte
	File   string
	Offset string
	Length string
}

// ONNXSparse is a sparse tensor of a shape.
type ONNXSparse []int64

// ONNXNode is an operation. Attributes are int64, []int64, string, float32,
// []float32, ONNXTensor, ONNXSparse, ONNX (a branch), ONNXRef.
type ONNXNode struct {
	Op, Domain, Overload string
	In, Out              []string
	Attrs                map[string]any
}

// ONNXRef is the name of an attribute of the function around.
type ONNXRef string

// ONNXFunction is an operation that the file defines.
type ONNXFunction struct {
	Domain, Name, Overload string
	In, Out                []string
	Nodes                  []ONNXNode
}

func message(b []byte, field protowire.Number, m []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), m)
}

func number(b []byte, field protowire.Number, v int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), uint64(v))
}

// Bytes writes the file.
func (m ONNX) Bytes() []byte {
	file := message(number(nil, 1, 8), 7, m.graph())
	for _, f := range m.Functions {
		file = message(file, 25, f.bytes())
	}
	return file
}

func (f ONNXFunction) bytes() []byte {
	b := message(nil, 1, []byte(f.Name))
	for _, in := range f.In {
		b = message(b, 4, []byte(in))
	}
	for _, out := range f.Out {
		b = message(b, 5, []byte(out))
	}
	for _, n := range f.Nodes {
		b = message(b, 7, n.bytes())
	}
	if f.Overload != "" {
		b = message(b, 13, []byte(f.Overload))
	}
	return message(b, 10, []byte(f.Domain))
}

func (m ONNX) graph() []byte {
	var g []byte
	for _, n := range m.Nodes {
		g = message(g, 1, n.bytes())
	}
	for _, w := range m.Weights {
		g = message(g, 5, w.bytes())
	}
	for _, in := range m.Inputs {
		g = message(g, 11, in.bytes())
	}
	for _, out := range m.Outputs {
		g = message(g, 12, message(nil, 1, []byte(out)))
	}
	return g
}

func (in ONNXInput) bytes() []byte {
	var shape []byte
	for i, d := range in.Shape {
		var dim []byte
		if d != -1 {
			dim = number(dim, 1, d)
		} else if i < len(in.Dims) {
			dim = message(dim, 2, []byte(in.Dims[i]))
		}
		shape = message(shape, 1, dim)
	}
	kind := message(number(nil, 1, cmp.Or(in.Kind, 1)), 2, shape)
	return message(message(nil, 1, []byte(in.Name)), 2, message(nil, 1, kind))
}

func (t ONNXTensor) bytes() []byte {
	var b []byte
	for _, d := range t.Shape {
		b = number(b, 1, d)
	}
	kind := cmp.Or(t.Kind, 1)
	if t.File != "" || t.Offset != "" {
		kind = cmp.Or(t.Kind, 7)
		b = number(b, 14, 1)
		for key, text := range map[string]string{"location": t.File, "offset": t.Offset, "length": t.Length} {
			if text != "" {
				b = message(b, 13, message(message(nil, 1, []byte(key)), 2, []byte(text)))
			}
		}
	}
	if t.Ints != nil {
		kind = 7
		var raw []byte
		for _, v := range t.Ints {
			raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
		}
		b = message(b, 9, raw)
	}
	if t.Raw != nil {
		b = message(b, 9, t.Raw)
	}
	return message(number(b, 2, kind), 8, []byte(t.Name))
}

func (n ONNXNode) bytes() []byte {
	var b []byte
	for _, in := range n.In {
		b = message(b, 1, []byte(in))
	}
	for _, out := range n.Out {
		b = message(b, 2, []byte(out))
	}
	b = message(b, 4, []byte(n.Op))
	if n.Domain != "" {
		b = message(b, 7, []byte(n.Domain))
	}
	if n.Overload != "" {
		b = message(b, 8, []byte(n.Overload))
	}
	for name, v := range n.Attrs {
		a := message(nil, 1, []byte(name))
		switch v := v.(type) {
		case int64:
			a = number(a, 3, v)
		case float32:
			a = protowire.AppendFixed32(protowire.AppendTag(a, 2, protowire.Fixed32Type), math.Float32bits(v))
		case []int64:
			for _, x := range v {
				a = number(a, 8, x)
			}
		case string:
			a = message(a, 4, []byte(v))
		case []float32:
			for _, x := range v {
				a = protowire.AppendFixed32(protowire.AppendTag(a, 7, protowire.Fixed32Type), math.Float32bits(x))
			}
		case ONNXTensor:
			a = message(a, 5, v.bytes())
		case ONNXSparse:
			dense := message(nil, 1, ONNXTensor{}.bytes())
			for _, d := range v {
				dense = number(dense, 3, d)
			}
			a = message(a, 22, dense)
		case ONNX:
			a = message(a, 6, v.graph())
		case ONNXRef:
			a = message(a, 21, []byte(v))
		}
		b = message(b, 5, a)
	}
	return b
}

// SampleONNX is a model with the chains that real files have.
func SampleONNX() []byte {
	m := ONNX{
		Inputs: []ONNXInput{{Name: "x", Shape: []int64{-1, 4, 16, 16}, Dims: []string{"batch"}}},
		Weights: []ONNXTensor{
			{Name: "w", Shape: []int64{8, 4, 3, 3}},
			{Name: "k", Shape: []int64{8}},
			{Name: "c1", Shape: []int64{8, 1, 1}},
			{Name: "s", Shape: []int64{1}},
			{Name: "g", Shape: []int64{8, 4, 1, 1}},
			{Name: "t", Shape: []int64{8, 4, 2, 2}},
			{Name: "m", Shape: []int64{256, 10}},
			{Name: "zero", Shape: []int64{1}, Ints: []int64{0}},
			{Name: "minus", Shape: []int64{1}, Ints: []int64{-1}},
			{Name: "perm", Shape: []int64{5}, Ints: []int64{1, 2, 4, 8, 8}},
			{Name: "pads", Shape: []int64{8}, Ints: []int64{0, 0, 1, 1, 0, 0, 1, 1}},
			{Name: "W", Shape: []int64{2, 12, 10}},
			{Name: "R", Shape: []int64{2, 12, 3}},
			{Name: "sizes", Shape: []int64{4}, Ints: []int64{1, 4, 8, 8}},
		},
		Outputs: []string{"out"},
	}
	add := func(op string, in, out []string, attrs map[string]any) {
		m.Nodes = append(m.Nodes, ONNXNode{Op: op, In: in, Out: out, Attrs: attrs})
	}
	one := func(op, out string, attrs map[string]any, in ...string) { add(op, in, []string{out}, attrs) }
	one("Pad", "p", nil, "x", "pads")
	one("Conv", "a0", map[string]any{"strides": []int64{2, 2}}, "p", "w")
	one("BatchNormalization", "a1", nil, "a0", "k", "k", "k", "k")
	one("Mul", "a2", nil, "a1", "c1")
	one("Add", "a3", nil, "a2", "c1")
	one("Add", "h0", nil, "a3", "s")
	one("Clip", "h1", map[string]any{"min": float32(0), "max": float32(6)}, "h0")
	one("Mul", "h2", nil, "a3", "h1")
	one("Div", "h3", nil, "h2", "s")
	one("Conv", "b0", map[string]any{"group": int64(2)}, "h3", "g")
	one("Reshape", "b1", nil, "b0", "perm")
	one("Transpose", "b2", map[string]any{"perm": []int64{0, 2, 1, 3, 4}}, "b1")
	one("Shape", "b3", nil, "b0")
	one("Reshape", "b4", nil, "b2", "b3")
	one("ConvTranspose", "d0", map[string]any{"strides": []int64{2, 2}}, "b4", "t")
	one("Resize", "d1", nil, "d0", "", "", "sizes")
	one("Shape", "e0", nil, "d1")
	one("Gather", "e1", nil, "e0", "zero")
	one("Concat", "e2", map[string]any{"axis": int64(0)}, "e1", "minus")
	one("Reshape", "e3", nil, "d1", "e2")
	one("MatMul", "f0", nil, "e3", "m")
	one("Unsqueeze", "f1", map[string]any{"axes": []int64{1}}, "f0")
	add("LSTM", []string{"f1", "W", "R"}, []string{"f2"}, nil)
	one("Softmax", "out", nil, "f2")
	return m.Bytes()
}
