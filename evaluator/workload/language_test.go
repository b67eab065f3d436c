package workload_test

import (
	"math"
	"strings"
	"testing"

	"apollo/evaluator/workload"
)

// Parameters as published with the weights (the sum over the tensors of the
// safetensors files that the model pages state, or the paper), and operations.
// Our networks have no second parameter of a batch normalisation.
func TestNewNetworksAgainstPublished(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		sizes  workload.Sizes
		params int64
		gmacs  float64 // published, 0 where nobody states them
		within float64
		source string
	}{
		// Operations of a token: a multiplication for every weight that is read,
		// and 2 n_ctx n_layer d_attn for scores and context (Kaplan et al.,
		// arXiv 2001.08361, Section 2.1, in MACs); 1,025 tokens are attended to.
		{"llama_1b_decode", workload.Sizes{}, 1_235_814_400, (1_235_814_400 - 16*2*2048 - 2048 + 2*1025*16*2048) / 1e9, 1e-9, "meta-llama/Llama-3.2-1B"},
		{"llama_8b_decode", workload.Sizes{}, 8_030_261_248, (8_030_261_248 - 128256*4096 - 32*2*4096 - 4096 + 2*1025*32*4096) / 1e9, 1e-9, "meta-llama/Llama-3.1-8B"},
		{"qwen_05b_decode", workload.Sizes{}, 494_032_768, (494_032_768 - 24*(2*896+896+2*128) - 896 + 2*1025*24*896) / 1e9, 1e-9, "Qwen/Qwen2.5-0.5B"},
		// "each token only uses 13B active parameters", arXiv 2401.04088, Section 1;
		// embeddings are not multiplied.
		{"mixtral_8x7b_decode", workload.Sizes{}, 46_702_792_704, 13.0, 0.01, "mistralai/Mixtral-8x7B-v0.1"},
		{"gpt2_decode", workload.Sizes{}, 124_439_808, (124_439_808 - 1024*768 - 12*(9*768+4*768) - 2*768 + 2*513*12*768) / 1e9, 1e-9, "openai-community/gpt2"},
		// 17.56 G multiply-adds: torchvision, models.vit_b_16, "GFLOPS 17.56".
		{"vit_b16", workload.Sizes{}, 86_567_656, 17.56, 0.001, "torchvision vit_b_16"},
		// 312 M multiply-adds, 3.9 M parameters: arXiv 1807.11626, Table 1.
		{"mnasnet_a1", workload.Sizes{}, 0, 0.312, 0.005, "arXiv 1807.11626"},
		// 8.7 G operations, two a MAC: ultralytics, table of YOLOv8; 3,151,904
		// parameters with batch normalisation folded.
		{"yolov8n", workload.Sizes{}, 3_151_904, 8.7 / 2, 0.01, "ultralytics yolov8n"},
	} {
		w, err := workload.Sized(c.name, c.sizes)
		if err != nil {
			t.Fatal(err)
		}
		got := w.Totals()
		if c.params > 0 && got.Params != c.params {
			t.Errorf("%s: %d parameters, %s has %d", c.name, got.Params, c.source, c.params)
		}
		if g := float64(got.MACs) / 1e9; math.Abs(g/c.gmacs-1) > c.within {
			t.Errorf("%s: %.6f GMACs, published %.6f", c.name, g, c.gmacs)
		}
	}
}

// MnasNet-A1 has 3,887,038 parameters with batch normalisation (timm
// semnasnet_100): two for each channel, where the folded network has a bias.
// Only squeeze-and-excitation and the classifier have biases there.
func TestMnasNetParameters(t *testing.T) {
	t.Parallel()
	w := builtin(t, "mnasnet_a1")
	var normalised int64
	for i := range w.Layers {
		l := &w.Layers[i]
		if l.Op.Spatial() && l.Op != workload.Pool && l.H > 1 {
			normalised += l.K
		}
	}
	if got := w.Totals().Params + normalised; got != 3_887_038 {
		t.Errorf("%d parameters with batch normalisation, published 3887038", got)
	}
}

