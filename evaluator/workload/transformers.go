package workload

import "cmp"

// vitB16 is ViT-B/16, 224 x 224: Dosovitskiy et al., arXiv 2010.11929, Table 1.
func vitB16(name string, s Sizes) (*Workload, error) {
	const layers, width, inner, patch, side, classes = 12, 768, 3072, 16, 14, imageNet
	const length = side*side + 1
	h := heads{12, 12, 64}
	t := &tokens{
		builder: &builder{sizes: map[string][2]int64{}}, batch: max(s.Batch, 1), length: length, width: width,
		fused: s.Attention != AttentionSeparate,
	}
	t.w = Workload{Name: name, Source: Source{Kind: "generated", Ref: "arXiv 2010.11929, Table 1", Licence: "facts (shapes only)"}}
	x := t.input("image", t.batch, side*patch, side*patch, rgb)
	x = t.on("patches", Layer{Op: Conv, K: width, P: side, Q: side, R: patch, S: patch, Stride: [2]int64{patch, patch}}, x)
	// The token of the class stands before the patches.
	x = t.on("class", Layer{Op: Copy, Fn: "concat", N: t.batch, P: 1, Q: length, K: width, Const: width}, x)
	x = t.on("positions", Layer{Op: Eltwise, Fn: "add", Const: length * width}, x)
	for i := range layers {
		id := numbered("layer", i)
		x = t.encode(id, x, h, width, true)
		x = t.wide(id, x, width, inner)
	}
	x = t.norm("norm", x, "layer")
	x = t.on("token", Layer{Op: Copy, Fn: "slice", N: 1, P: 1, Q: t.batch, K: width}, x)
	t.project("logits", x, t.batch, classes, false, "")
	return t.build()
}

// encode appends the attention of every token over all of its sequence behind a
// normalisation, with its sum.
func (t *tokens) encode(id, x string, h heads, width int64, keyBias bool) string {
	y := t.norm(id+".norm1", x, "layer")
	q := t.project(id+".query", y, t.rows(), width, false, "")
	k := t.project(id+".key", y, t.rows(), width, !keyBias, "")
	v := t.project(id+".value", y, t.rows(), width, false, "")
	y = t.attend(id, q, k, v, h, t.length)
	return t.sum(id+".add1", t.project(id+".output", y, t.rows(), width, false, ""), x)
}

// Whisper tiny: Radford et al., arXiv 2212.04356, Table 1; 80 bands of 3,000
// frames of a spectrogram come in, half as many tokens leave the encoder.
const (
	whisperLayers, whisperWidth, whisperHeads = 4, 384, 6
	whisperBands, whisperFrames               = 80, 3000
	whisperTokens, whisperVocabulary          = 448, 51865
	whisperRef                                = "arXiv 2212.04356, Table 1, tiny"
)

func whisperEncoder(name string, s Sizes) (*Workload, error) {
	const length = whisperFrames / 2
	t, _ := sequences(name, whisperRef, s, length, whisperWidth)
	t.w.Inputs = nil
	x := t.input("spectrogram", t.batch, 1, whisperFrames, whisperBands)
	x = t.on("conv1", Layer{Op: Conv, K: whisperWidth, P: 1, Q: whisperFrames, R: 1, S: 3, Act: "gelu"}, x)
	x = t.on("conv2", Layer{Op: Conv, K: whisperWidth, P: 1, Q: length, R: 1, S: 3, Stride: [2]int64{1, 2}, Act: "gelu"}, x)
	x = t.on("positions", Layer{Op: Eltwise, Fn: "add", Const: length * whisperWidth}, x)
	for i := range whisperLayers {
		id := numbered("layer", i)
		x = t.encode(id, x, heads{whisperHeads, whisperHeads, whisperWidth / whisperHeads}, whisperWidth, false)
		x = t.wide(id, x, whisperWidth, 4*whisperWidth)
	}
	t.norm("norm", x, "layer")
	return t.build()
}

// whisperDecode makes tokens of text. The keys and values of the encoder's
// tokens are made once for a piece of speech: they are inputs here, as the
// cache is, and the parameters that make them are idle.
func whisperDecode(name string, s Sizes) (*Workload, error) {
	const width, speech = whisperWidth, whisperFrames / 2
	h := heads{whisperHeads, whisperHeads, width / whisperHeads}
	past := cmp.Or(s.Past, 64)
	t, x := sequences(name, whisperRef, s, cmp.Or(s.Sequence, 1), width)
	x = t.on("embed", Layer{Op: Eltwise, Fn: "add", Const: min(t.length, whisperTokens) * width, Idle: max(whisperTokens-t.length, 0) * width}, x)
	for i := range whisperLayers {
		id := numbered("layer", i)
		y := t.norm(id+".norm1", x, "layer")
		q := t.project(id+".query", y, t.rows(), width, false, "")
		k := t.project(id+".key", y, t.rows(), width, true, "")
		v := t.project(id+".value", y, t.rows(), width, false, "")
		k, v = t.cached(id+".key", k, h, past), t.cached(id+".value", v, h, past)
		y = t.attend(id, q, k, v, h, past+t.length)
		x = t.sum(id+".add1", t.project(id+".output", y, t.rows(), width, false, ""), x)

		cross := id + ".cross"
		y = t.norm(cross+".norm", x, "layer")
		q = t.project(cross+".query", y, t.rows(), width, false, "")
		w := &t.w.Layers[len(t.w.Layers)-1]
		w.Idle = 2*width*width + width // keys, and values with their bias
		n := t.batch * h.groups
		k, v = t.input(cross+".key", n, 1, speech, h.size), t.input(cross+".value", n, 1, speech, h.size)
		y = t.attend(cross, q, k, v, h, speech)
		x = t.sum(cross+".add", t.project(cross+".output", y, t.rows(), width, false, ""), x)
		x = t.wide(id, x, width, 4*width)
	}
	x = t.norm("norm", x, "layer")
	t.project("logits", x, t.rows(), whisperVocabulary, true, "")
	return t.build()
}
