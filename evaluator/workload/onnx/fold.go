package onnx

import (
	"math"
	"slices"

	"apollo/evaluator/workload/graph"
)

// Shapes of other tensors are computed by small operations on integer arrays
// (Shape, Gather, Concat, Reshape): they are carried out here.

// fold computes output 0 from the values of the first count inputs, when all
// are known and small.
func (n *node) fold(compute func([][]float64) []float64, count int) {
	if n.err != nil || count > len(n.in) || n.out[0] < 0 {
		return
	}
	var in [][]float64
	total := 0
	for i := range count {
		v, ok := n.known(i)
		if !ok {
			return
		}
		in = append(in, v)
		total += len(v)
	}
	size := n.g.Elements(n.out[0])
	if size > graph.MaxFolded || total > graph.MaxFolded*graph.MaxRank {
		return
	}
	if v := compute(in); int64(len(v)) == size && n.err == nil {
		n.values[n.out[0]] = value{v, n.wholeInputs()}
	}
}

// keep passes the values of input 0 on.
func (n *node) keep() {
	n.fold(func(v [][]float64) []float64 { return v[0] }, 1)
}

// wholeInputs reports whether the known inputs are integers.
func (n *node) wholeInputs() bool {
	for _, t := range n.in {
		if v, ok := n.values[t]; ok && !v.integer {
			return false
		}
	}
	return true
}

// write gives output 0 known values, which are constant.
func (n *node) write(v []float64, isInteger bool, shape []int64, width int64) {
	n.set(0, shape)
	if n.err != nil {
		return
	}
	t := &n.g.Tensors[n.out[0]]
	t.Const, t.Bits = true, width
	if int64(len(v)) == graph.Elements(shape) && len(v) <= graph.MaxFolded {
		n.values[n.out[0]] = value{v, isInteger}
	}
}

func (n *node) shapeOf() {
	if !n.need(0, 0) {
		return
	}
	x := n.shape(0)
	first, _ := span(n.int("start", 0), int64(len(x)), 1, int64(len(x)))
	last, _ := span(n.int("end", int64(len(x))), int64(len(x)), 1, int64(len(x)))
	var v []float64
	for _, d := range x[first:max(first, last)] {
		v = append(v, float64(d))
	}
	n.write(v, true, []int64{int64(len(v))}, 64)
}

func (n *node) sizeOf() {
	if n.need(0, 0) {
		n.write([]float64{float64(n.g.Elements(n.in[0]))}, true, nil, 64)
	}
}

func (n *node) constantOp() {
	for _, name := range []string{"value", "value_float", "value_int", "value_floats", "value_ints", "value_string", "value_strings", "sparse_value"} {
		a, ok := n.attrs[name]
		if !ok {
			continue
		}
		switch name {
		case "value", "sparse_value":
			if a.tensor != nil {
				n.write(a.tensor.values, integer(a.tensor.kind), a.tensor.shape, bits(a.tensor.kind))
				return
			}
		case "value_float":
			n.write([]float64{a.f}, false, nil, 32)
			return
		case "value_int":
			n.write([]float64{float64(a.i)}, true, nil, 64)
			return
		case "value_floats":
			n.write(a.floats, false, []int64{int64(len(a.floats))}, 32)
			return
		case "value_ints":
			v := make([]float64, len(a.ints))
			for i, x := range a.ints {
				v[i] = float64(x)
			}
			n.write(v, true, []int64{int64(len(v))}, 64)
			return
		case "value_string", "value_strings":
			n.write(nil, false, nil, 0)
			return
		}
	}
	n.stated("it has no value")
	n.g.Tensors[n.out[0]].Const = true
}

func (n *node) constantOfShape() {
	shape, ok := n.ints(0, "")
	if !ok {
		n.stated("its shape is computed at run time")
		shape = n.g.Shape(n.out[0])
	}
	if err := graph.CheckShape(shape); err != nil {
		n.fail("its shape: %w", err)
		return
	}
	fill, isInteger, width := 0.0, false, int64(32)
	if a, given := n.attrs["value"]; given && a.tensor != nil {
		if len(a.tensor.values) == 1 {
			fill = a.tensor.values[0]
		}
		isInteger, width = integer(a.tensor.kind), bits(a.tensor.kind)
	}
	n.write(spread([]float64{fill}, min(graph.Elements(shape), graph.MaxFolded+1)), isInteger, shape, width)
}

func (n *node) rangeOp() {
	start, ok1 := n.known(0)
	limit, ok2 := n.known(1)
	delta, ok3 := n.known(2)
	if !ok1 || !ok2 || !ok3 || len(start) != 1 || len(limit) != 1 || len(delta) != 1 || delta[0] == 0 {
		n.stated("its bounds are computed at run time")
		n.emit(graph.Node{Op: graph.Copy, Fn: "range"})
		return
	}
	count := max(whole(math.Ceil((limit[0]-start[0])/delta[0])), 0)
	var v []float64
	for i := int64(0); i < count && count <= graph.MaxFolded; i++ {
		v = append(v, start[0]+float64(i)*delta[0])
	}
	n.write(v, n.wholeInputs(), []int64{count}, 64)
}

// nonZero is known for known arrays of one dimension, which is how exporters
// write a range.
func (n *node) nonZero() {
	v, ok := n.known(0)
	if !ok || len(n.shape(0)) != 1 {
		n.stated("it depends on data (a mixture of experts: export it with MoE or QMoE of com.microsoft)")
		n.emit(graph.Node{Op: graph.Copy, Fn: "nonzero"})
		return
	}
	var at []float64
	for i, x := range v {
		if x != 0 {
			at = append(at, float64(i))
		}
	}
	n.write(at, true, []int64{1, int64(len(at))}, 64)
}

