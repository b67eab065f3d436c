package workload

import "cmp"

// bitsPerByte converts widths to bytes.
const bitsPerByte = 8

// bytesOf returns the bytes of n elements of the given width, rounded up.
func bytesOf(n, bits int64) int64 { return (n*bits + bitsPerByte - 1) / bitsPerByte }

// MACs returns the multiply-accumulate operations of the layer, 0 for
// operations that have none.
func (l *Layer) MACs() int64 {
	switch l.Op {
	case Conv, GroupConv, DepthwiseConv:
		return l.N * l.P * l.Q * l.K * l.C * l.R * l.S
	case Deconv:
		h, w := l.inputSize()
		return l.N * h * w * l.K * l.C * l.R * l.S
	case GEMM:
		return l.M * l.K * l.C
	case MatMul:
		return l.N * l.M * l.K * l.C
	case RNN:
		return l.N * l.M * l.gates() * l.K * (l.C + l.K)
	}
	return 0
}

// gates returns how many weight matrices an RNN cell has: LSTM 4 (Hochreiter
// and Schmidhuber 1997, with the forget gate of Gers et al. 2000), GRU 3 (Cho
// et al. 2014), the plain cell 1.
func (l *Layer) gates() int64 {
	switch l.Fn {
	case "lstm":
		return 4
	case "gru":
		return 3
	}
	return 1
}

// WeightElements returns the weights without bias, plus Const.
func (l *Layer) WeightElements() int64 {
	switch l.Op {
	case Conv, GroupConv, DepthwiseConv, Deconv:
		return l.K*l.C*l.R*l.S + l.Const
	case GEMM:
		return l.K*l.C + l.Const
	case RNN:
		return l.gates()*l.K*(l.C+l.K) + l.Const
	}
	return l.Const
}

// BiasElements returns the bias elements: one per output channel of an
// operation with weights (RNN: and per gate), unless NoBias is set.
func (l *Layer) BiasElements() int64 {
	switch {
	case !l.Op.HasWeights() || l.NoBias:
		return 0
	case l.Op == RNN:
		return l.gates() * l.K
	}
	return l.K
}

// Params returns the trainable parameters: weights and bias that are the layer's own, and
// what is idle.
func (l *Layer) Params() int64 {
	n := l.Idle
	if !l.BorrowedBias {
		n += l.BiasElements()
	}
	if !l.Borrowed {
		n += l.WeightElements() - l.BorrowedElements
	}
	return n
}

// WidthOfWeights returns the bits of a weight in a network of precision p.
func (l *Layer) WidthOfWeights(p Precision) int64 {
	return cmp.Or(l.WeightBits, p.WithDefaults().Weights)
}

// WeightBytes returns the bytes of the weights at their width with their scales,
// and of the bias at p.Accumulators bits (4 bytes per K by default).
func (l *Layer) WeightBytes(p Precision) int64 {
	p = p.WithDefaults()
	return bytesOf(l.WeightElements(), l.WidthOfWeights(p)) + l.ScaleBytes + bytesOf(l.BiasElements(), p.Accumulators)
}

// OutputElements returns the elements that the layer writes: those of its
// output, or what it appends.
func (l *Layer) OutputElements() int64 {
	if l.appends() && l.InElements > 0 {
		return l.InElements
	}
	switch l.Op {
	case GEMM:
		return l.M * l.K
	case MatMul, RNN:
		return l.N * l.M * l.K
	}
	return l.N * l.P * l.Q * l.K
}

// OutputBytes returns the bytes of the output.
func (l *Layer) OutputBytes(p Precision) int64 {
	return bytesOf(l.OutputElements(), l.OutputFormat(p).Bits)
}

// InputElements returns the activation elements that the layer reads, over all
// its inputs, each once. A layer outside a normalised workload answers from
// its own dimensions, with H = P x stride where H is unknown.
func (l *Layer) InputElements() int64 {
	if l.InElements > 0 {
		return l.InElements
	}
	switch l.Op {
	case Conv, GroupConv, DepthwiseConv, Deconv:
		h, w := l.inputSize()
		return l.N * h * w * l.C * max(l.Groups, 1)
	case Pool:
		h, w := l.inputSize()
		return l.N * h * w * l.K
	case GEMM:
		return l.M * l.C
	case MatMul:
		return l.N * (l.M*l.C + l.C*l.K)
	case RNN:
		return l.N * l.M * l.C
	}
	return l.OutputElements() * int64(max(len(l.In), 1))
}

