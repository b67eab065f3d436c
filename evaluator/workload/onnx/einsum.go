package onnx

import (
	"maps"
	"slices"
	"strings"

	"apollo/evaluator/workload/graph"
)

// einsum is a contraction of two tensors, which is a product of matrices, or
// one tensor that is reordered or reduced.
func (n *node) einsum() {
	equation := strings.ReplaceAll(n.attrs["equation"].s, " ", "")
	left, out, explicit := strings.Cut(equation, "->")
	terms := strings.Split(left, ",")
	if len(terms) != len(n.in) || len(terms) > 2 || !n.need(0, 0) || len(terms) == 2 && !n.need(1, 0) {
		n.fail("the equation %q has %d terms for %d inputs: contractions of one and two tensors are supported, export longer ones in steps", equation, len(terms), len(n.in))
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
	shape := make([]int64, 0, len(out))
	for i, r := range []rune(out) {
		if _, ok := size[r]; !ok || strings.ContainsRune(out[:i], r) {
			n.misfit("the equation %q does not fit: %q", equation, r)
			return
		}
		shape = append(shape, size[r])
	}
	n.set(0, shape)
	if len(terms) == 1 {
		node := graph.Node{Op: graph.Copy, Fn: "transpose"}
		if len(terms[0]) > len(out) {
			node = graph.Node{Op: graph.Reduce, Fn: "sum"}
		}
		n.emit(node)
		return
	}
	n.contract(terms, out, size)
}

// dots are the labels of the dimensions that "..." stands for, from the last.
const dots = "ZYXWVUTS"

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
		if strings.ContainsRune(term[:j], r) {
			n.fail("the term %q takes a diagonal, which is not supported: export the model with the operations in its place", term)
			return ""
		}
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

// contract appends the product: what is in both and stays is a batch, what is
// in both and goes is summed over.
func (n *node) contract(terms []string, out string, size map[rune]int64) {
	d := graph.Dims{N: 1, M: 1, K: 1, C: 1}
	for _, r := range slices.Sorted(maps.Keys(size)) {
		s := size[r]
		a, b, stays := strings.ContainsRune(terms[0], r), strings.ContainsRune(terms[1], r), strings.ContainsRune(out, r)
		var into *int64
		switch {
		case a && b && stays:
			into = &d.N
		case a && b:
			into = &d.C
		case a && stays:
			into = &d.M
		case b && stays:
			into = &d.K
		default:
			n.fail("the dimension %q of one input is summed over alone, which is not supported: export the model with ReduceSum before it", r)
			return
		}
		if s < 1 || *into > graph.MaxElements/s {
			n.misfit("a dimension of %d does not fit", s)
			return
		}
		*into *= s
	}
	if d.C == 1 && d.M == 1 && d.K == 1 {
		n.emit(graph.Node{Op: graph.Eltwise, Fn: "mul"})
		return
	}
	a, b := n.in[0], n.in[1]
	if n.g.Elements(a) != d.N*d.M*d.C || n.g.Elements(b) > d.N*d.C*d.K {
		n.fail("an operand is repeated over a dimension, which is not supported: export the model with MatMul in its place")
		return
	}
	n.emit(graph.MatMulNode(n.g, d, a, b))
}
