// Package modeltest writes small model files for tests.
package modeltest

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"
)

// TFLite is a TensorFlow Lite model.
type TFLite struct {
	Tensors         []TFTensor
	Ops             []TFOp
	Inputs, Outputs []int32
	// Branches are further subgraphs, which have no branches of their own.
	Branches []TFLite
	// Signatures name the main subgraph's inputs and outputs for callers, in so
	// many ways.
	Signatures int
}

// TFTensor is a tensor; a constant one has a buffer with a few bytes.
type TFTensor struct {
	Name      string
	Shape     []int32
	Type      byte // of the schema's TensorType
	Const     bool
	True      bool // constant, one byte that is not 0
	Variable  bool
	Signature []int32
	// Channels is how many scales it has, along its first dimension.
	Channels int
	// Sparse says that its rows are stored compressed.
	Sparse bool
}

// TFOp is an operator. Options are 32-bit fields of its table by position.
type TFOp struct {
	Code    int32
	Custom  string
	Old     bool // the code is only in the deprecated byte
	In, Out []int32
	Options map[int]int32
	Text    map[int]string // options that are strings
	More    map[int]int32  // fields of the second table of options
}

// table is a FlatBuffers table by field: int32, byte, string, []int32, []int64,
// []byte, table or []table.
type table map[int]any

// Bytes writes the file.
func (m TFLite) Bytes() []byte {
	var codes, subs []table
	for _, g := range append([]TFLite{m}, m.Branches...) {
		sub, own := g.subgraph(len(codes))
		codes, subs = append(codes, own...), append(subs, sub)
	}
	w := &flat{}
	w.b = append(w.b, 0, 0, 0, 0, 'T', 'F', 'L', '3')
	root := w.table(table{
		0: int32(3), 1: codes, 2: subs,
		4: []table{{}, {0: []byte{1, 2, 3, 4}}, {0: []byte{1}}},
		7: m.signatures(),
	})
	binary.LittleEndian.PutUint32(w.b, uint32(root))
	return w.b
}

// signatures are the tables that name inputs and outputs.
func (m TFLite) signatures() (list []table) {
	named := func(tensors []int32) (list []table) {
		for _, t := range tensors {
			list = append(list, table{0: m.Tensors[t].Name, 1: t})
		}
		return list
	}
	for range m.Signatures {
		list = append(list, table{0: named(m.Inputs), 1: named(m.Outputs), 2: "serving_default", 4: int32(0)})
	}
	return list
}

// quantised is the table of a tensor's scales, zero points and their dimension.
func (t TFTensor) quantised() table {
	var scales []int32
	for range t.Channels {
		scales = append(scales, 0x3f000000) // 0.5
	}
	return table{2: scales, 3: make([]int64, t.Channels), 6: int32(0)}
}

// sparse is the table of how rows are stored: a dense dimension, and one of which the
// places are listed.
func (t TFTensor) sparse() table {
	return table{0: []int32{0, 1}, 2: []table{
		{0: byte(0), 1: t.Shape[0]},
		{0: byte(1), 2: byte(1), 3: table{0: []int32{0, 2, 4}}, 4: byte(1), 5: table{0: []int32{0, 3, 1, 2}}},
	}}
}

// subgraph is the graph without its branches, and the codes of its operators.
func (m TFLite) subgraph(first int) (sub table, codes []table) {
	var tensors, ops []table
	for _, t := range m.Tensors {
		x := table{0: t.Shape, 1: t.Type, 2: int32(0), 3: t.Name}
		switch {
		case t.True:
			x[2] = int32(2)
		case t.Const:
			x[2] = int32(1)
		}
		if t.Variable {
			x[5] = byte(1)
		}
		if t.Signature != nil {
			x[7] = t.Signature
		}
		if t.Channels > 0 {
			x[4] = t.quantised()
		}
		if t.Sparse {
			x[6] = t.sparse()
		}
		tensors = append(tensors, x)
	}
	for i, o := range m.Ops {
		code := table{0: byte(min(o.Code, 127)), 3: o.Code}
		if o.Old {
			delete(code, 3)
		}
		if o.Custom != "" {
			code[1] = o.Custom
		}
		codes = append(codes, code)
		op := table{0: int32(first + i), 1: o.In, 2: o.Out}
		if o.Options != nil || o.Text != nil {
			options := table{}
			for f, v := range o.Options {
				options[f] = v
			}
			for f, v := range o.Text {
				options[f] = v
			}
			op[3], op[4] = byte(1), options
		}
		if o.More != nil {
			more := table{}
			for f, v := range o.More {
				more[f] = v
			}
			op[11], op[12] = byte(1), more
		}
		ops = append(ops, op)
	}
	return table{0: tensors, 1: m.Inputs, 2: m.Outputs, 3: ops}, codes
}

// flat writes parents before children, so that every offset points forward.
type flat struct{ b []byte }

func (w *flat) u32(v int) int {
	w.b = binary.LittleEndian.AppendUint32(w.b, uint32(v))
	return len(w.b) - 4
}