// The U-Net of Stable Diffusion 1.5: 859.52 M parameters
// (diffusers, unet.num_parameters()), and 339 G MACs without the products of
// attention that have no weights (arXiv 2305.15798, Table 1).
func TestUNetAgainstPublished(t *testing.T) {
	t.Parallel()
	w := builtin(t, "sd15_unet")
	if got := w.Totals().Params; got != 859_520_964 {
		t.Errorf("%d parameters, published 859520964", got)
	}
	var weighted int64
	for i := range w.Layers {
		if l := &w.Layers[i]; l.Op.HasWeights() {
			weighted += l.MACs()
		}
	}
	if g := float64(weighted) / 1e9; math.Abs(g/339-1) > 0.005 {
		t.Errorf("%.2f GMACs with weights, published 339", g)
	}
}

// Whisper tiny has 37,760,640 parameters (openai/whisper-tiny): those of the
// encoder and those of the decoder.
func TestWhisperParameters(t *testing.T) {
	t.Parallel()
	if got := builtin(t, "whisper_tiny_encoder").Totals().Params + builtin(t, "whisper_tiny_decode").Totals().Params; got != 37_760_640 {
		t.Errorf("%d parameters, published 37760640", got)
	}
}

// Tokens, cache and batch do what they say: weights stay, scores grow with the
// cache, everything that is multiplied grows with the batch.
func TestSizes(t *testing.T) {
	t.Parallel()
	sized := func(name string, s workload.Sizes) *workload.Workload {
		w, err := workload.Sized(name, s)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	short, long := sized("llama_8b_decode", workload.Sizes{Past: 1023}), sized("llama_8b_decode", workload.Sizes{Past: 4095})
	if got, want := long.Totals().MACs-short.Totals().MACs, int64(2*3072*32*4096); got != want {
		t.Errorf("3072 more tokens in the cache cost %d MACs, want %d", got, want)
	}
	if a, b := short.Totals(), long.Totals(); a.Params != b.Params || identityOf(t, short) == identityOf(t, long) {
		t.Errorf("the cache changes the parameters: %d and %d, or not the identity", a.Params, b.Params)
	}
	for _, name := range []string{"resnet50_v1", "vgg16", "bert_base", "sd15_unet", "llama_1b_prefill", "whisper_tiny_encoder"} {
		one, four := sized(name, workload.Sizes{}).Totals(), sized(name, workload.Sizes{Batch: 4}).Totals()
		if four.MACs != 4*one.MACs || four.Params != one.Params {
			t.Errorf("%s: a batch of 4 has %d MACs and %d parameters, one has %d and %d", name, four.MACs, four.Params, one.MACs, one.Params)
		}
	}
	// A prompt takes all experts, a token two of eight.
	prompt, token := sized("mixtral_8x7b_prefill", workload.Sizes{Sequence: 256}), sized("mixtral_8x7b_decode", workload.Sizes{Past: 256})
	if a, b := idle(prompt), idle(token); a != 32000*4096 || b != 32000*4096+32*6*3*4096*14336 || prompt.Totals().Params != token.Totals().Params {
		t.Errorf("%d and %d parameters are idle, want the embeddings, and with them six experts of eight", a, b)
	}
	if a, b := sized("bert_base", workload.Sizes{Attention: workload.AttentionFused}), builtin(t, "bert_base"); identityOf(t, a) == identityOf(t, b) || a.Totals() != b.Totals() {
		t.Error("fused attention changes the identity and no count")
	}
}

func idle(w *workload.Workload) (n int64) {
	for i := range w.Layers {
		n += w.Layers[i].Idle
	}
	return n
}

func identityOf(t *testing.T, w *workload.Workload) string {
	t.Helper()
	id, err := w.Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestSizesRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		sizes workload.Sizes
		want  string
	}{
		{"mobilenet_v2", workload.Sizes{Sequence: 3}, "network mobilenet_v2 has no sequence, it has: batch"},
		{"bert_base", workload.Sizes{Past: 3}, "network bert_base has no past, it has: batch, sequence, attention"},
		{"llama_8b", workload.Sizes{Past: 3}, "network llama_8b has no past, it has: batch, sequence, generate, attention"},
		{"llama_8b", workload.Sizes{Generate: 1}, "network llama_8b: generate is 1, want 2 or more: the prompt makes the first token, llama_8b_prefill alone runs it"},
		{"vgg16", workload.Sizes{Attention: "fused"}, "network vgg16 has no attention, it has: batch"},
		{"gpt2_decode", workload.Sizes{Past: 1 << 21}, "network gpt2_decode: past is 2097152, want 1 to 1048576"},
		{"vgg16", workload.Sizes{Weights: "int3"}, `network vgg16: weights is "int3", want one of int4, int8, int16, int32, fp4, fp8, bf16, fp16, fp32`},
		{"vgg16", workload.Sizes{Weights: "int4", Accumulators: "int4"}, "network vgg16: accumulators is int4, want int8, int16 or int32 of 8 bits or more: products of integers are summed as integers, others as floating-point numbers"},
		{"vgg16", workload.Sizes{Activations: "int16", Accumulators: "int8"}, "network vgg16: accumulators is int8, want int8, int16 or int32 of 16 bits or more: products of integers are summed as integers, others as floating-point numbers"},
		{"vgg16", workload.Sizes{Weights: "fp8", Activations: "fp8", Accumulators: "fp8"}, "network vgg16: accumulators is fp8, want fp16 or fp32 of 16 bits or more: products of integers are summed as integers, others as floating-point numbers"},
		{"vgg16", workload.Sizes{Accumulators: "fp16"}, "network vgg16: accumulators is fp16, want int8, int16 or int32 of 8 bits or more: products of integers are summed as integers, others as floating-point numbers"},
		{"vgg16", workload.Sizes{Activations: "fp16", Accumulators: "int32"}, "network vgg16: accumulators is int32, want fp16 or fp32 of 16 bits or more: products of integers are summed as integers, others as floating-point numbers"},
		{"gpt2_decode", workload.Sizes{Attention: "flash"}, `network gpt2_decode: attention is "flash", want fused or separate`},
	} {
		if _, err := workload.Sized(c.name, c.sizes); err == nil || err.Error() != c.want {
			t.Errorf("Sized(%q, %v): error %v, want %q", c.name, c.sizes, err, c.want)
		}
	}
	want := workload.Sizes{Batch: 2, Sequence: 3, Past: 4, Generate: 5, Attention: "fused", Weights: "int4", Activations: "fp16", Accumulators: "fp32"}
	if got, err := workload.ParseSizes(want.String()); err != nil || got != want {
		t.Errorf("ParseSizes(%q) = %+v, %v", want.String(), got, err)
	}
	for _, twice := range []string{"past=4096,past=5", "weights=int4,weights=int8", "batch=2,past=4,batch=2"} {
		if s, err := workload.ParseSizes(twice); err == nil || !strings.Contains(err.Error(), "is given twice") {
			t.Errorf("ParseSizes(%q) = %+v, %v, want an error", twice, s, err)
		}
	}
}

