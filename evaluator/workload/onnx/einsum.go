package onnx

import (
	"maps"
	"slices"
	"strings"

	"apollo/evaluator/workload/graph"
)

// operand is a tensor of an Einsum with a label for each dimension.
type operand struct {
	t      int
	labels string
}

// einsum contracts two tensors at a time, from the left, as runtimes do: each
// pair is a product of matrices. One tensor is reordered or reduced.
func (n *node) einsum() {
	equation := strings.ReplaceAll(n.attrs["equation"].s, " ", "")
	left, out, explicit := strings.Cut(equation, "->")
	terms := strings.Split(left, ",")
	if len(n.in) == 0 || len(terms) != len(n.in) || slices.Min(n.in) < 0 {
		n.misfit("the equation %q has %d terms for %d inputs", equation, len(terms), len(n.in))
		return
	}
	size := map[rune]int64{}
	for i := range terms {
		terms[i] = n.labels(terms[i], i, size)
	}
	if !explicit { // what stands once, in the order of the alphabet
		out = implicit(terms)
	}
	out = ellipsis(out, size)
	if n.err != nil {
		return
	}
	for i, r := range []rune(out) {
		if _, ok := size[r]; !ok || strings.ContainsRune(out[:i], r) {
			n.misfit("the equation %q does not fit: %q", equation, r)
			return
		}
	}
	n.set(0, sized(out, size))
	n.contractAll(terms, out, size)
}

func sized(labels string, size map[rune]int64) (shape []int64) {
	for _, r := range labels {
		shape = append(shape, size[r])
	}
	return shape
}

// contractAll appends the products of a chain of operands.
func (n *node) contractAll(terms []string, out string, size map[rune]int64) {
	if len(terms) == 1 {
		node := graph.Node{Op: graph.Copy, Fn: "transpose"}
		if x := n.diagonal(operand{n.in[0], terms[0]}); len(x.labels) > len(out) {
			node = graph.Node{Op: graph.Reduce, Fn: "sum", In: []int{x.t}}
		} else if x.t != n.in[0] {
			node.In = []int{x.t}
		}
		n.emit(node)
		return
	}
	a := n.diagonal(n.squeezed(operand{n.in[0], terms[0]}, size))
	for i := 1; i < len(terms) && n.err == nil; i++ {
		b := n.diagonal(n.squeezed(operand{n.in[i], terms[i]}, size))
		later := out + strings.Join(terms[i+1:], "")
		a, b = n.summed(a, b.labels+later, size), n.summed(b, a.labels+later, size)
		into := operand{n.out[0], out}
		if i+1 < len(terms) {
			into.labels = distinct(a.labels + b.labels)
			into.labels = strings.Map(func(r rune) rune {
				if strings.ContainsRune(later, r) {
					return r
				}
				return -1
			}, into.labels)
			into.t = n.step(".step", sized(into.labels, size), a.t, b.t)
		}
		if n.err == nil {
			n.beside(func() { n.contract(a, b, into, size) }, []int{a.t, b.t})
		}
		a = into
	}
}