func (w *flat) table(t table) int {
	fields := slices.Sorted(maps.Keys(t))
	last := -1
	if len(fields) > 0 {
		last = fields[len(fields)-1]
	}
	list := len(w.b)
	w.b = binary.LittleEndian.AppendUint16(w.b, uint16(4+2*(last+1)))
	w.b = binary.LittleEndian.AppendUint16(w.b, uint16(4+4*len(fields)))
	for f := range last + 1 {
		at := 0
		if i, ok := slices.BinarySearch(fields, f); ok {
			at = 4 + 4*i
		}
		w.b = binary.LittleEndian.AppendUint16(w.b, uint16(at))
	}
	start := len(w.b)
	w.u32(start - list)
	places := make([]int, len(fields))
	for i, f := range fields {
		switch v := t[f].(type) {
		case int32:
			w.u32(int(v))
		case byte:
			w.u32(int(v))
		default:
			places[i] = w.u32(0)
		}
	}
	for i, f := range fields {
		if places[i] > 0 {
			at := w.value(t[f])
			binary.LittleEndian.PutUint32(w.b[places[i]:], uint32(at-places[i]))
		}
	}
	return start
}

func (w *flat) value(v any) int {
	switch v := v.(type) {
	case table:
		return w.table(v)
	case string:
		at := w.u32(len(v))
		w.b = append(w.b, v...)
		return at
	case []byte:
		at := w.u32(len(v))
		w.b = append(w.b, v...)
		return at
	case []int32:
		at := w.u32(len(v))
		for _, x := range v {
			w.u32(int(x))
		}
		return at
	case []int64:
		at := w.u32(len(v))
		for _, x := range v {
			w.b = binary.LittleEndian.AppendUint64(w.b, uint64(x))
		}
		return at
	case []table:
		at := w.u32(len(v))
		for range v {
			w.u32(0)
		}
		for i, x := range v {
			place := at + 4 + 4*i
			child := w.table(x)
			binary.LittleEndian.PutUint32(w.b[place:], uint32(child-place))
		}
		return at
	}
	return w.u32(0)
}

// Type numbers of the schema's TensorType.
const (
	TFFloat32 = 0
	TFFloat16 = 1
	TFInt8    = 9
)

// SampleTFLite is a model with one operator of most kinds.
func SampleTFLite() []byte {
	m := TFLite{Inputs: []int32{0}}
	add := func(t TFTensor) int32 {
		t.Name = cmp.Or(t.Name, "t")
		m.Tensors = append(m.Tensors, t)
		return int32(len(m.Tensors) - 1)
	}
	data := func(shape ...int32) int32 { return add(TFTensor{Shape: shape, Type: TFInt8}) }
	weights := func(shape ...int32) int32 { return add(TFTensor{Name: "w", Shape: shape, Type: TFInt8, Const: true}) }
	op := func(code int32, out int32, options map[int]int32, in ...int32) int32 {
		m.Ops = append(m.Ops, TFOp{Code: code, In: in, Out: []int32{out}, Options: options})
		return out
	}
	x := add(TFTensor{Name: "image", Shape: []int32{1, 16, 16, 4}, Type: TFInt8, Signature: []int32{-1, 16, 16, 4}})
	half := add(TFTensor{Shape: []int32{8, 3, 3, 4}, Type: TFFloat16, Const: true})
	full := add(TFTensor{Shape: []int32{8, 3, 3, 4}})
	op(6, full, nil, half)
	x = op(34, data(1, 17, 17, 4), nil, x, weights(4, 2))
	x = op(3, data(1, 8, 8, 8), map[int]int32{0: 1, 1: 2, 2: 2, 3: 3}, x, full, weights(8))
	y := op(4, data(1, 8, 8, 8), map[int]int32{1: 1, 2: 1, 4: 1, 5: 2, 6: 2}, x, weights(1, 3, 3, 8), weights(8))
	x = op(0, data(1, 8, 8, 8), map[int]int32{0: 1}, x, y)
	x = op(3, data(1, 8, 8, 8), map[int]int32{1: 1, 2: 1}, x, weights(8, 1, 1, 4), weights(8))
	x = op(67, data(1, 16, 16, 4), map[int]int32{1: 2, 2: 2}, weights(4), weights(4, 2, 2, 8), x)
	x = op(117, data(1, 16, 16, 4), nil, x)
	x = op(17, data(1, 8, 8, 4), map[int]int32{1: 2, 2: 2, 3: 2, 4: 2}, x)
	x = op(23, data(1, 16, 16, 4), nil, x, weights(2))
	x = op(40, data(1, 4), nil, x, weights(2))
	x = op(9, data(1, 8), map[int]int32{0: 1}, x, weights(8, 4), weights(8))
	state := add(TFTensor{Name: "state", Shape: []int32{1, 24}, Type: TFInt8, Variable: true})
	x = op(27, data(1, 4), map[int]int32{0: 1}, x, weights(4, 8), weights(4, 6), weights(4), state)
	x = op(22, data(1, 2, 2), nil, x, weights(3))
	m.Ops = append(m.Ops, TFOp{Code: 44, In: []int32{
		x, weights(3, 2), weights(3, 2), weights(3, 2), weights(3, 2),
		weights(3, 3), weights(3, 3), weights(3, 3), weights(3, 3),
	}, Out: []int32{data(1, 2, 3)}})
	x = m.Ops[len(m.Ops)-1].Out[0]
	x = op(25, data(1, 2, 3), nil, x)
	m.Ops = append(m.Ops, TFOp{Code: 32, Custom: "Mystery", In: []int32{x}, Out: []int32{data(1, 2)}})
	m.Outputs = []int32{int32(len(m.Tensors) - 1)}
	return m.Bytes()
}