// InputBytes returns the bytes of the inputs, each in its own format.
func (l *Layer) InputBytes(p Precision) int64 {
	return bytesOf(l.InputElements()-l.OwnElements, p.WithDefaults().Activations) + l.OwnBytes
}

// FusedBytes returns those of InputBytes and OutputBytes that need not leave
// the chip: the layer takes them from a fused layer, or is one.
func (l *Layer) FusedBytes(p Precision) int64 {
	width := p.WithDefaults().Activations
	for i, fused := range l.FusedIn {
		if fused {
			width = cmp.Or(l.InFormats[i].Bits, width)
		}
	}
	n := bytesOf(l.FusedElements, width)
	if l.Fused {
		n += l.OutputBytes(p)
	}
	return n
}

// inputSize returns H and W, or what "same" padding implies where they are
// unknown.
func (l *Layer) inputSize() (h, w int64) {
	h, w = l.H, l.W
	stride := func(i int) int64 { return max(l.Stride[i], 1) }
	if h == 0 {
		h = grow(l.Op, l.P, stride(0))
	}
	if w == 0 {
		w = grow(l.Op, l.Q, stride(1))
	}
	return h, w
}

func grow(op Op, out, stride int64) int64 {
	if op == Deconv {
		return (out + stride - 1) / stride
	}
	return out * stride
}

// Totals are the sums over a network; of one that generates tokens over all that
// it does for them, with every step.
type Totals struct {
	// Layers and MACLayers count layers, and those with MACs.
	Layers    int `json:"layers"`
	MACLayers int `json:"mac_layers"`
	// MACs per run, in operations.
	MACs int64 `json:"macs"`
	// Params counts weights and biases.
	Params int64 `json:"params"`
	// WeightBytes is the size of the parameters, with those that are idle.
	WeightBytes int64 `json:"weight_bytes"`
	// MaxLayerBytes is the largest input plus output of a layer.
	MaxLayerBytes int64 `json:"max_layer_bytes"`
	// PeakLiveBytes is Workload.PeakLiveBytes.
	PeakLiveBytes int64 `json:"peak_live_bytes"`
}

// Totals returns the sums over all layers.
func (w *Workload) Totals() Totals {
	if w.Decode != nil {
		phases := w.Phases()
		t, step := phases[0].Totals(), phases[1].Totals()
		t.Layers, t.MACLayers = t.Layers+step.Layers, t.MACLayers+step.MACLayers
		t.MACs += w.Decode.Steps * step.MACs // the parameters are the same ones
		t.MaxLayerBytes, t.PeakLiveBytes = max(t.MaxLayerBytes, step.MaxLayerBytes), max(t.PeakLiveBytes, step.PeakLiveBytes)
		return t
	}
	t := Totals{Layers: len(w.Layers), PeakLiveBytes: w.PeakLiveBytes()}
	for i := range w.Layers {
		l := &w.Layers[i]
		if l.Op.HasMACs() {
			t.MACLayers++
		}
		t.MACs += l.MACs()
		t.Params += l.Params()
		t.WeightBytes += l.WeightBytes(w.Precision) + bytesOf(l.Idle, l.WidthOfWeights(w.Precision))
		t.WeightBytes -= bytesOf(l.BorrowedElements, l.WidthOfWeights(w.Precision))
		if l.Borrowed {
			t.WeightBytes -= bytesOf(l.WeightElements(), l.WidthOfWeights(w.Precision)) + l.ScaleBytes
		}
		if l.BorrowedBias {
			t.WeightBytes -= bytesOf(l.BiasElements(), w.Precision.WithDefaults().Accumulators)
		}
		t.MaxLayerBytes = max(t.MaxLayerBytes, l.InputBytes(w.Precision)+l.OutputBytes(w.Precision))
	}
	return t
}