// A network that generates tokens is its prompt and its passes; a document of
// it reads back, and the number of passes is part of its identity.
func TestGenerate(t *testing.T) {
	t.Parallel()
	sizes := workload.Sizes{Batch: 2, Sequence: 16, Generate: 9}
	w, err := workload.Sized("gpt2", sizes)
	if err != nil {
		t.Fatal(err)
	}
	if w.Decode == nil || w.Decode.Steps != 8 || w.Decode.Tokens != 2 {
		t.Fatalf("decode is %+v, want 8 steps of 2 tokens", w.Decode)
	}
	var macs int64
	for i, want := range []struct {
		name  string
		sizes workload.Sizes
		runs  int64
	}{{"gpt2_prefill", workload.Sizes{Batch: 2, Sequence: 16}, 1}, {"gpt2_decode", workload.Sizes{Batch: 2, Past: 20}, 8}} {
		alone, err := workload.Sized(want.name, want.sizes)
		if err != nil {
			t.Fatal(err)
		}
		phase := w.Phases()[i]
		if phase.Name != want.name || identityOf(t, phase) != identityOf(t, alone) {
			t.Errorf("phase %d is %s and not the built-in %s", i, phase.Name, want.name)
		}
		macs += want.runs * alone.Totals().MACs
	}
	if got := w.Totals(); got.MACs != macs || got.Params != 124_439_808 {
		t.Errorf("%d MACs and %d parameters, want %d and those of the model", got.MACs, got.Params, macs)
	}
	text, err := w.CanonicalJSON()
	if err != nil {
		t.Fatal(err)
	}
	again, err := workload.Parse("again", text)
	if err != nil || identityOf(t, again) != identityOf(t, w) {
		t.Errorf("read back: %v, or another identity", err)
	}
	again.Decode.Steps++
	if identityOf(t, again) == identityOf(t, w) {
		t.Error("the number of steps is no part of the identity")
	}
	again.Decode.Steps = 0
	if err := again.Normalise(); err == nil || !strings.Contains(err.Error(), "decode has 0 steps") {
		t.Errorf("0 steps are normalised: %v", err)
	}
}

