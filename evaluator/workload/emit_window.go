package workload

import "apollo/evaluator/workload/graph"

func (l *lowering) conv(n *graph.Node) error {
	d := n.Dims
	x, err := l.as(n, n.In[0], shape{d.N, d.H, d.W, d.C * d.Groups})
	if err != nil {
		return err
	}
	y := Layer{
		Op: Conv, N: d.N, K: d.K, C: d.C, P: d.P, Q: d.Q, R: d.R, S: d.S, H: d.H, W: d.W, Groups: d.Groups,
		Stride: d.Stride, Dilation: d.Dilation, Act: n.Act, NoBias: !n.Bias, WeightBits: n.WeightBits,
	}
	switch {
	case n.Op == graph.Deconv:
		y.Op = Deconv
		return l.cropped(n, y, x)
	case d.Groups == 1:
	case d.C == 1:
		y.Op = DepthwiseConv
	default:
		y.Op = GroupConv
	}
	return l.padded(n, y, x, d.C*d.Groups)
}

func (l *lowering) pool(n *graph.Node) error {
	d := n.Dims
	x, err := l.as(n, n.In[0], shape{d.N, d.H, d.W, d.K})
	if err != nil {
		return err
	}
	return l.padded(n, Layer{
		Op: Pool, Fn: n.Fn, N: d.N, K: d.K, P: d.P, Q: d.Q, R: d.R, S: d.S, H: d.H, W: d.W, Stride: d.Stride, Act: n.Act,
	}, x, d.K)
}

// padded writes a layer with a window over x. Where padding alone fills some
// of its windows, which a layer does not have, the padding is a layer before
// it: every multiplication is counted, as the file says.
func (l *lowering) padded(n *graph.Node, y Layer, x string, channels int64) error {
	h, w := y.H, y.W
	if !reaches(y.P, y.R, h, y.Stride[0], y.Dilation[0]) {
		h = span(y.P, y.R, y.Stride[0], y.Dilation[0])
	}
	if !reaches(y.Q, y.S, w, y.Stride[1], y.Dilation[1]) {
		w = span(y.Q, y.S, y.Stride[1], y.Dilation[1])
	}
	if h != y.H || w != y.W {
		if _, ok := product(maxElements, y.N, h, w, channels); !ok || max(h, w) > maxDim {
			return nodeError(n, "its padding makes an input of %d x %d, which is outside the limits", h, w)
		}
		y.H, y.W = h, w
		pad := Layer{Op: Copy, Fn: "pad"}
		pad.setShape(shape{y.N, h, w, channels})
		x = l.add(n.Name+".pad", pad, x)
	}
	l.write(n, y, x)
	return nil
}

// span is the input that so many windows cover.
func span(out, window, stride, dilation int64) int64 {
	return (out-1)*max(stride, 1) + (window-1)*max(dilation, 1) + 1
}

// cropped writes a transposed convolution. Where padding cuts off more than
// the reach of its window, it makes the whole picture and a layer behind it
// cuts.
func (l *lowering) cropped(n *graph.Node, y Layer, x string) error {
	whole := y
	if !reaches(y.H, y.R, y.P, y.Stride[0], y.Dilation[0]) {
		whole.P = span(y.H, y.R, y.Stride[0], y.Dilation[0])
	}
	if !reaches(y.W, y.S, y.Q, y.Stride[1], y.Dilation[1]) {
		whole.Q = span(y.W, y.S, y.Stride[1], y.Dilation[1])
	}
	if whole.P == y.P && whole.Q == y.Q {
		l.write(n, y, x)
		return nil
	}
	if _, ok := product(maxElements, y.N, whole.P, whole.Q, y.K); !ok || max(whole.P, whole.Q) > maxDim {
		return nodeError(n, "its output before the crop is %d x %d, which is outside the limits", whole.P, whole.Q)
	}
	crop := Layer{Op: Copy, Fn: "slice"}
	crop.setShape(y.outShape())
	l.write(n, crop, l.add(n.Name+".whole", whole, x))
	return nil
}
