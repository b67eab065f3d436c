package workload_test

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"apollo/evaluator/workload"
	"apollo/evaluator/workload/internal/modeltest"
)

// summary writes a workload as one line a layer.
func summary(w *workload.Workload) string {
	var b strings.Builder
	for i := range w.Layers {
		l := &w.Layers[i]
		fmt.Fprintf(&b, "%s n%d m%d k%d c%d out %dx%d win %dx%d in %dx%d g%d %s%s macs %d params %d\n", l.Op, l.N, l.M, l.K, l.C,
			l.P, l.Q, l.R, l.S, l.H, l.W, l.Groups, l.Fn, l.Act, l.MACs(), l.Params())
	}
	return b.String()
}

// Every trap of the format in one file: weights behind DEQUANTIZE, explicit
// PAD with VALID, dilation, groups, a transposed convolution, SVDF, LSTM, an
// unknown operation.
func TestImportTFLiteSample(t *testing.T) {
	t.Parallel()
	w, r, err := workload.Import("dir/sample.tflite", modeltest.SampleTFLite(), workload.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	const want = `conv n1 m0 k8 c4 out 8x8 win 3x3 in 16x16 g1 relu6 macs 18432 params 296
dwconv n1 m0 k8 c1 out 8x8 win 3x3 in 8x8 g8 relu macs 4608 params 80
eltwise n1 m0 k8 c0 out 8x8 win 0x0 in 0x0 g0 addrelu macs 0 params 0
gconv n1 m0 k8 c4 out 8x8 win 1x1 in 8x8 g2  macs 2048 params 40
deconv n1 m0 k4 c8 out 16x16 win 2x2 in 8x8 g1 hswish macs 8192 params 128
pool n1 m0 k4 c0 out 8x8 win 2x2 in 16x16 g0 max macs 0 params 0
resize n1 m0 k4 c0 out 16x16 win 0x0 in 0x0 g0 bilinear macs 0 params 0
pool n1 m0 k4 c0 out 1x1 win 16x16 in 16x16 g0 avg macs 0 params 0
gemm n0 m1 k8 c4 out 0x0 win 0x0 in 0x0 g0 relu macs 32 params 40
gemm n0 m1 k4 c8 out 0x0 win 0x0 in 0x0 g0  macs 32 params 32
copy n1 m0 k4 c0 out 6x1 win 0x0 in 0x0 g0 concat macs 0 params 0
dwconv n1 m0 k4 c1 out 1x1 win 6x1 in 6x1 g4  macs 24 params 24
reduce n1 m0 k4 c0 out 1x1 win 0x0 in 0x0 g0 sum macs 0 params 4
view n1 m0 k2 c0 out 1x2 win 0x0 in 0x0 g0  macs 0 params 0
rnn n1 m2 k3 c2 out 0x0 win 0x0 in 0x0 g0 lstm macs 120 params 72
softmax n1 m0 k3 c0 out 1x2 win 0x0 in 0x0 g0  macs 0 params 0
opaque n1 m0 k2 c0 out 1x1 win 0x0 in 0x0 g0  macs 0 params 0
`
	if got := summary(w); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if w.Name != "sample" || w.Source.Kind != "tflite" || len(w.Source.SHA256) != 64 || len(w.Inputs) != 2 {
		t.Errorf("name %q, source %+v, inputs %v", w.Name, w.Source, w.Inputs)
	}
	if f := (workload.Folded{Constants: 1, Views: 1, Padding: 1, Activations: 1}); r.Folded != f {
		t.Errorf("folded %+v, want %+v", r.Folded, f)
	}
	if len(r.Unmodelled) != 1 || !strings.Contains(r.Unmodelled[0], "Mystery") || len(r.Notes) == 0 {
		t.Errorf("report %+v, want Mystery as not modelled and a note on the batch", r)
	}
}

// Shapes are inferred, Conv+BN+Mul+Add folded, a hard-swish that is written
// out recognised, shapes computed by Shape, Gather and Concat followed.
func TestImportONNXSample(t *testing.T) {
	t.Parallel()
	w, r, err := workload.Import("sample.onnx", modeltest.SampleONNX(), workload.ImportOptions{Precision: "int8"})
	if err != nil {
		t.Fatal(err)
	}
	const want = `conv n1 m0 k8 c4 out 8x8 win 3x3 in 16x16 g1 hswish macs 18432 params 296
gconv n1 m0 k8 c4 out 8x8 win 1x1 in 8x8 g2  macs 2048 params 32
copy n1 m0 k4 c0 out 16x8 win 0x0 in 0x0 g0 transpose macs 0 params 0
view n1 m0 k8 c0 out 8x8 win 0x0 in 0x0 g0  macs 0 params 0
deconv n1 m0 k4 c8 out 16x16 win 2x2 in 8x8 g1  macs 8192 params 128
resize n1 m0 k4 c0 out 8x8 win 0x0 in 0x0 g0  macs 0 params 0
gemm n0 m1 k10 c256 out 0x0 win 0x0 in 0x0 g0  macs 2560 params 2560
rnn n1 m1 k3 c10 out 0x0 win 0x0 in 0x0 g0 lstm macs 156 params 156
rnn n1 m1 k3 c10 out 0x0 win 0x0 in 0x0 g0 lstm macs 156 params 156
copy n1 m0 k2 c0 out 1x3 win 0x0 in 0x0 g0 concat macs 0 params 0
softmax n1 m0 k2 c0 out 1x3 win 0x0 in 0x0 g0  macs 0 params 0
`
	if got := summary(w); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if w.Precision != (workload.Precision{Weights: 8, Activations: 8, Accumulators: 32}) || len(r.Unmodelled) != 0 {
		t.Errorf("precision %+v, not modelled %v", w.Precision, r.Unmodelled)
	}
}

func TestImportErrors(t *testing.T) {
	t.Parallel()
	x := []modeltest.ONNXInput{{Name: "x", Shape: []int64{1, 4, 8, 8}}}
	onnx := func(n ...modeltest.ONNXNode) []byte {
		return modeltest.ONNX{Inputs: x, Nodes: n, Outputs: []string{"y"}}.Bytes()
	}
	node := func(op string, in ...string) modeltest.ONNXNode {
		return modeltest.ONNXNode{Op: op, In: in, Out: []string{"y"}}
	}
	tf := func(code int32, custom string) []byte {
		return modeltest.TFLite{
			Tensors: []modeltest.TFTensor{{Name: "x", Shape: []int32{1, 4}}, {Name: "y", Shape: []int32{1, 4}}},
			Inputs:  []int32{0}, Outputs: []int32{1},
			Ops: []modeltest.TFOp{{Code: code, Custom: custom, In: []int32{0}, Out: []int32{1}}},
		}.Bytes()
	}
	open := modeltest.ONNX{Inputs: []modeltest.ONNXInput{{Name: "x", Shape: []int64{-1, 4, -1, 8}}}, Nodes: []modeltest.ONNXNode{node("Relu", "x")}, Outputs: []string{"y"}}.Bytes()
	sample := modeltest.SampleTFLite()
	for name, c := range map[string]struct {
		data []byte
		o    workload.ImportOptions
		want string
	}{
		"empty":          {nil, workload.ImportOptions{}, "the file is empty"},
		"text":           {[]byte("hello"), workload.ImportOptions{}, "offset 0: neither"},
		"pointer":        {[]byte("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"), workload.ImportOptions{}, "git lfs pull"},
		"zip":            {[]byte("PK\x03\x04xxxxxxxx"), workload.ImportOptions{}, "zip archive"},
		"workload":       {[]byte("schema: apollo.workload/v1\n"), workload.ImportOptions{}, "needs no import"},
		"cut":            {sample[:len(sample)/2], workload.ImportOptions{}, "the file is damaged or not complete"},
		"compiled":       {tf(32, "edgetpu-custom-op"), workload.ImportOptions{}, "import the file that the compiler was given"},
		"ethos":          {tf(32, "ethos-u"), workload.ImportOptions{}, "compiled for an Ethos-U"},
		"while":          {tf(119, ""), workload.ImportOptions{}, "operator 0 (WHILE): a loop cannot be"},
		"opaque only":    {tf(32, "Mystery"), workload.ImportOptions{}, "nothing in the model can be modelled: Mystery"},
		"strict":         {sample, workload.ImportOptions{Strict: true}, "--strict: not modelled: Mystery"},
		"precision":      {sample, workload.ImportOptions{Precision: "int7"}, `the precision "int7" is not known, there are: int4, int8`},
		"dims of tflite": {sample, workload.ImportOptions{Dims: map[string]int64{"h": 1}}, "shapes of a TensorFlow Lite file are fixed"},
		"open dimension": {open, workload.ImportOptions{}, `input "x": dimension 2 is open: give its size with --dim x.2=N`},
		"no such dim":    {open, workload.ImportOptions{Dims: map[string]int64{"x.2": 8, "h": 3}}, "--dim h: the model has no such open dimension, there are: x.0, x.2"},
		"dim size":       {open, workload.ImportOptions{Dims: map[string]int64{"x.2": 0}}, "has no elements, and nothing else comes in"},
		"no open dims":   {onnx(node("Relu", "x")), workload.ImportOptions{Dims: map[string]int64{"h": 3}}, "--dim h: the model has no open dimensions"},
		"unknown op":     {onnx(node("Mystery", "x")), workload.ImportOptions{}, "operation 0 (Mystery): the operation is not known and the file does not state the shape"},
		"if":             {onnx(node("If", "x")), workload.ImportOptions{}, "operation 0 (If): its condition is computed at run time, and a list of layers has one way only: export the model"},
		"unknown input":  {onnx(node("Relu", "z")), workload.ImportOptions{}, `reads "z", which no earlier operation writes`},
		"no graph":       {[]byte{8, 8}, workload.ImportOptions{}, "the file has no graph"},
		"no output":      {modeltest.ONNX{Inputs: x, Outputs: []string{"y"}}.Bytes(), workload.ImportOptions{}, `output "y": no operation writes it`},
		"bias": {
			modeltest.ONNX{Inputs: x, Weights: []modeltest.ONNXTensor{{Name: "w", Shape: []int64{4, 4, 1, 1}}, {Name: "b", Shape: []int64{5}}}, Nodes: []modeltest.ONNXNode{
				{Op: "Conv", In: []string{"x", "w", "b"}, Out: []string{"y"}},
			}}.Bytes(), workload.ImportOptions{}, "its bias has the shape [5], want 4 numbers",
		},
		"window":         {onnx(modeltest.ONNXNode{Op: "MaxPool", In: []string{"x"}, Out: []string{"y"}, Attrs: map[string]any{"kernel_shape": []int64{9, 9}}}), workload.ImportOptions{}, "a window of 9 does not fit into an input of 8"},
		"reshape at run": {onnx(node("Reshape", "x", "x")), workload.ImportOptions{}, "its target shape is computed at run time"},
		"nothing to do":  {onnx(node("Identity", "x")), workload.ImportOptions{}, "the model has no layers"},
		"broadcast":      {modeltest.ONNX{Inputs: append(x, modeltest.ONNXInput{Name: "z", Shape: []int64{3}}), Nodes: []modeltest.ONNXNode{node("Add", "x", "z")}}.Bytes(), workload.ImportOptions{}, "do not broadcast"},
		"huge":           {modeltest.ONNX{Inputs: []modeltest.ONNXInput{{Name: "x", Shape: []int64{1 << 30, 1 << 30}}}}.Bytes(), workload.ImportOptions{}, "more than 2^40 elements"},
		"four-dimension": {modeltest.ONNX{Inputs: []modeltest.ONNXInput{{Name: "x", Shape: []int64{1, 2, 3, 4, 5, 6}}}, Nodes: []modeltest.ONNXNode{node("GlobalAveragePool", "x")}}.Bytes(), workload.ImportOptions{}, "more than three dimensions"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := workload.Import("m", c.data, c.o)
			if err == nil || !strings.HasPrefix(err.Error(), "import m: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v\nwant one with %q", err, c.want)
			}
		})
	}
}

