package workload

import (
	"errors"
	"fmt"

	"apollo/evaluator/number"
)

// shape is a tensor as batch, height, width and channels.
type shape struct{ n, p, q, k int64 }

func (s shape) String() string  { return fmt.Sprintf("%dx%dx%dx%d", s.n, s.p, s.q, s.k) }
func (s shape) elements() int64 { return s.n * s.p * s.q * s.k }

// shapeOf reads dims as batch first and channels last. Between them the last
// is the width and the others are folded into the height, so that a sequence
// [N, L, K] is L wide.
func shapeOf(dims []int64) shape {
	last := len(dims) - 1
	s := shape{1, 1, 1, dims[last]}
	if last > 0 {
		s.n = dims[0]
	}
	if last > 1 {
		s.q = dims[last-1]
		for _, d := range dims[1 : last-1] {
			s.p *= d
		}
	}
	return s
}

func (l *Layer) outShape() shape {
	switch l.Op {
	case GEMM:
		return shape{1, 1, l.M, l.K}
	case MatMul, RNN:
		return shape{l.N, 1, l.M, l.K}
	}
	return shape{l.N, l.P, l.Q, l.K}
}

func (l *Layer) setShape(s shape) { l.N, l.P, l.Q, l.K = s.n, s.p, s.q, s.k }

// complete fills the dimensions that follow from the inputs and checks the
// others against them.
func (l *Layer) complete(ins []shape) error {
	if err := l.checkFields(); err != nil {
		return err
	}
	if err := l.checkArity(len(ins)); err != nil {
		return err
	}
	var err error
	switch l.Op {
	case Conv, GroupConv, DepthwiseConv, Deconv:
		err = l.completeConv(ins[0])
	case Pool:
		err = l.completePool(ins[0])
	case GEMM:
		err = l.completeGEMM(ins[0])
	case MatMul:
		err = l.completeMatMul(ins[0], ins[1])
	case RNN:
		err = l.completeRNN(ins[0])
	default:
		err = l.completeVector(ins)
	}
	if err != nil {
		return err
	}
	out := l.outShape()
	for _, d := range []int64{out.n, out.p, out.q, out.k} {
		if d < 1 || d > maxDim {
			return fmt.Errorf("the output is %v (N x P x Q x K), each must be 1 to %d", out, int64(maxDim))
		}
	}
	return nil
}

func (l *Layer) checkArity(n int) error {
	switch {
	case l.Op == MatMul && n != 2:
		return fmt.Errorf("reads %d tensors, a matmul reads 2; a product with weights is a gemm", n)
	case l.Op == RNN:
		return nil // the states that it begins with stand behind its input
	case (l.Op.HasWeights() || l.Op == Pool || l.Op == View || l.Op == Resize) && n != 1:
		return fmt.Errorf("reads %d tensors, want 1", n)
	}
	return nil
}