// distinct leaves each label once.
func distinct(labels string) string {
	var out []rune
	for _, r := range labels {
		if !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	return string(out)
}

// step adds a tensor between two layers, constant where all it is made of is.
func (n *node) step(suffix string, shape []int64, of ...int) int {
	t := n.inner(suffix, shape...)
	if n.err == nil {
		n.g.Tensors[t].Const = n.g.AllConst(of)
	}
	return t
}

// squeezed leaves out the dimensions of 1 that others of the same label repeat.
func (n *node) squeezed(x operand, size map[rune]int64) operand {
	var labels []rune
	var shape []int64
	for i, r := range []rune(x.labels) {
		if d := n.g.Shape(x.t)[i]; d == size[r] {
			labels, shape = append(labels, r), append(shape, d)
		}
	}
	if len(shape) == len(x.labels) || n.err != nil {
		return x
	}
	t := n.step(".squeezed", shape, x.t)
	n.beside(func() { n.emit(graph.Node{Op: graph.View, In: []int{x.t}, Out: []int{t}}) }, []int{x.t})
	return operand{t, string(labels)}
}

// diagonal takes the elements of an operand at which equal labels are equal.
func (n *node) diagonal(x operand) operand {
	labels := distinct(x.labels)
	if len(labels) == len(x.labels) || n.err != nil {
		return x
	}
	var shape []int64
	for _, r := range labels {
		shape = append(shape, n.g.Shape(x.t)[strings.IndexRune(x.labels, r)])
	}
	t := n.step(".diagonal", shape, x.t)
	n.beside(func() { n.emit(graph.Node{Op: graph.Copy, Fn: "diagonal", In: []int{x.t}, Out: []int{t}}) }, []int{x.t})
	return operand{t, labels}
}

// summed adds up an operand over the dimensions that nothing else names.
func (n *node) summed(x operand, others string, size map[rune]int64) operand {
	var labels []rune
	for _, r := range x.labels {
		if strings.ContainsRune(others, r) {
			labels = append(labels, r)
		}
	}
	if len(labels) == len(x.labels) || n.err != nil {
		return x
	}
	t := n.step(".sum", sized(string(labels), size), x.t)
	n.beside(func() { n.emit(graph.Node{Op: graph.Reduce, Fn: "sum", In: []int{x.t}, Out: []int{t}}) }, []int{x.t})
	return operand{t, string(labels)}
}

// dots are the labels of the dimensions that "..." stands for, from the last.
const dots = "76543210" // no letters, and before them in order

// labels writes a term without "...", and notes the sizes.
func (n *node) labels(term string, i int, size map[rune]int64) string {
	s := n.shape(i)
	if at := strings.Index(term, "..."); at >= 0 {
		rest := len(s) - (len(term) - len("..."))
		if rest < 0 || rest > len(dots) {
			n.misfit("the term %q does not fit the input %v", term, s)
			return ""
		}
		run := []byte(dots[:rest])
		slices.Reverse(run)
		term = term[:at] + string(run) + term[at+len("..."):]
	}
	if len(term) != len(s) {
		n.misfit("the term %q does not fit the input %v", term, s)
		return ""
	}
	for j, r := range term {
		if have, ok := size[r]; ok && have != s[j] && have != 1 && s[j] != 1 {
			n.misfit("the dimension %q is %d and %d: the term %q does not fit", r, have, s[j], term)
			return ""
		}
		size[r] = max(size[r], s[j])
	}
	return term
}

// ellipsis writes the output without "...": all the labels that stand for it.
func ellipsis(out string, size map[rune]int64) string {
	var run []byte
	for i := len(dots) - 1; i >= 0; i-- {
		if _, ok := size[rune(dots[i])]; ok {
			run = append(run, dots[i])
		}
	}
	return strings.Replace(out, "...", string(run), 1)
}

func implicit(terms []string) string {
	var once []rune
	all := strings.Join(terms, "")
	for _, r := range all {
		if strings.Count(all, string(r)) == 1 || strings.ContainsRune(dots, r) && !slices.Contains(once, r) {
			once = append(once, r)
		}
	}
	slices.Sort(once)
	return string(once)
}

// contract appends the product of two: what is in both and stays is a batch,
// what is in both and goes is summed over.
func (n *node) contract(x, y, into operand, size map[rune]int64) {
	d := graph.Dims{N: 1, M: 1, K: 1, C: 1}
	for _, r := range slices.Sorted(maps.Keys(size)) {
		s := size[r]
		a, b, stays := strings.ContainsRune(x.labels, r), strings.ContainsRune(y.labels, r), strings.ContainsRune(into.labels, r)
		var dim *int64
		switch {
		case a && b && stays:
			dim = &d.N
		case a && b:
			dim = &d.C
		case a:
			dim = &d.M
		case b:
			dim = &d.K
		default:
			continue
		}
		if s < 1 || *dim > graph.MaxElements/s {
			n.misfit("a dimension of %d does not fit", s)
			return
		}
		*dim *= s
	}
	out := []int{into.t}
	if d.C == 1 && d.M == 1 && d.K == 1 {
		n.emit(graph.Node{Op: graph.Eltwise, Fn: "mul", In: []int{x.t, y.t}, Out: out})
		return
	}
	product := graph.MatMulNode(n.g, d, x.t, y.t)
	product.Out = out
	n.emit(product)
}
