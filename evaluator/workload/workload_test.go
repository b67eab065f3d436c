package workload_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"apollo/evaluator/workload"
)

const tiny = `
schema: apollo.workload/v1
name: tiny
inputs: [{name: image, shape: [1, 8, 8, 3]}]
layers:
  - {id: c0, op: conv, N: 1, K: 16, C: 3, P: 4, Q: 4, R: 3, S: 3, stride: [2, 2], act: relu, in: [image]}
  - {id: d0, op: dwconv, K: 16, P: 4, Q: 4, R: 3, S: 3, in: [c0]}
  - {id: a0, op: eltwise, fn: add, in: [c0, d0]}
`

func parse(t *testing.T, text string) *workload.Workload {
	t.Helper()
	w, err := workload.Parse("tiny.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestParseFillsWhatFollows(t *testing.T) {
	t.Parallel()
	w := parse(t, tiny)
	c, d, a := w.Layers[0], w.Layers[1], w.Layers[2]
	if c.H != 8 || c.W != 8 || c.Groups != 1 || c.Dilation != [2]int64{1, 1} {
		t.Errorf("conv = %+v, want H = W = 8, one group, dilation 1", c)
	}
	if d.N != 1 || d.Groups != 16 || d.C != 1 || d.Stride != [2]int64{1, 1} {
		t.Errorf("dwconv = %+v, want N 1, 16 groups, C 1, stride 1", d)
	}
	if a.OutputElements() != 4*4*16 || a.InputElements() != 2*4*4*16 {
		t.Errorf("eltwise reads %d and writes %d elements, want 512 and 256", a.InputElements(), a.OutputElements())
	}
	if p := w.Precision; p != (workload.Precision{Weights: 8, Activations: 8, Accumulators: 32}) {
		t.Errorf("Precision = %+v, want the defaults", p)
	}
}

// The stored form reads back to the same bytes.
func TestCanonicalJSONRoundTrips(t *testing.T) {
	t.Parallel()
	w := parse(t, tiny)
	first := canonical(t, w)
	again, err := workload.Parse("tiny.json", first)
	if err != nil {
		t.Fatal(err)
	}
	if second := canonical(t, again); string(second) != string(first) {
		t.Errorf("got  %s\nwant %s", second, first)
	}
	if err := w.Normalise(); err != nil || string(canonical(t, w)) != string(first) {
		t.Errorf("normalising twice changed the workload (error %v)", err)
	}
}

func canonical(t *testing.T, w *workload.Workload) []byte {
	t.Helper()
	b, err := w.CanonicalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	id := func(text string) string {
		t.Helper()
		s, err := parse(t, text).Identity()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	want := id(tiny)
	if len(want) != 64 {
		t.Errorf("Identity() = %q, want 64 hex digits", want)
	}
	same := map[string]string{
		"names":              strings.NewReplacer("c0", "stem", "image", "x", "name: tiny", "name: other").Replace(tiny),
		"derived dimensions": strings.Replace(tiny, "N: 1, K: 16, C: 3,", "K: 16, H: 8, W: 8,", 1),
		"source":             tiny + "source: {kind: hand, ref: somewhere}\n",
		"precision":          tiny + "precision: {weights: 8}\n",
	}
	for name, text := range same {
		if got := id(text); got != want {
			t.Errorf("another spelling of %s changes the identity", name)
		}
	}
	other := map[string]string{
		"channels":   strings.ReplaceAll(tiny, "K: 16", "K: 32"),
		"edge":       strings.Replace(tiny, "in: [c0, d0]", "in: [d0, d0]", 1),
		"precision":  tiny + "precision: {weights: 4}\n",
		"activation": strings.Replace(tiny, "relu", "relu6", 1),
		"bias":       strings.Replace(tiny, "act: relu", "act: relu, no_bias: true", 1),
	}
	seen := map[string]string{want: "the original"}
	for name, text := range other {
		got := id(text)
		if was, ok := seen[got]; ok {
			t.Errorf("another %s has the identity of %s", name, was)
		}
		seen[got] = name
	}
}

func TestIdentityRefusesABrokenEdge(t *testing.T) {
	t.Parallel()
	w := parse(t, tiny)
	w.Layers[1].In = []string{"nowhere"}
	if _, err := w.Identity(); err == nil || !strings.Contains(err.Error(), `"nowhere"`) {
		t.Errorf("Identity(): error %v, want one that names the edge", err)
	}
}

// Counts worked out by hand from the definition of each operation.
func TestCounts(t *testing.T) {
	t.Parallel()
	type counts struct{ macs, weights, bias, in, out int64 }
	for name, c := range map[string]struct {
		layer workload.Layer
		want  counts
	}{
		"conv": {
			workload.Layer{Op: workload.Conv, N: 2, K: 8, C: 3, P: 4, Q: 5, R: 3, S: 2, Stride: [2]int64{2, 1}},
			counts{2 * 8 * 3 * 4 * 5 * 3 * 2, 8 * 3 * 3 * 2, 8, 2 * 8 * 5 * 3, 2 * 4 * 5 * 8},
		},
		"gconv": {
			workload.Layer{Op: workload.GroupConv, N: 1, K: 8, C: 3, P: 4, Q: 4, R: 1, S: 1, Groups: 2, NoBias: true},
			counts{8 * 3 * 16, 24, 0, 16 * 6, 16 * 8},
		},
		"dwconv": {
			workload.Layer{Op: workload.DepthwiseConv, N: 1, K: 8, C: 1, P: 4, Q: 4, R: 3, S: 3, Groups: 8},
			counts{8 * 9 * 16, 72, 8, 16 * 8, 16 * 8},
		},
		"deconv counts input positions": {
			workload.Layer{Op: workload.Deconv, N: 1, K: 2, C: 4, P: 8, Q: 8, R: 2, S: 2, Stride: [2]int64{2, 2}},
			counts{4 * 4 * 2 * 4 * 2 * 2, 32, 2, 4 * 4 * 4, 8 * 8 * 2},
		},
		"gemm":   {workload.Layer{Op: workload.GEMM, M: 3, K: 5, C: 7}, counts{105, 35, 5, 21, 15}},
		"matmul": {workload.Layer{Op: workload.MatMul, N: 2, M: 3, K: 5, C: 7}, counts{210, 0, 0, 2 * (21 + 35), 30}},
		// Four gates of K x (C + K) weights for each of N x M steps.
		"lstm": {workload.Layer{Op: workload.RNN, Fn: "lstm", N: 2, M: 3, K: 5, C: 7}, counts{2 * 3 * 4 * 5 * 12, 240, 20, 42, 30}},
		"gru":  {workload.Layer{Op: workload.RNN, Fn: "gru", N: 1, M: 1, K: 5, C: 7}, counts{3 * 5 * 12, 180, 15, 7, 5}},
		"pool": {
			workload.Layer{Op: workload.Pool, N: 1, K: 8, P: 2, Q: 2, R: 2, S: 2, Stride: [2]int64{2, 2}},
			counts{0, 0, 0, 4 * 4 * 8, 2 * 2 * 8},
		},
		"norm": {workload.Layer{Op: workload.Norm, N: 1, K: 8, P: 2, Q: 2, Const: 16}, counts{0, 16, 0, 32, 32}},
		"add":  {workload.Layer{Op: workload.Eltwise, N: 1, K: 8, P: 2, Q: 2, In: []string{"a", "b"}}, counts{0, 0, 0, 64, 32}},
	} {
		l := c.layer
		got := counts{l.MACs(), l.WeightElements(), l.BiasElements(), l.InputElements(), l.OutputElements()}
		if got != c.want {
			t.Errorf("%s: counts %+v, want %+v", name, got, c.want)
		}
	}
}

func TestBytesFollowThePrecision(t *testing.T) {
	t.Parallel()
	l := workload.Layer{Op: workload.GEMM, M: 3, K: 5, C: 7} // 35 weights, 5 biases
	for _, c := range []struct {
		p                workload.Precision
		weights, in, out int64
	}{
		{workload.Precision{}, 35 + 5*4, 21, 15},
		{workload.Precision{Weights: 4, Activations: 16}, 18 + 5*4, 42, 30},
		{workload.Precision{Weights: 32, Activations: 32, Accumulators: 64}, 140 + 5*8, 84, 60},
	} {
		if w, in, out := l.WeightBytes(c.p), l.InputBytes(c.p), l.OutputBytes(c.p); w != c.weights || in != c.in || out != c.out {
			t.Errorf("%+v: weights %d, input %d, output %d B, want %d, %d, %d", c.p, w, in, out, c.weights, c.in, c.out)
		}
	}
}

func TestLives(t *testing.T) {
	t.Parallel()
	const head = "schema: apollo.workload/v1\nname: live\ninputs: [{name: x, shape: [1, 1, 1, 10]}, {name: y, shape: [1, 1, 1, 4]}]\nlayers:\n"
	for name, c := range map[string]struct {
		layers string
		want   []workload.Life // Arrives, Leaves, Live, Waiting, WaitingOutside
	}{
		"chain": {
			`  - {id: a, op: gemm, K: 20, in: [x]}
  - {id: b, op: gemm, K: 5, in: [a]}
`, []workload.Life{{10, 0, 30, 0, 0}, {0, 5, 25, 0, 0}},
		},
		"a residual edge keeps its tensor": {
			`  - {id: a, op: gemm, K: 20, in: [x]}
  - {id: b, op: gemm, K: 10, in: [a]}
  - {id: c, op: eltwise, fn: add, in: [x, b]}
`, []workload.Life{{10, 0, 30, 0, 0}, {0, 0, 40, 10, 10}, {0, 10, 30, 0, 0}},
		},
		"an output leaves at once": {
			`  - {id: a, op: gemm, K: 20, in: [x]}
  - {id: b, op: gemm, K: 7, in: [x]}
  - {id: c, op: gemm, K: 1, in: [a]}
`, []workload.Life{{10, 0, 30, 0, 0}, {0, 7, 37, 20, 0}, {0, 1, 21, 0, 0}},
		},
		"an input arrives at its first reader": {
			`  - {id: a, op: gemm, K: 20, in: [x]}
  - {id: b, op: gemm, K: 4, in: [a]}
  - {id: c, op: eltwise, fn: add, in: [b, y]}
`, []workload.Life{{10, 0, 30, 0, 0}, {0, 0, 24, 0, 0}, {4, 4, 12, 0, 0}},
		},
		"an input that is read twice by a layer arrives once": {
			`  - {id: a, op: eltwise, fn: mul, in: [x, x]}
`, []workload.Life{{10, 10, 20, 0, 0}},
		},
		"a view shares its input's memory": {
			`  - {id: a, op: gemm, K: 20, in: [x]}
  - {id: v, op: view, P: 2, Q: 2, K: 5, in: [a]}
  - {id: b, op: gemm, K: 3, C: 20, in: [v]}
`, []workload.Life{{10, 0, 30, 0, 0}, {0, 0, 20, 20, 0}, {0, 3, 23, 0, 0}},
		},
		"a view of an input is the input, once": {
			`  - {id: v, op: view, P: 1, Q: 5, K: 2, in: [x]}
  - {id: a, op: gemm, K: 20, in: [y]}
  - {id: b, op: eltwise, fn: mul, in: [v, v]}
  - {id: c, op: gemm, K: 3, in: [x]}
`, []workload.Life{{}, {4, 20, 24, 0, 0}, {10, 10, 20, 0, 0}, {0, 3, 13, 0, 0}},
		},
		"an unread view of a read tensor is an output": {
			`  - {id: a, op: gemm, K: 20, in: [x]}
  - {id: v, op: view, P: 2, Q: 2, K: 5, in: [a]}
  - {id: b, op: gemm, K: 3, in: [a]}
  - {id: c, op: gemm, K: 1, in: [b]}
`, []workload.Life{{10, 20, 30, 0, 0}, {0, 0, 20, 20, 0}, {0, 0, 23, 0, 0}, {0, 1, 4, 0, 0}},
		},
		"what is appended to a cache leaves, and the cache arrives with its reader": {
			`  - {id: a, op: gemm, K: 2, in: [x]}
  - {id: z, op: copy, fn: append, N: 1, P: 1, Q: 3, K: 2, in: [y, a]}
  - {id: b, op: gemm, K: 3, in: [a]}
  - {id: c, op: matmul, N: 1, M: 1, C: 3, K: 2, in: [b, z]}
`, []workload.Life{{10, 0, 12, 0, 0}, {0, 2, 4, 0, 0}, {0, 0, 7, 2, 2}, {4, 2, 11, 0, 0}},
		},
		"of a cache that nobody reads only what is appended moves": {
			`  - {id: z, op: copy, fn: append, N: 1, P: 1, Q: 12, K: 2, in: [y, x]}
`, []workload.Life{{10, 10, 20, 0, 0}},
		},
		"two caches that grow from one share it": {
			`  - {id: u, op: copy, fn: append, N: 1, P: 1, Q: 7, K: 2, in: [y, x]}
  - {id: v, op: copy, fn: append, N: 1, P: 1, Q: 7, K: 2, in: [y, x]}
  - {id: c, op: copy, fn: concat, N: 1, P: 1, Q: 14, K: 2, in: [u, v]}
`, []workload.Life{{10, 10, 20, 0, 0}, {0, 10, 30, 10, 10}, {4, 28, 52, 0, 0}},
		},
		"what is appended to a tensor of the chip stays, or is an output with it": {
			`  - {id: a, op: gemm, K: 2, in: [x]}
  - {id: z, op: copy, fn: append, N: 1, P: 1, Q: 3, K: 2, in: [a, y]}
  - {id: b, op: gemm, K: 5, in: [a]}
  - {id: c, op: softmax, in: [z]}
  - {id: u, op: copy, fn: append, N: 1, P: 1, Q: 3, K: 5, in: [b, x]}
`, []workload.Life{{10, 0, 12, 0, 0}, {4, 0, 20, 12, 10}, {0, 5, 21, 14, 10}, {0, 6, 22, 10, 10}, {0, 10, 20, 0, 0}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := parse(t, head+c.layers)
			if got := w.Lives(); !slices.Equal(got, c.want) {
				t.Errorf("Lives() = %v, want %v", got, c.want)
			}
			var want int64
			for _, l := range c.want {
				want = max(want, l.Live)
			}
			if got := w.PeakLiveBytes(); got != want {
				t.Errorf("PeakLiveBytes() = %d, want %d", got, want)
			}
		})
	}
}

// A cache may grow in every layer, and be read as often: memory grows with the
// layers, not with what each of them reads. Not parallel: it counts bytes.
func TestLivesOfLongChain(t *testing.T) {
	const steps = 50_000
	w := &workload.Workload{Name: "chain", Inputs: []workload.Input{{Name: "x", Shape: []int64{1, 1, 2}}, {Name: "y", Shape: []int64{1, 1, 2}}}}
	cache := "y"
	for i := range int64(steps) {
		grown, read := fmt.Sprint("z", i), fmt.Sprint("r", i)
		w.Layers = append(w.Layers,
			workload.Layer{ID: grown, Op: workload.Copy, Fn: workload.Append, N: 1, P: 1, Q: i + 2, K: 2, In: []string{cache, "x"}},
			workload.Layer{ID: read, Op: workload.GEMM, K: 1, In: []string{grown}})
		cache = grown
	}
	if err := w.Normalise(); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	lives := w.Lives()
	runtime.ReadMemStats(&after)
	if got, most := after.TotalAlloc-before.TotalAlloc, uint64(steps*1_000); got > most {
		t.Errorf("%d layers take %d B, want at most %d", 2*steps, got, most)
	}
	for i, got := range lives[2:] {
		// The cache with every step so far, and x or the sums that the reader writes.
		n := int64(i/2 + 1)
		want := workload.Life{Leaves: 2, Live: 2 + 2*(n+1) + 2, Waiting: 2 * (n + 1), WaitingOutside: 2 * (n + 1)}
		if i%2 == 1 {
			want = workload.Life{Leaves: n + 2, Live: 2*(n+2) + 2 + n + 2, Waiting: 2, WaitingOutside: 2}
			if n == steps-1 {
				want.Live, want.Waiting, want.WaitingOutside = want.Live-2, 0, 0 // x has no reader any more
			}
		}
		if got != want {
			t.Fatalf("layer %d: %+v, want %+v", i+2, got, want)
		}
	}
}

// A layer can always hold what it reads and writes.
func TestLivesBound(t *testing.T) {
	t.Parallel()
	for _, name := range workload.Names() {
		w := builtin(t, name)
		for i, live := range w.Lives() {
			l := &w.Layers[i]
			if need := l.InputBytes(w.Precision) + l.OutputBytes(w.Precision); live.Live < need {
				t.Errorf("%s/%s: %d B live, less than the %d B it reads and writes", name, l.ID, live.Live, need)
			}
			if live.Waiting < 0 || live.WaitingOutside < 0 || live.WaitingOutside > live.Waiting {
				t.Errorf("%s/%s: %+v", name, l.ID, live)
			}
		}
	}
}