// checkFields refuses unknown operations, fields that the operation does not
// have (they would be dropped silently) and numbers out of range.
func (l *Layer) checkFields() error {
	known := false
	for _, op := range ops() {
		known = known || l.Op == op
	}
	if !known {
		return fmt.Errorf("the op is unknown, want one of %v", ops())
	}
	if l.Act != "" && checkName(l.Act) != nil || l.Fn != "" && checkName(l.Fn) != nil {
		return errors.New("act or fn is too long or unprintable")
	}
	conv := l.Op.Spatial() && l.Op != Pool
	matrix := l.Op == GEMM || l.Op == MatMul || l.Op == RNN
	for _, f := range []struct {
		name  string
		value int64
		has   bool
	}{
		{"N", l.N, l.Op != GEMM},
		{"M", l.M, matrix},
		{"K", l.K, true},
		{"C", l.C, conv || matrix},
		{"P", l.P, !matrix},
		{"Q", l.Q, !matrix},
		{"R", l.R, l.Op.Spatial()},
		{"S", l.S, l.Op.Spatial()},
		{"H", l.H, l.Op.Spatial()},
		{"W", l.W, l.Op.Spatial()},
		{"groups", l.Groups, conv},
		{"stride", l.Stride[0], l.Op.Spatial()},
		{"stride", l.Stride[1], l.Op.Spatial()},
		{"dilation", l.Dilation[0], conv},
		{"dilation", l.Dilation[1], conv},
		{"const", l.Const, !l.Op.HasMACs()},
	} {
		if f.value != 0 && !f.has {
			return fmt.Errorf("%s is %d, but op %s has no %s", f.name, f.value, l.Op, f.name)
		}
		if f.value < 0 || f.value > maxDim {
			return fmt.Errorf("%s is %d, want 1 to %d", f.name, f.value, int64(maxDim))
		}
	}
	switch {
	case l.Idle < 0 || l.Idle > maxElements:
		return fmt.Errorf("idle is %d, want 0 to 2^40", l.Idle)
	case l.ScaleBytes < 0 || l.ScaleBytes > maxElements:
		return fmt.Errorf("scale_bytes is %d, want 0 to 2^40", l.ScaleBytes)
	case l.ScaleBytes > 0 && !l.Op.HasWeights():
		return fmt.Errorf("scale_bytes is %d, but op %s has no weights", l.ScaleBytes, l.Op)
	case l.Borrowed && !l.Op.HasWeights() && l.Const == 0:
		return fmt.Errorf("borrowed is set, but op %s has no weights and no const", l.Op)
	case l.BorrowedElements != 0 && !l.Op.HasWeights():
		return fmt.Errorf("borrowed_elements is %d, but op %s has no weights", l.BorrowedElements, l.Op)
	case l.BorrowedElements > 0 && l.Borrowed:
		return fmt.Errorf("borrowed_elements is %d, but borrowed says it of all: leave one out", l.BorrowedElements)
	case l.BorrowedBias && l.BiasElements() == 0:
		return fmt.Errorf("borrowed_bias is set, but the layer (op %s) adds no bias", l.Op)
	case l.Fused && (l.Op == View || l.appends()):
		return fmt.Errorf("fused is set, but op %s makes no tensor", l.Op)
	case l.Fn == Append && l.Op == Copy && len(l.In) < 2:
		return errors.New("reads one tensor, a copy that appends reads the one that grows and what is new")
	case l.WeightBits > 0 && !l.Op.HasWeights() && l.Const == 0 && l.Idle == 0:
		return fmt.Errorf("weight_bits is %d, but the layer has no weights and no const", l.WeightBits)
	case l.OutputBits > 0 && l.Op == View:
		return fmt.Errorf("output_bits is %d, but op view writes nothing: its output has the width of its input", l.OutputBits)
	}
	if err := checkOwn("weight", number.Format{Kind: l.WeightKind, Bits: l.WeightBits}); err != nil {
		return err
	}
	if err := checkOwn("output", number.Format{Kind: l.OutputKind, Bits: l.OutputBits}); err != nil {
		return err
	}
	if l.NoBias && !l.Op.HasWeights() {
		return fmt.Errorf("no_bias is set, but op %s has no bias", l.Op)
	}
	return nil
}

// checkOwn refuses a format that no layer has; one of 0 bits is the network's.
func checkOwn(of string, f number.Format) error {
	switch {
	case f.Bits < 0 || f.Bits > maxBits:
		return fmt.Errorf("%s_bits is %d, want 1 to %d", of, f.Bits, maxBits)
	case f.Bits == 0 && f.Kind != number.Int:
		return fmt.Errorf("%s_kind is %q, but %[1]s_bits is not given", of, f.Kind)
	case f.Bits > 0:
		return checkFormat(f)
	}
	return nil
}

// settle fills *field with derived where it is 0 and refuses another value.
func settle(name string, field *int64, derived int64) error {
	if *field == 0 {
		*field = derived
	}
	if *field != derived {
		return fmt.Errorf("%s is %d, but its input says %d", name, *field, derived)
	}
	return nil
}

func one(field *[2]int64) {
	for i := range field {
		field[i] = max(field[i], 1)
	}
}