// cast changes the type; to integers it cuts.
func (n *node) cast() {
	if !n.need(0, 0) {
		return
	}
	n.set(0, n.shape(0))
	to := n.int("to", 0)
	if to == 0 {
		to = typeNamed(n.attrs["to"].s)
	}
	if b := bits(to); b > 0 {
		n.g.Tensors[n.out[0]].Bits = b
		if n.fixed { // weights stay as they are stored
			n.g.Tensors[n.out[0]].Bits = min(b, n.bits(0))
		}
	}
	if v, ok := n.known(0); ok {
		out := make([]float64, len(v))
		for i, x := range v {
			switch out[i] = x; {
			case to == typeBool:
				out[i] = truth(x != 0)
			case integer(to):
				out[i] = math.Trunc(x)
			}
		}
		n.values[n.out[0]] = value{out, integer(to)}
	}
	n.emit(graph.Node{Op: graph.Requant, In: n.in[:1], Out: n.out[:1]})
}

// spread repeats one value, or returns v where it has the size.
func spread(v []float64, size int64) []float64 {
	if int64(len(v)) == size {
		return v
	}
	if len(v) != 1 || size > graph.MaxFolded+1 {
		return nil
	}
	out := make([]float64, size)
	for i := range out {
		out[i] = v[0]
	}
	return out
}

func unary(op string, v []float64) []float64 {
	do := map[string]func(float64) float64{
		"Neg": func(x float64) float64 { return -x }, "Abs": math.Abs, "Ceil": math.Ceil, "Floor": math.Floor,
		"Round": math.RoundToEven, "Sqrt": math.Sqrt, "Relu": func(x float64) float64 { return max(x, 0) },
		"Not": func(x float64) float64 { return truth(x == 0) }, "Sign": sign, "Exp": math.Exp, "Log": math.Log,
		"Reciprocal": func(x float64) float64 { return 1 / x },
		"IsNaN":      func(x float64) float64 { return truth(math.IsNaN(x)) },
		"IsInf":      func(x float64) float64 { return truth(math.IsInf(x, 0)) },
	}[op]
	if do == nil {
		return nil
	}
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = do(x)
	}
	return out
}

func sign(x float64) float64 { return truth(x > 0) - truth(x < 0) }

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// combine computes an operation between arrays that have been brought to one
// shape.
func combine(op string, v [][]float64, isInteger bool) []float64 {
	if len(v) == 0 || slices.ContainsFunc(v, func(x []float64) bool { return x == nil }) {
		return nil
	}
	if op == "Where" {
		return choose(v)
	}
	do := arithmetic(op, isInteger)
	if do == nil {
		return nil
	}
	out := slices.Clone(v[0])
	for _, next := range v[1:] {
		for i := range out {
			out[i] = do(out[i], next[i])
		}
	}
	return out
}

func choose(v [][]float64) []float64 {
	if len(v) != 3 {
		return nil
	}
	out := append([]float64(nil), v[2]...)
	for i := range out {
		if v[0][i] != 0 {
			out[i] = v[1][i]
		}
	}
	return out
}

func arithmetic(op string, isInteger bool) func(a, b float64) float64 {
	switch op {
	case "Add", "Sum":
		return func(a, b float64) float64 { return a + b }
	case "Sub":
		return func(a, b float64) float64 { return a - b }
	case "Mul":
		return func(a, b float64) float64 { return a * b }
	case "Div":
		if isInteger {
			return func(a, b float64) float64 { return math.Trunc(a / b) }
		}
		return func(a, b float64) float64 { return a / b }
	case "Mod":
		return func(a, b float64) float64 { return a - b*math.Floor(a/b) }
	case "Max":
		return math.Max
	case "Min":
		return math.Min
	case "Equal":
		return func(a, b float64) float64 { return truth(a == b) }
	case "Less":
		return func(a, b float64) float64 { return truth(a < b) }
	case "Greater":
		return func(a, b float64) float64 { return truth(a > b) }
	case "LessOrEqual":
		return func(a, b float64) float64 { return truth(a <= b) }
	case "GreaterOrEqual":
		return func(a, b float64) float64 { return truth(a >= b) }
	case "And":
		return func(a, b float64) float64 { return truth(a != 0 && b != 0) }
	case "Or":
		return func(a, b float64) float64 { return truth(a != 0 || b != 0) }
	case "Xor":
		return func(a, b float64) float64 { return truth(a != 0 != (b != 0)) }
	case "Pow":
		return math.Pow
	}
	return nil
}

// total reduces an array to one value.
func total(op string, v []float64) []float64 {
	if len(v) == 0 {
		return nil
	}
	switch op {
	case "ArgMax":
		return []float64{float64(slices.Index(v, slices.Max(v)))}
	case "ArgMin":
		return []float64{float64(slices.Index(v, slices.Min(v)))}
	case "ReduceMean":
		return []float64{total("ReduceSum", v)[0] / float64(len(v))}
	}
	do := arithmetic(map[string]string{"ReduceProd": "Mul", "ReduceSum": "Add", "ReduceMax": "Max", "ReduceMin": "Min"}[op], false)
	if do == nil {
		return nil
	}
	out := v[0]
	for _, x := range v[1:] {
		out = do(out, x)
	}
	return []float64{out}
}
