package workload

import (
	"slices"

	"apollo/evaluator/workload/graph"
)

// maxChain bounds the operations of an activation that is written out.
const maxChain = 8

// gate recognises activations that files write as a product of a tensor with a
// function of itself: hard-swish (x * relu6(x + 3) / 6), swish
// (x * sigmoid(x)), mish and gelu (x * (1 + erf(x/√2)) / 2).
func (l *lowering) gate(i int) {
	n := &l.g.Nodes[i]
	if l.dead[i] || n.Op != graph.Eltwise || n.Fn != "mul" || n.Act != "" {
		return
	}
	variable, constant := l.operands(n)
	if len(variable) != 2 || len(constant) != 0 {
		return
	}
	for _, order := range [][2]int{{0, 1}, {1, 0}} {
		x, y := l.root(variable[order[0]]), l.root(variable[order[1]])
		scaled := l.chain(x, -1)
		for _, base := range append([]link{{t: x, node: -1}}, scaled...) {
			swallowed, fn, ok := l.gated(y, base.t)
			if !ok {
				continue
			}
			for _, s := range scaled { // the steps between base and x
				if base.node >= 0 {
					swallowed = append(swallowed, s.node)
				}
				if s.node == base.node {
					break
				}
			}
			for _, j := range swallowed {
				l.dead[j] = true
			}
			n.Op, n.Fn, n.In = graph.Act, fn, []int{base.t}
			l.report.Folded.Activations += len(swallowed)
			return
		}
	}
}

// link is a tensor on the way up and the node that leads away from it.
type link struct{ t, node int }

// chain walks up from t over sums and products with single constants, at most
// maxChain of them or to the tensor stop.
func (l *lowering) chain(t, stop int) (links []link) {
	for range maxChain {
		i := l.made[t]
		if t == stop || i < 0 || l.uses[t] != 1 || l.dead[i] {
			return links
		}
		x, ok := l.scalar(&l.g.Nodes[i])
		if !ok {
			return links
		}
		t = l.root(x)
		links = append(links, link{t, i})
	}
	return links
}

// scalar returns the activation of a sum or product with single constants.
func (l *lowering) scalar(n *graph.Node) (x int, ok bool) {
	if n.Op != graph.Eltwise || n.Act != "" {
		return 0, false
	}
	variable, constant := l.operands(n)
	if len(variable) != 1 || !affine(n.Fn, n.In[0] == variable[0]) {
		return 0, false
	}
	for _, c := range constant {
		if l.g.Elements(c) != 1 {
			return 0, false
		}
	}
	return variable[0], true
}

// gated walks up from y to base over single constants and activations.
func (l *lowering) gated(y, base int) (nodes []int, fn string, ok bool) {
	var acts []string
	for range maxChain {
		if y == base {
			return nodes, gateName(acts), len(acts) > 0
		}
		i := l.made[y]
		if i < 0 || l.uses[y] != 1 || l.dead[i] {
			return nil, "", false
		}
		n := &l.g.Nodes[i]
		x, scalar := l.scalar(n)
		switch {
		case scalar:
		case n.Op == graph.Act && len(n.In) == 1:
			x = n.In[0]
			acts = append(acts, n.Fn)
		default:
			return nil, "", false
		}
		nodes, y = append(nodes, i), l.root(x)
	}
	return nil, "", false
}

// gateName names x * f(x) after the activation in f.
func gateName(acts []string) string {
	for _, g := range []struct{ act, name string }{
		{"relu6", "hswish"},
		{"clip", "hswish"},
		{"hsigmoid", "hswish"},
		{"softplus", "mish"},
		{"erf", "gelu"},
		{"tanh", "gelu"},
		{"sigmoid", "swish"},
	} {
		if slices.Contains(acts, g.act) {
			return g.name
		}
	}
	return "gate"
}

// layerNorm recognises (x - mean(x)) / sqrt(mean((x - mean(x))²) + ε), which
// older files write out; node i is the division.
func (l *lowering) layerNorm(i int) {
	n := &l.g.Nodes[i]
	if l.dead[i] || n.Op != graph.Eltwise || n.Fn != "div" || n.Act != "" || len(n.In) != 2 {
		return
	}
	centred, deviation := l.root(n.In[0]), l.root(n.In[1])
	sub := l.nodeOf(centred, graph.Eltwise, "sub")
	root := l.nodeOf(deviation, graph.Act, "sqrt")
	if sub < 0 || root < 0 || len(l.g.Nodes[sub].In) != 2 {
		return
	}
	x, mean := l.root(l.g.Nodes[sub].In[0]), l.root(l.g.Nodes[sub].In[1])
	first := l.nodeOf(mean, graph.Reduce, "mean")
	if first < 0 || l.root(l.g.Nodes[first].In[0]) != x {
		return
	}
	swallowed := []int{sub, root, first}
	variance := l.root(l.g.Nodes[root].In[0])
	for _, step := range l.chain(variance, -1) {
		variance, swallowed = step.t, append(swallowed, step.node)
	}
	second := l.nodeOf(variance, graph.Reduce, "mean")
	if second < 0 {
		return
	}
	square := l.made[l.root(l.g.Nodes[second].In[0])]
	if square < 0 || l.g.Nodes[square].Op != graph.Eltwise || l.root(l.g.Nodes[square].In[0]) != centred {
		return
	}
	swallowed = append(swallowed, second, square)
	for _, j := range swallowed {
		l.dead[j] = true
	}
	n.Op, n.Fn, n.In = graph.Norm, "layer", []int{x}
	l.report.Folded.Normalisation += len(swallowed)
}

// nodeOf returns the node behind a tensor where it is of the given kind, -1
// otherwise.
func (l *lowering) nodeOf(t int, op graph.Op, fn string) int {
	i := l.made[t]
	if i < 0 || l.dead[i] || l.g.Nodes[i].Op != op || l.g.Nodes[i].Fn != fn {
		return -1
	}
	return i
}