// sound checks what holds for every import, whatever the bytes, and reports
// whether the file was accepted.
func sound(data []byte) (accepted bool, err error) {
	w, r, err := workload.Import("m", data, workload.ImportOptions{})
	if err != nil {
		return false, nil
	}
	if t := w.Totals(); t.MACs < 0 || t.Params < 0 || t.PeakLiveBytes <= 0 || r.Layers != len(w.Layers) {
		return true, fmt.Errorf("totals %+v, report %+v", t, r)
	}
	before, err := w.Identity()
	if err != nil {
		return true, err
	}
	b, err := w.CanonicalJSON()
	if err != nil {
		return true, err
	}
	again, err := workload.Parse("again", b)
	if err != nil {
		return true, fmt.Errorf("the written file does not read back: %w\n%s", err, b)
	}
	after, err := again.Identity()
	if err != nil {
		return true, fmt.Errorf("identity of what was read back: %w", err)
	}
	if after != before {
		return true, errors.New("reading back changes the identity")
	}
	return true, nil
}

func FuzzImportTFLite(f *testing.F) {
	f.Add(modeltest.SampleTFLite())
	for _, m := range kindsOfTFLite() {
		f.Add(m.model.Bytes())
	}
	f.Add(calledTFLite(modeltest.TFOp{Code: 206, More: map[int]int32{1: 1}}).Bytes())
	fuzzImport(f)
}