func (l *Layer) completeConv(in shape) error {
	one(&l.Stride)
	one(&l.Dilation)
	if l.Groups == 0 {
		l.Groups = 1
		if l.Op == DepthwiseConv {
			l.Groups = in.k
		}
	}
	if in.k%l.Groups != 0 {
		return fmt.Errorf("groups is %d, which does not divide the %d input channels", l.Groups, in.k)
	}
	if err := errors.Join(
		settle("N", &l.N, in.n), settle("H", &l.H, in.p), settle("W", &l.W, in.q),
		settle("C (input channels of one group)", &l.C, in.k/l.Groups),
	); err != nil {
		return err
	}
	if l.K < 1 || l.K%l.Groups != 0 {
		return fmt.Errorf("dimension K is %d, want a positive multiple of the %d groups", l.K, l.Groups)
	}
	switch {
	case l.Op == Conv && l.Groups != 1:
		return fmt.Errorf("groups is %d: write op: gconv", l.Groups)
	case l.Op == GroupConv && (l.Groups == 1 || l.C == 1 && l.K == l.Groups):
		return fmt.Errorf("groups is %d with C %d: write op: conv or op: dwconv", l.Groups, l.C)
	case l.Op == DepthwiseConv && l.C != 1:
		return fmt.Errorf("dimension C is %d, a dwconv has one input channel per group", l.C)
	}
	return l.checkWindow()
}

func (l *Layer) completePool(in shape) error {
	one(&l.Stride)
	if l.Fn != "avg" && l.Fn != "max" {
		return fmt.Errorf("fn is %q, a pool wants avg or max", l.Fn)
	}
	if err := errors.Join(
		settle("N", &l.N, in.n), settle("H", &l.H, in.p), settle("W", &l.W, in.q), settle("K", &l.K, in.k),
	); err != nil {
		return err
	}
	if l.P == 0 && l.Q == 0 && l.R == 0 && l.S == 0 { // global
		l.P, l.Q, l.R, l.S = 1, 1, l.H, l.W
	}
	return l.checkWindow()
}

// checkWindow checks the output size against the input: with whatever padding,
// the last window must still touch the input.
func (l *Layer) checkWindow() error {
	for i, d := range []struct {
		outName, windowName string
		out, window, in     int64
	}{{"P", "R", l.P, l.R, l.H}, {"Q", "S", l.Q, l.S, l.W}} {
		if d.out < 1 || d.window < 1 {
			return fmt.Errorf("%s is %d and %s is %d, both must be given", d.outName, d.out, d.windowName, d.window)
		}
		dilation := max(l.Dilation[i], 1)
		out, in := d.out, d.in
		if l.Op == Deconv { // the same relation with input and output swapped
			out, in = d.in, d.out
		}
		if (out-1)*l.Stride[i] >= in+(d.window-1)*dilation {
			return fmt.Errorf("%s is %d, too large for an input of %d at stride %d", d.outName, d.out, d.in, l.Stride[i])
		}
	}
	return nil
}

func (l *Layer) completeGEMM(in shape) error {
	switch {
	case l.K < 1:
		return errors.New("dimension K is missing: the outputs of a row")
	case l.C == 0 && l.M == 0:
		l.M, l.C = in.n*in.p*in.q, in.k
	case l.C == 0 && in.elements()%l.M == 0:
		l.C = in.elements() / l.M
	case l.M == 0 && in.elements()%l.C == 0:
		l.M = in.elements() / l.C
	}
	if p, ok := product(maxElements, l.M, l.C); !ok || p != in.elements() {
		return fmt.Errorf("dimensions M x C are %d x %d, but its input has %d elements (%v)", l.M, l.C, in.elements(), in)
	}
	return nil
}

