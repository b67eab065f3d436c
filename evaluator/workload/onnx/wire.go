package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"

	"apollo/evaluator/number"
	"apollo/evaluator/workload/graph"
)

// reader walks protocol buffer messages without generated code. Slices that it
// hands out share the file's memory.
type reader struct {
	file    []byte
	objects int
}

// offset returns where b stands in the file.
func (r *reader) offset(b []byte) int { return cap(r.file) - cap(b) }

// field is one field of a message: b of a length-delimited one, n of the
// others.
type field struct {
	num  protowire.Number
	typ  protowire.Type
	n    uint64
	b    []byte
	r    *reader
	rest []byte // of the message, at this field
}

// fields calls visit for every field of a message.
func (r *reader) fields(message []byte, visit func(field) error) error {
	for rest := message; len(rest) > 0; {
		if r.objects++; r.objects > graph.MaxObjects {
			return fmt.Errorf("offset %d: the file has more than %d fields", r.offset(rest), graph.MaxObjects)
		}
		num, typ, size := protowire.ConsumeTag(rest)
		if size < 0 {
			return r.damaged(rest, "a field")
		}
		f := field{num: num, typ: typ, r: r, rest: rest}
		body := rest[size:]
		var used int
		switch typ {
		case protowire.VarintType:
			f.n, used = protowire.ConsumeVarint(body)
		case protowire.Fixed32Type:
			var v uint32
			v, used = protowire.ConsumeFixed32(body)
			f.n = uint64(v)
		case protowire.Fixed64Type:
			f.n, used = protowire.ConsumeFixed64(body)
		case protowire.BytesType:
			f.b, used = r.delimited(body)
		default: // groups, which no ONNX message has
			used = -1
		}
		if used < 0 {
			return r.damaged(rest, fmt.Sprintf("field %d", num))
		}
		if err := visit(f); err != nil {
			return err
		}
		rest = body[used:]
	}
	return nil
}

// delimited is protowire.ConsumeBytes that keeps the capacity, from which the
// offset follows.
func (r *reader) delimited(body []byte) (b []byte, used int) {
	n, size := protowire.ConsumeVarint(body)
	if size < 0 || n > uint64(len(body)-size) {
		return nil, -1
	}
	used = size + int(n)
	return body[size:used], used
}

func (r *reader) damaged(at []byte, what string) error {
	return fmt.Errorf("offset %d: %s does not fit into the file: it is damaged or not complete; export or download it again", r.offset(at), what)
}

// text returns a string field, clipped to what a name keeps.
func (f field) text() string { return graph.Clip(f.b) }

// each calls visit for every number of a repeated field, packed or not.
func (f field) each(visit func(uint64) error) error {
	if f.typ != protowire.BytesType {
		return visit(f.n)
	}
	for rest := f.b; len(rest) > 0; {
		if f.r.objects++; f.r.objects > graph.MaxObjects {
			return fmt.Errorf("offset %d: the file has more than %d fields and list entries", f.r.offset(rest), graph.MaxObjects)
		}
		n, used := protowire.ConsumeVarint(rest)
		if used < 0 {
			return f.r.damaged(rest, "a list of numbers")
		}
		if err := visit(n); err != nil {
			return err
		}
		rest = rest[used:]
	}
	return nil
}

// Element types of onnx.proto, TensorProto.DataType, of which values are read.
const (
	typeFloat, typeUint8, typeInt8    = 1, 2, 3
	typeUint16, typeInt16             = 4, 5
	typeInt32, typeInt64, typeBool    = 6, 7, 9
	typeHalf, typeDouble              = 10, 11
	typeUint32, typeUint64, typeBrain = 12, 13, 16
)

// bits returns the width of an element type.
func bits(kind int64) int64 {
	widths := []int64{0, 32, 8, 8, 16, 16, 32, 64, 0, 8, 16, 64, 32, 64, 64, 128, 16, 8, 8, 8, 8, 4, 4, 4, 8, 2, 2}
	if kind >= 0 && kind < int64(len(widths)) {
		return widths[kind]
	}
	return 0
}

// format returns the format of an element type.
func format(kind int64) number.Format {
	f := number.Format{Bits: bits(kind)}
	switch kind {
	case typeFloat, typeHalf, typeDouble, 17, 18, 19, 20, 23, 24:
		f.Kind = number.Float
	case typeBrain:
		f.Kind = number.Brain
	}
	return f
}

