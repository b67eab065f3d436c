package workload

import (
	"cmp"
	"fmt"
	"slices"

	"apollo/evaluator/workload/graph"
)

// lowering turns the operations of a model file into layers. Operations that
// are no work of their own are merged into others first: a merged operation is
// dead, and the tensor that it wrote is an alias of the one it read.
type lowering struct {
	g      *graph.Graph
	report *Report
	alias  []int // the tensor whose data this one is
	made   []int // the live node that writes a tensor, -1 for none
	uses   []int // live nodes and outputs that read a tensor
	dead   []bool
	// emission
	w      *Workload
	places []place // where a tensor is, by its root
	views  map[viewKey]string
	ids    map[string]bool
	bits   int64 // of what the node that is emitted writes
	// products are the constants that products read as weights, counted those that are
	// parameters of a layer, by their part; borrowed and borrowedBias say that the weights
	// and the bias of the node that is emitted are no parameters of its own, borrowedInputs and
	// borrowedStates that one of the two matrices of an RNN is not.
	products                       map[int]bool
	counted                        map[part]bool
	borrowed, borrowedBias         bool
	borrowedInputs, borrowedStates bool
}

// part is a constant, or one part of several that it has.
type part struct {
	t     int
	which int64
}

// place is a layer or an input and the shape that it declares.
type place struct {
	id   string
	size shape
}

// lower fills w with inputs and layers.
func lower(g *graph.Graph, w *Workload, r *Report) error {
	n := len(g.Tensors)
	l := &lowering{
		g: g, report: r, w: w, alias: make([]int, n), made: make([]int, n), uses: make([]int, n),
		dead: make([]bool, len(g.Nodes)), places: make([]place, n),
		views: map[viewKey]string{}, ids: map[string]bool{}, products: map[int]bool{}, counted: map[part]bool{},
	}
	for t := range l.alias {
		l.alias[t] = t
	}
	r.Folded.Constants = g.Constants
	l.rename()
	l.count()
	for i := range g.Nodes {
		l.gate(i)
		l.layerNorm(i)
		l.repeated(i)
	}
	l.count()
	readers := l.readers()
	for i := range g.Nodes {
		l.fold(i, readers)
	}
	l.narrow()
	return l.emit()
}

// quantisers are the operations that say what numbers their input is written in.
var quantisers = []string{"QuantizeLinear", "DynamicQuantizeLinear", "Quant", "IntQuant", "BipolarQuant", "Trunc"}

// narrow gives a tensor that is quantised the width that it is quantised to:
// files with QuantizeLinear and its like say float of what runs in integers. What is the same data has the same width.
func (l *lowering) narrow() {
	for i := range l.g.Nodes {
		n := &l.g.Nodes[i]
		if n.Op != graph.Requant || !slices.Contains(quantisers, n.Type) || len(n.In) == 0 || len(n.Out) == 0 {
			continue
		}
		t, to := &l.g.Tensors[l.root(n.In[0])], l.g.Tensors[n.Out[0]].Bits
		if to > 0 && to < t.Bits {
			t.Bits = to
		}
	}
	for t := range l.alias {
		if x := &l.g.Tensors[t]; !x.Const {
			x.Bits = l.g.Tensors[l.root(t)].Bits
		}
	}
}

// root returns the tensor whose data t is.
func (l *lowering) root(t int) int {
	for l.alias[t] != t {
		l.alias[t] = l.alias[l.alias[t]]
		t = l.alias[t]
	}
	return t
}

// isConst reports whether a tensor is constant.
func (l *lowering) isConst(t int) bool { return l.g.Tensors[t].Const }

// rename drops views and changes of representation.
func (l *lowering) rename() {
	for i := range l.g.Nodes {
		n := &l.g.Nodes[i]
		if n.Op != graph.View && n.Op != graph.Requant || len(n.In) == 0 || len(n.Out) == 0 || l.isConst(n.In[0]) {
			continue
		}
		from := l.root(n.In[0])
		if from == l.root(n.Out[0]) {
			continue
		}
		l.alias[l.root(n.Out[0])] = from
		l.dead[i] = true
		if n.Op == graph.View {
			l.report.Folded.Views++
		} else {
			l.report.Folded.Quantisation++
		}
	}
}