// What a fused layer hands on need not leave the chip, a cache that grows moves
// only what is new, query heads that share keys read them once.
func TestAttentionTraffic(t *testing.T) {
	t.Parallel()
	w, err := workload.Sized("llama_8b_decode", workload.Sizes{Past: 4095})
	if err != nil {
		t.Fatal(err)
	}
	const keys = 8 * 4096 * 128
	for i := range w.Layers {
		l := &w.Layers[i]
		switch l.ID {
		case "layer0.key.append":
			if l.InputBytes(w.Precision) != 1024 || l.OutputBytes(w.Precision) != 1024 {
				t.Errorf("appending a token reads %d and writes %d bytes, want 1024", l.InputBytes(w.Precision), l.OutputBytes(w.Precision))
			}
		case "layer0.scores":
			if got := l.InputBytes(w.Precision); got != 4096+keys || l.FusedBytes(w.Precision) != 32*4096 {
				t.Errorf("scores read %d bytes, want those of the queries and the keys once, %d; %d are fused", got, 4096+keys, l.FusedBytes(w.Precision))
			}
		case "layer0.softmax":
			if got := l.FusedBytes(w.Precision); got != 2*32*4096 {
				t.Errorf("%d bytes of the softmax are fused, want all", got)
			}
		case "layer0.context":
			if got := l.FusedBytes(w.Precision); got != 32*4096 || l.MACs() != 32*4096*128 {
				t.Errorf("%d bytes of the context are fused, %d MACs", got, l.MACs())
			}
		}
	}
}

func TestFusedMistakes(t *testing.T) {
	t.Parallel()
	const head = "schema: apollo.workload/v1\nname: n\ninputs: [{name: x, shape: [1, 4, 4, 8]}]\nlayers:\n"
	for _, c := range []struct{ layers, want string }{
		{"  - {id: a, op: softmax, fused: true, in: [x]}\n", "it is fused, but no layer reads it"},
		{"  - {id: a, op: softmax, fused: true, in: [x]}\n  - {id: b, op: act, act: relu, in: [a]}\n  - {id: c, op: act, act: relu, in: [a]}\n", "a fused layer has one reader"},
		{"  - {id: a, op: softmax, fused: true, in: [x]}\n  - {id: b, op: conv, K: 4, P: 4, Q: 4, R: 1, S: 1, in: [a]}\n", "a product or a layer without window reads fused tensors"},
		{"  - {id: a, op: view, fused: true, in: [x]}\n", "fused is set, but op view makes no tensor"},
		{"  - {id: a, op: copy, fn: append, in: [x]}\n", "a copy that appends reads the one that grows"},
		{"  - {id: a, op: softmax, idle: -1, in: [x]}\n", "idle is -1"},
		{"  - {id: a, op: softmax, weight_bits: 4, in: [x]}\n", "the layer has no weights and no const"},
	} {
		if _, err := workload.Parse("f", []byte(head+c.layers)); err == nil || !contains(err, c.want) {
			t.Errorf("%s: error %v, want one with %q", c.layers, err, c.want)
		}
	}
}

func contains(err error, text string) bool { return strings.Contains(err.Error(), text) }