func (l *Layer) completeMatMul(a, b shape) error {
	for _, d := range []struct {
		name  string
		value int64
	}{{"N", l.N}, {"M", l.M}, {"K", l.K}, {"C", l.C}} {
		if d.value < 1 {
			return fmt.Errorf("%s is missing: a matmul has N products of M x C and C x K", d.name)
		}
	}
	if p, ok := product(maxElements, l.N, l.M, l.C); !ok || p != a.elements() {
		return fmt.Errorf("dimensions N x M x C are %dx%dx%d, but its first input has %d elements (%v)", l.N, l.M, l.C, a.elements(), a)
	}
	// The second operand may be shared by several products.
	if p, ok := product(maxElements, l.N, l.C, l.K); !ok || p%b.elements() != 0 || b.elements() < l.C*l.K {
		return fmt.Errorf("dimensions N x C x K are %dx%dx%d, but its second input has %d elements (%v)", l.N, l.C, l.K, b.elements(), b)
	}
	return nil
}

func (l *Layer) completeRNN(in shape) error {
	if l.Fn != "rnn" && l.Fn != "gru" && l.Fn != "lstm" {
		return fmt.Errorf("fn is %q, an rnn wants rnn, gru or lstm", l.Fn)
	}
	if l.K < 1 {
		return errors.New("dimension K is missing: the units of the cell")
	}
	return errors.Join(settle("N", &l.N, in.n), settle("M", &l.M, in.p*in.q), settle("C", &l.C, in.k))
}

// completeVector handles the operations without window and weights.
func (l *Layer) completeVector(ins []shape) error {
	in, given := ins[0], l.P != 0 || l.Q != 0 || l.K != 0
	switch l.Op {
	case Eltwise:
		return l.completeEltwise(ins)
	case Activation, Softmax, Norm, View:
		return l.keepSize(in, given)
	case Reduce:
		if !given {
			l.P, l.Q, l.K = 1, 1, in.k
		}
		if l.P*l.Q > 0 && l.K > in.elements() {
			return fmt.Errorf("dimension K is %d, more than the %d elements of its input", l.K, in.elements())
		}
	case Resize:
		if err := settle("K", &l.K, in.k); err != nil {
			return err
		}
	case Copy:
		if given {
			break
		}
		out, err := concat(ins)
		if err != nil {
			return err
		}
		l.P, l.Q, l.K = out.p, out.q, out.k
	}
	if l.N == 0 {
		l.N = in.n
	}
	return nil
}

func (l *Layer) keepSize(in shape, given bool) error {
	if !given {
		if err := settle("N", &l.N, in.n); err != nil {
			return err
		}
		l.setShape(in)
		return nil
	}
	if l.N == 0 {
		l.N = in.n
	}
	if p, ok := product(maxElements, l.N, l.P, l.Q, l.K); !ok || p != in.elements() {
		return fmt.Errorf("dimensions N x P x Q x K are %v, but its input has %d elements (%v)", l.outShape(), in.elements(), in)
	}
	return nil
}

func (l *Layer) completeEltwise(ins []shape) error {
	if l.Fn == "" {
		return errors.New("fn is missing: add, mul, sub, div, …")
	}
	out := ins[0]
	for _, in := range ins[1:] {
		if in.elements() == out.elements() {
			continue // the same tensor size under another view
		}
		var ok bool
		if out, ok = broadcast(out, in); !ok {
			return fmt.Errorf("reads %v and %v (N x P x Q x K), which do not broadcast", ins[0], in)
		}
	}
	return errors.Join(
		settle("N", &l.N, out.n), settle("P", &l.P, out.p), settle("Q", &l.Q, out.q), settle("K", &l.K, out.k),
	)
}

func broadcast(a, b shape) (out shape, ok bool) {
	dim := func(x, y int64) int64 {
		ok = ok && (x == y || x == 1 || y == 1)
		return max(x, y)
	}
	ok = true
	out = shape{dim(a.n, b.n), dim(a.p, b.p), dim(a.q, b.q), dim(a.k, b.k)}
	return out, ok
}

// concat joins shapes along the channels.
func concat(ins []shape) (shape, error) {
	out := ins[0]
	for _, in := range ins[1:] {
		if in.n != out.n || in.p != out.p || in.q != out.q {
			return shape{}, fmt.Errorf("reads %v and %v (N x P x Q x K), which do not join along K: write P, Q and K", ins[0], in)
		}
		out.k += in.k
	}
	return out, nil
}