// count finds who writes a tensor and how often it is read.
func (l *lowering) count() {
	for t := range l.made {
		l.made[t], l.uses[t] = -1, 0
	}
	for i := range l.g.Nodes {
		if l.dead[i] {
			continue
		}
		for _, t := range l.g.Nodes[i].In {
			l.uses[l.root(t)]++
		}
		for _, t := range l.g.Nodes[i].Out {
			l.made[l.root(t)] = i
		}
	}
	for _, t := range l.g.Outputs {
		l.uses[l.root(t)]++
	}
}

// readers lists the live nodes that read a tensor.
func (l *lowering) readers() map[int][]int {
	out := map[int][]int{}
	for i := range l.g.Nodes {
		if l.dead[i] {
			continue
		}
		for _, t := range l.g.Nodes[i].In {
			t = l.root(t)
			out[t] = append(out[t], i)
		}
	}
	return out
}

// producer returns the node behind a tensor that only one node reads.
func (l *lowering) producer(t int) *graph.Node {
	t = l.root(t)
	if l.made[t] < 0 || l.uses[t] != 1 {
		return nil
	}
	return &l.g.Nodes[l.made[t]]
}

// merge makes node i part of the producer of the tensor that it reads.
func (l *lowering) merge(i, in int) {
	from, to := l.root(in), l.root(l.g.Nodes[i].Out[0])
	if from == to {
		return
	}
	l.alias[to] = from
	l.g.Tensors[from].Bits = cmp.Or(l.g.Tensors[to].Bits, l.g.Tensors[from].Bits)
	l.uses[from] = l.uses[to]
	l.dead[i] = true
}

// operands splits the inputs of a node into activations and constants.
func (l *lowering) operands(n *graph.Node) (variable, constant []int) {
	for _, t := range n.In {
		if l.isConst(t) {
			constant = append(constant, t)
		} else {
			variable = append(variable, t)
		}
	}
	return variable, constant
}

// fold merges node i into its neighbours where it is no work of its own.
func (l *lowering) fold(i int, readers map[int][]int) {
	n := &l.g.Nodes[i]
	if l.dead[i] || len(n.In) == 0 || len(n.Out) == 0 {
		return
	}
	switch n.Op {
	case graph.Pad:
		l.foldPad(i, readers)
	case graph.BatchNorm:
		l.foldNorm(i)
	case graph.Eltwise:
		l.foldScale(i)
	case graph.Act:
		p := l.producer(n.In[0])
		if p != nil && p.Act == "" && n.Const <= 1 && len(n.In) == 1 && takesAct(p.Op) {
			p.Act = n.Fn
			l.merge(i, n.In[0])
			l.report.Folded.Activations++
		}
	}
}

// takesAct reports whether an activation can be fused into an operation.
func takesAct(op graph.Op) bool {
	switch op {
	case graph.Conv, graph.Deconv, graph.Dense, graph.MatMul, graph.Eltwise, graph.Norm, graph.Pool:
		return true
	}
	return false
}

// stored reports whether an operation has weights and a bias to fold into.
func stored(op graph.Op) bool {
	return op == graph.Conv || op == graph.Deconv || op == graph.Dense
}

func (l *lowering) foldNorm(i int) {
	n := &l.g.Nodes[i]
	if p := l.producer(n.In[0]); p != nil && p.Act == "" && stored(p.Op) {
		p.Bias, p.Biases = true, 0 // of its own
		l.merge(i, n.In[0])
		l.report.Folded.Normalisation++
		return
	}
	n.Op = graph.Norm
}

