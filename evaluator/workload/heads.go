package workload

import (
	"slices"

	"apollo/evaluator/workload/graph"
)

// repeated drops the copies of keys and values that files make for the query
// heads that share them (Unsqueeze, Expand, Reshape, perhaps Transpose): the
// product reads the same operand for several heads. Node i is the product.
func (l *lowering) repeated(i int) {
	n := &l.g.Nodes[i]
	if l.dead[i] || n.Op != graph.MatMul || len(n.In) != 2 {
		return
	}
	made := l.copyBehind(n.In[1])
	if made < 0 {
		return
	}
	tile := made
	if l.g.Nodes[made].Fn == "transpose" {
		tile = l.copyBehind(l.g.Nodes[made].In[0])
	}
	if tile < 0 || l.g.Nodes[tile].Fn != "tile" || !l.repeatsHeads(&l.g.Nodes[tile], &n.Dims) {
		return
	}
	from := l.g.Nodes[tile].In[0]
	if tile == made {
		n.In = []int{n.In[0], from}
	} else { // what is transposed is as small
		turned := &l.g.Nodes[made]
		turned.In = []int{from}
		shape := []int64{l.g.Elements(from) / (n.Dims.C * n.Dims.K), n.Dims.C, n.Dims.K}
		l.g.Tensors[l.root(n.In[1])].Shape = shape
		l.g.Tensors[n.In[1]].Shape = shape
	}
	l.dead[tile] = true
	l.report.Folded.Views++
}

// copyBehind returns the copy that makes a tensor for one reader, -1 for none.
func (l *lowering) copyBehind(t int) int {
	t = l.root(t)
	i := l.made[t]
	if i < 0 || l.dead[i] || l.uses[t] != 1 || l.g.Nodes[i].Op != graph.Copy || len(l.g.Nodes[i].In) != 1 || len(l.g.Nodes[i].Out) != 1 {
		return -1
	}
	return i
}

// repeatsHeads reports whether a copy repeats whole matrices of the second
// operand, each for the heads that follow each other.
func (l *lowering) repeatsHeads(tile *graph.Node, d *graph.Dims) bool {
	from, to := l.g.Shape(tile.In[0]), l.g.Shape(tile.Out[0])
	if len(from) > len(to) || d.C < 1 || d.K < 1 || l.isConst(tile.In[0]) {
		return false
	}
	from = slices.Concat(slices.Repeat([]int64{1}, len(to)-len(from)), from)
	axis := -1
	for j := range to {
		if from[j] == to[j] {
			continue
		}
		if axis >= 0 || from[j] != 1 {
			return false
		}
		axis = j
	}
	return axis >= 0 && graph.Elements(to[axis+1:]) == d.C*d.K && graph.Elements(to) == d.N*d.C*d.K
}
