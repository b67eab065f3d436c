package tflite

import "slices"

// maxKnown bounds the elements of a tensor whose values are kept.
const maxKnown = 16

// numbers reads a small constant of integers or truth values, nil for all others.
func (m *model) numbers(kind int, elements int64, data list) []int64 {
	width := map[int]int{2: 4, 3: 1, 4: 8, 6: 1, 7: 2, 9: 1}[kind] // int32, uint8, int64, bool, int16, int8
	if width == 0 || elements < 1 || elements > maxKnown || int64(data.n) != elements*int64(width) || data.at >= len(m.r.data) {
		return nil
	}
	out := make([]int64, elements)
	for i := range out {
		b := m.r.bytes(data.at+i*width, width)
		for j := range b {
			out[i] |= int64(b[j]) << (8 * j)
		}
		if unused := 64 - 8*width; kind != 3 { // signed
			out[i] = out[i] << unused >> unused
		}
	}
	return out
}

// fold computes what follows from shapes and small constants: conditions are made
// of it.
func (o *operator) fold() {
	if len(o.out) != 1 || o.out[0] < 0 || !o.g.Tensors[o.out[0]].Const {
		return
	}
	var v []int64
	switch {
	case o.code.builtin == shapeOp && o.has(0):
		v = o.shape(0)
	case o.code.builtin == rankOp && o.has(0):
		v = []int64{int64(len(o.shape(0)))}
	default:
		v = o.computed()
	}
	if n := int64(len(v)); n > 0 && n <= maxKnown && n == o.g.Elements(o.out[0]) {
		o.known[o.out[0]] = v
	}
}

// computed is the result of an operator on known integers, nil where one is not
// known or the operator makes no condition.
func (o *operator) computed() []int64 {
	var in [][]int64
	for _, t := range o.in {
		in = append(in, o.known[t])
	}
	if len(in) == 0 || in[0] == nil {
		return nil
	}
	a := in[0]
	switch o.code.builtin {
	case 22, 43, 53, 70: // RESHAPE, SQUEEZE, CAST, EXPAND_DIMS
		return a
	case 87: // LOGICAL_NOT
		return each(a, []int64{0}, func(x, _ int64) int64 { return truth(x == 0) })
	case 2, 83: // CONCATENATION, PACK: of numbers and lists
		if slices.ContainsFunc(in, func(v []int64) bool { return v == nil }) {
			return nil
		}
		return slices.Concat(in...)
	case 36: // GATHER
		if len(in) < 2 || len(in[1]) != 1 || in[1][0] < 0 || in[1][0] >= int64(len(a)) {
			return nil
		}
		return a[in[1][0] : in[1][0]+1]
	case 45: // STRIDED_SLICE of a list
		return o.strided(in)
	}
	do := operation(o.code.builtin)
	if do == nil || len(in) != 2 || in[1] == nil {
		return nil
	}
	return each(a, in[1], do)
}

// strided takes every stride-th number of a list.
func (o *operator) strided(in [][]int64) []int64 {
	if len(in) != 4 || len(in[1]) != 1 || len(in[2]) != 1 || len(in[3]) != 1 || in[3][0] < 1 || len(o.shape(0)) != 1 {
		return nil
	}
	size := int64(len(in[0]))
	place := func(v int64) int64 {
		if v < 0 {
			v += size
		}
		return max(0, min(v, size))
	}
	first, last := place(in[1][0]), place(in[2][0])
	if o.options.int32(0, 0)&1 != 0 {
		first = 0
	}
	switch {
	case o.options.int32(4, 0)&1 != 0: // one number, without its axis
		last = first + 1
	case o.options.int32(1, 0)&1 != 0:
		last = size
	}
	var out []int64
	for i := first; i < min(last, size); i += in[3][0] {
		out = append(out, in[0][i])
	}
	return out
}

// each applies a function to numbers at the same place; one number stands for all.
func each(a, b []int64, do func(x, y int64) int64) []int64 {
	n := max(len(a), len(b))
	if len(a) != n && len(a) != 1 || len(b) != n && len(b) != 1 {
		return nil
	}
	out := make([]int64, n)
	for i := range out {
		out[i] = do(a[min(i, len(a)-1)], b[min(i, len(b)-1)])
	}
	return out
}

func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// operation returns the function behind an operator of two integers.
func operation(code int64) func(x, y int64) int64 {
	switch code {
	case 0: // ADD
		return func(x, y int64) int64 { return x + y }
	case 41: // SUB
		return func(x, y int64) int64 { return x - y }
	case 18: // MUL
		return func(x, y int64) int64 { return x * y }
	case 55: // MAXIMUM
		return func(x, y int64) int64 { return max(x, y) }
	case 57: // MINIMUM
		return func(x, y int64) int64 { return min(x, y) }
	case 58: // LESS
		return func(x, y int64) int64 { return truth(x < y) }
	case 61: // GREATER
		return func(x, y int64) int64 { return truth(x > y) }
	case 62: // GREATER_EQUAL
		return func(x, y int64) int64 { return truth(x >= y) }
	case 63: // LESS_EQUAL
		return func(x, y int64) int64 { return truth(x <= y) }
	case 71: // EQUAL
		return func(x, y int64) int64 { return truth(x == y) }
	case 72: // NOT_EQUAL
		return func(x, y int64) int64 { return truth(x != y) }
	case 84: // LOGICAL_OR
		return func(x, y int64) int64 { return truth(x != 0 || y != 0) }
	case 86: // LOGICAL_AND
		return func(x, y int64) int64 { return truth(x != 0 && y != 0) }
	}
	return nil
}