// foldScale merges a sum or product with constants: one value for a whole
// tensor is a change of its quantisation parameters, one per channel is part
// of the weights and the bias, or of the normalisation, before it.
func (l *lowering) foldScale(i int) {
	n := &l.g.Nodes[i]
	variable, constant := l.operands(n)
	if len(variable) != 1 || len(constant) == 0 {
		return
	}
	x := variable[0]
	p := l.producer(x)
	if p == nil || p.Act != "" && n.Act != "" || n.Act != "" && !takesAct(p.Op) || !affine(n.Fn, n.In[0] == x) ||
		l.g.Elements(n.Out[0]) != l.g.Elements(x) {
		return
	}
	single, channel := true, (stored(p.Op) || p.Op == graph.Norm) && p.Act == ""
	for _, t := range constant {
		single = single && l.g.Elements(t) == 1
		channel = channel && l.perChannel(p, n.Out[0], t)
	}
	if !single && !channel {
		return
	}
	switch {
	case single:
	case p.Op == graph.Norm:
		for _, t := range constant {
			p.Const += l.g.Elements(t)
		}
	case n.Fn == "add" || n.Fn == "sub":
		if p.Biases = 0; !p.Bias && len(constant) == 1 {
			p.Biases = constant[0] + 1
		}
		p.Bias = true
	}
	if n.Act != "" {
		p.Act = n.Act
	}
	l.merge(i, x)
	l.report.Folded.Scales++
}

// affine reports whether a function of x and constants is a scale and a shift.
func affine(fn string, xFirst bool) bool {
	return fn == "add" || fn == "sub" || fn == "mul" || fn == "div" && xFirst
}

// perChannel reports whether constant c has one value per output channel of p,
// along the channel axis of the result.
func (l *lowering) perChannel(p *graph.Node, result, c int) bool {
	rank, s := len(l.g.Shape(result)), l.g.Shape(c)
	axis, k := rank-1, p.Dims.K
	if l.g.ChannelsFirst && (rank > 3 || p.Op == graph.Conv || p.Op == graph.Deconv) {
		axis = 1
	}
	if p.Op == graph.Norm {
		k = l.dims(result).k
	}
	for j, d := range s {
		switch at := j + rank - len(s); {
		case at == axis && d != k && d != 1, at != axis && d != 1:
			return false
		}
	}
	return len(s) <= rank
}

// foldPad makes explicit padding part of the windows behind it.
func (l *lowering) foldPad(i int, readers map[int][]int) {
	n := &l.g.Nodes[i]
	before, after := l.dims(n.In[0]), l.dims(n.Out[0])
	to := l.root(n.Out[0])
	if !n.Spatial || l.isConst(n.In[0]) || len(readers[to]) == 0 || l.uses[to] != len(readers[to]) {
		return
	}
	if len(l.g.Shape(n.In[0])) == 3 { // a sequence N, C, L is a picture of height 1
		s, e := l.g.Shape(n.In[0]), l.g.Shape(n.Out[0])
		before, after = shape{s[0], 1, s[2], s[1]}, shape{e[0], 1, e[2], e[1]}
	}
	for _, j := range readers[to] {
		c := &l.g.Nodes[j]
		d := c.Dims
		if c.Op != graph.Conv && c.Op != graph.Pool || d.H != after.p || d.W != after.q ||
			!reaches(d.P, d.R, before.p, d.Stride[0], d.Dilation[0]) || !reaches(d.Q, d.S, before.q, d.Stride[1], d.Dilation[1]) {
			return
		}
	}
	for _, j := range readers[to] {
		d := &l.g.Nodes[j].Dims
		d.H, d.W = before.p, before.q
	}
	l.alias[to] = l.root(n.In[0])
	l.uses[l.root(n.In[0])] += l.uses[to] - 1
	l.dead[i] = true
	l.report.Folded.Padding++
}

// reaches reports whether the last window still touches the input.
func reaches(out, window, in, stride, dilation int64) bool {
	return (out-1)*max(stride, 1) < in+(window-1)*max(dilation, 1)
}

// dims brings the shape of a tensor to batch, height, width and channels.
func (l *lowering) dims(t int) shape { return l.arrange(l.g.Shape(t)) }

func (l *lowering) arrange(s []int64) shape {
	switch {
	case len(s) == 0:
		return shape{1, 1, 1, 1}
	case l.g.ChannelsFirst && len(s) > 3:
		last := len(s) - 1
		return shape{n: s[0], k: s[1], q: s[last], p: graph.Elements(s[2:last])}
	}
	return shapeOf(s)
}

func nodeError(n *graph.Node, format string, args ...any) error {
	return fmt.Errorf("operation %q (%s): "+format, append([]any{n.Name, n.Type}, args...)...)
}