// integer reports whether an element type counts.
func integer(kind int64) bool {
	switch kind {
	case typeUint8, typeUint16, typeInt16, typeInt8, typeInt32, typeInt64, typeBool, typeUint32, typeUint64:
		return true
	}
	return false
}

// tensor is a TensorProto without its large arrays.
type tensor struct {
	name   string
	shape  []int64
	kind   int64
	values []float64 // at most graph.MaxFolded of them, else nil
	// external says where the values are, when they are in another file.
	external *external
}

// external is the place of a tensor's values in another file.
type external struct {
	location string
	offset   int64
	length   int64  // -1 where the file does not say
	wrong    string // what is wrong with these
}

// external reads an entry of TensorProto.external_data.
func (r *reader) external(t *tensor, message []byte) error {
	var key, text string
	err := r.fields(message, func(f field) error {
		switch f.num {
		case 1:
			key = f.text()
		case 2:
			text = string(f.b)
		}
		return nil
	})
	if t.external == nil {
		t.external = &external{length: -1}
	}
	switch key {
	case "location":
		t.external.location = graph.Clip(text)
	case "offset":
		t.external.offset = t.external.number(key, text)
	case "length":
		t.external.length = t.external.number(key, text)
	}
	return err
}

func (e *external) number(key, text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		e.wrong = fmt.Sprintf("its %s is %q, want a whole number of 0 or more", key, graph.Clip(text))
		return 0
	}
	return n
}

// tensor reads a TensorProto (onnx.proto).
func (r *reader) tensor(message []byte) (t tensor, err error) {
	var raw []byte
	keep := func(v float64) {
		if len(t.values) <= graph.MaxFolded {
			t.values = append(t.values, v)
		}
	}
	err = r.fields(message, func(f field) error {
		switch f.num {
		case 1:
			return f.each(func(n uint64) error {
				t.shape = append(t.shape, int64(n))
				if len(t.shape) > graph.MaxRank {
					return fmt.Errorf("offset %d: a tensor has more than %d dimensions", r.offset(message), graph.MaxRank)
				}
				return nil
			})
		case 2:
			t.kind = int64(f.n)
		case 4:
			fixed(f, 4, keep)
		case 5, 7, 11:
			return r.listed(f, func(n uint64) error { keep(float64(int64(n))); return nil })
		case 8:
			t.name = string(f.b)
		case 9:
			raw = f.b
		case 10:
			fixed(f, 8, keep)
		case 13:
			return r.external(&t, f.b)
		case 14:
			if f.n == 1 && t.external == nil { // EXTERNAL; where to find it may follow
				t.external = &external{length: -1}
			}
		}
		return nil
	})
	if err != nil {
		return t, err
	}
	if err := graph.CheckShape(t.shape); err != nil {
		return t, fmt.Errorf("offset %d: tensor %q: %w", r.offset(message), t.name, err)
	}
	switch n := graph.Elements(t.shape); {
	case n == 0:
		t.values = []float64{} // known: there are none
	case n > graph.MaxFolded:
		t.values = nil
	case raw != nil:
		t.values = decode(raw, t.kind, int(n))
	case int64(len(t.values)) != n || bits(t.kind) < 8: // several to a number
		t.values = nil
	case t.kind == typeHalf || t.kind == typeBrain: // as their patterns
		for i, v := range t.values {
			t.values[i] = short(uint16(whole(v)), t.kind)
		}
	}
	return t, nil
}

// short is the number behind a floating-point pattern of 16 bits.
func short(pattern uint16, kind int64) float64 {
	if kind == typeBrain {
		return float64(math.Float32frombits(uint32(pattern) << 16))
	}
	const fraction, bias = 10, 15 // of float16: bits, and the exponent of 1
	exponent, low := int(pattern>>fraction&0x1f), float64(pattern&0x3ff)
	v := math.Ldexp(low, 1-bias-fraction)
	switch {
	case exponent == 0x1f && low != 0:
		v = math.NaN()
	case exponent == 0x1f:
		v = math.Inf(1)
	case exponent > 0:
		v = math.Ldexp(low+1<<fraction, exponent-bias-fraction)
	}
	if pattern>>15 != 0 {
		return -v
	}
	return v
}