func FuzzImportONNX(f *testing.F) {
	f.Add(modeltest.SampleONNX())
	f.Add(branched(nil, []modeltest.ONNXTensor{scalar("c", 1)}))
	f.Add(called(2).Bytes())
	for _, m := range oddLoops() {
		f.Add(m.bytes())
	}
	for _, m := range attentionModels() {
		f.Add(m.bytes())
	}
	fuzzImport(f)
}

func fuzzImport(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := sound(data); err != nil {
			t.Fatal(err)
		}
	})
}

// mutate changes a few places of a file: bytes, numbers, lengths, cuts.
func mutate(r *rand.Rand, data []byte) []byte {
	out := append([]byte(nil), data...)
	for range 1 + r.IntN(3) {
		if len(out) < 8 {
			return out
		}
		i := r.IntN(len(out) - 4)
		switch r.IntN(7) {
		case 0:
			out[i] ^= 1 << r.IntN(8)
		case 1:
			out[i] = byte(r.Uint32())
		case 2:
			edges := []uint32{0, 1, 0x7fffffff, 0x80000000, 0xffffffff, uint32(len(out)), uint32(len(out)) - uint32(i)}
			v := edges[r.IntN(len(edges))]
			out[i], out[i+1], out[i+2], out[i+3] = byte(v), byte(v>>8), byte(v>>16), byte(v>>24)
		case 3:
			out = out[:len(out)-r.IntN(min(len(out)/2, 64))]
		case 4:
			j := r.IntN(len(out) - 4)
			copy(out[i:i+4], out[j:j+4])
		case 5:
			out = append(out[:i], out[i+1+r.IntN(3):]...)
		case 6:
			j := min(i+r.IntN(32), len(out))
			out = append(out[:j:j], out[i:]...)
		}
	}
	return out
}

// APOLLO_MUTATIONS sets how many mutated files are tried, and APOLLO_SEED which:
// none may panic, and none may allocate out of proportion to the file.
func TestImportMutations(t *testing.T) {
	const few = 4000
	count := few
	if s := os.Getenv("APOLLO_MUTATIONS"); s != "" {
		var err error
		if count, err = strconv.Atoi(s); err != nil {
			t.Fatalf("APOLLO_MUTATIONS: %v", err)
		}
	}
	seeds := [][]byte{
		modeltest.SampleTFLite(), modeltest.SampleONNX(),
		branched(nil, []modeltest.ONNXTensor{scalar("c", 1)}), called(2).Bytes(),
	}
	seeds = append(seeds, calledTFLite(modeltest.TFOp{Code: 206, More: map[int]int32{1: 1}}).Bytes())
	seeds = append(seeds, computedBranch(tfLess, 8).Bytes())
	for _, odd := range []map[string]oddModel{oddLoops(), oddValues(), oddCalls()} {
		for _, name := range slices.Sorted(maps.Keys(odd)) {
			seeds = append(seeds, odd[name].bytes())
		}
	}
	seeds = append(seeds, oddSequences()["without the last"].bytes(), oddSamples()["DeformConv"].bytes())
	seeds = append(seeds, mixtureOf(false, true, 5, attrs{}).Bytes(), mixtureOf(true, true, 5, attrs{}).Bytes())
	kinds := kindsOfTFLite()
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		seeds = append(seeds, kinds[name].model.Bytes())
	}
	models := attentionModels()
	for _, name := range slices.Sorted(maps.Keys(models)) {
		seeds = append(seeds, models[name].bytes())
	}
	files := smallModels(t, count > few)
	seed, _ := strconv.ParseUint(cmp.Or(os.Getenv("APOLLO_SEED"), "7"), 10, 64)
	r := rand.New(rand.NewPCG(seed, 1))
	var worst uint64
	accepted := 0
	for i := range count {
		data := seeds[i%len(seeds)]
		if len(files) > 0 && i%16 == 0 {
			data = files[i/16%len(files)]
		}
		data = mutate(r, data)
		var before, after runtime.MemStats
		check := i%64 == 0 // reading the statistics stops the world
		if check {
			runtime.ReadMemStats(&before)
		}
		ok, err := sound(data)
		if err != nil {
			t.Fatalf("mutation %d: %v", i, err)
		}
		if ok {
			accepted++
		}
		if check {
			runtime.ReadMemStats(&after)
			worst = max(worst, after.TotalAlloc-before.TotalAlloc)
		}
	}
	const limit = 32 << 20
	if worst > limit {
		t.Errorf("one import allocated %d bytes, the limit is %d", worst, limit)
	}
	t.Logf("%d mutations of %d files, %d accepted, at most %d bytes allocated by one", count, len(seeds)+len(files), accepted, worst)
	if accepted == 0 {
		t.Error("no mutation was accepted: they do not reach beyond the headers")
	}
}

// smallModels are the real files of up to 100 kB, where they are and wanted.
func smallModels(t *testing.T, wanted bool) (files [][]byte) {
	t.Helper()
	if !wanted {
		return nil
	}
	root := cmp.Or(os.Getenv("APOLLO_MODELS"), "../../../shared/models")
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Logf("model files not found (set APOLLO_MODELS): %v", err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Size() > 100_000 || filepath.Ext(e.Name()) == ".md" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(root, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, data)
	}
	return files
}