// listed visits the numbers of a list while they may matter: lists of weights
// are skipped.
func (r *reader) listed(f field, visit func(uint64) error) error {
	const widest = 10 // bytes of a number
	if len(f.b) > graph.MaxFolded*widest {
		return nil
	}
	return f.each(visit)
}

// fixed visits floating-point numbers of 4 or 8 bytes.
func fixed(f field, width int, visit func(float64)) {
	one := func(n uint64) {
		if width == 4 {
			visit(float64(math.Float32frombits(uint32(n))))
			return
		}
		visit(math.Float64frombits(n))
	}
	if f.typ != protowire.BytesType {
		one(f.n)
		return
	}
	for i := 0; i+width <= min(len(f.b), (graph.MaxFolded+1)*width); i += width {
		n := uint64(binary.LittleEndian.Uint32(f.b[i:]))
		if width == 8 {
			n = binary.LittleEndian.Uint64(f.b[i:])
		}
		one(n)
	}
}

// decode reads n elements of raw_data, nil for other types or lengths.
func decode(raw []byte, kind int64, n int) []float64 {
	width := int(bits(kind) / 8)
	if width == 0 || len(raw) != n*width {
		return nil
	}
	out := make([]float64, n)
	for i := range out {
		b := raw[i*width:]
		switch kind {
		case typeFloat:
			out[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
		case typeDouble:
			out[i] = math.Float64frombits(binary.LittleEndian.Uint64(b))
		case typeInt64:
			out[i] = float64(int64(binary.LittleEndian.Uint64(b)))
		case typeInt32:
			out[i] = float64(int32(binary.LittleEndian.Uint32(b)))
		case typeUint64:
			out[i] = float64(binary.LittleEndian.Uint64(b))
		case typeUint32:
			out[i] = float64(binary.LittleEndian.Uint32(b))
		case typeInt16:
			out[i] = float64(int16(binary.LittleEndian.Uint16(b)))
		case typeUint16:
			out[i] = float64(binary.LittleEndian.Uint16(b))
		case typeHalf, typeBrain:
			out[i] = short(binary.LittleEndian.Uint16(b), kind)
		case typeUint8, typeBool:
			out[i] = float64(b[0])
		case typeInt8:
			out[i] = float64(int8(b[0]))
		default:
			return nil
		}
	}
	return out
}

// sparse reads a SparseTensorProto: values with their name, indices, shape.
func (r *reader) sparse(message []byte) (t tensor, err error) {
	var shape []int64
	err = r.fields(message, func(f field) error {
		switch f.num {
		case 1:
			var err error
			t, err = r.tensor(f.b)
			return err
		case 3:
			return f.each(func(n uint64) error {
				if shape = append(shape, int64(n)); len(shape) > graph.MaxRank {
					return fmt.Errorf("offset %d: a tensor has more than %d dimensions", r.offset(message), graph.MaxRank)
				}
				return nil
			})
		}
		return nil
	})
	t.shape, t.values = shape, nil
	return t, err
}

// attribute is an AttributeProto; lists beyond graph.MaxFolded are cut.
type attribute struct {
	i      int64
	f      float64
	s      string
	ints   []int64
	floats []float64
	tensor *tensor
	graph  []byte
	ref    string // the attribute of the function around it that this one is
}

func (r *reader) attribute(message []byte) (name string, a attribute, err error) {
	err = r.fields(message, func(f field) error {
		switch f.num {
		case 1:
			name = f.text()
		case 2:
			a.f = float64(math.Float32frombits(uint32(f.n)))
		case 3:
			a.i = int64(f.n)
		case 4:
			a.s = f.text()
		case 5:
			t, err := r.tensor(f.b)
			a.tensor = &t
			return err
		case 22:
			t, err := r.sparse(f.b)
			a.tensor = &t
			return err
		case 6:
			a.graph = f.b
		case 21:
			a.ref = f.text()
		case 7:
			fixed(f, 4, func(v float64) {
				if len(a.floats) < graph.MaxFolded {
					a.floats = append(a.floats, v)
				}
			})
		case 8:
			return f.each(func(n uint64) error {
				if len(a.ints) < graph.MaxFolded {
					a.ints = append(a.ints, int64(n))
				}
				return nil
			})
		}
		return nil
	})
	return name, a, err
}
