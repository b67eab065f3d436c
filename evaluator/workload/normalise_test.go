package workload_test

import (
	"strings"
	"testing"

	"apollo/evaluator/workload"
)

func TestNormaliseErrors(t *testing.T) {
	t.Parallel()
	const head = "schema: apollo.workload/v1\nname: n\ninputs: [{name: x, shape: [1, 8, 8, 4]}]\nlayers:\n"
	for name, c := range map[string]struct{ text, want string }{
		"schema":      {strings.Replace(tiny, "/v1", "/v2", 1), `schema is "apollo.workload/v2", this program reads "apollo.workload/v1"`},
		"no name":     {strings.Replace(tiny, "name: tiny", "name: ''", 1), "is empty"},
		"no inputs":   {"name: n\nlayers: [{id: a, op: act, in: [x]}]", "has no inputs"},
		"no layers":   {"name: n\ninputs: [{name: x, shape: [1]}]", "has no layers"},
		"width":       {tiny + "precision: {weights: 65}\n", "width of 65 bits"},
		"rank":        {"name: n\ninputs: [{name: x, shape: []}]\nlayers: [{id: a, op: act, in: [x]}]", "0 dimensions"},
		"dimension":   {"name: n\ninputs: [{name: x, shape: [0]}]\nlayers: [{id: a, op: act, in: [x]}]", "dimension 0"},
		"elements":    {"name: n\ninputs: [{name: x, shape: [2000000, 2000000]}]\nlayers: [{id: a, op: act, in: [x]}]", "more than 2^40"},
		"twice":       {head + "  - {id: x, op: act, in: [x]}", "the id is used twice"},
		"no edge":     {head + "  - {id: a, op: act, in: []}", "reads nothing"},
		"order":       {head + "  - {id: a, op: act, in: [b]}\n  - {id: b, op: act, in: [x]}", `reads "b", which is neither an input nor an earlier layer`},
		"op":          {head + "  - {id: a, op: warp, in: [x]}", "the op is unknown, want one of [conv"},
		"unused dim":  {head + "  - {id: a, op: act, C: 3, in: [x]}", "C is 3, but op act has no C"},
		"gemm batch":  {head + "  - {id: a, op: gemm, N: 2, K: 3, in: [x]}", "op gemm has no N"},
		"const":       {head + "  - {id: a, op: gemm, K: 3, const: 2, in: [x]}", "op gemm has no const"},
		"no_bias":     {head + "  - {id: a, op: act, no_bias: true, in: [x]}", "no_bias is set"},
		"negative":    {head + "  - {id: a, op: conv, K: -1, P: 8, Q: 8, R: 1, S: 1, in: [x]}", "K is -1"},
		"channels":    {head + "  - {id: a, op: conv, K: 2, C: 3, P: 8, Q: 8, R: 1, S: 1, in: [x]}", "C (input channels of one group) is 3, but its input says 4"},
		"height":      {head + "  - {id: a, op: conv, K: 2, H: 9, P: 8, Q: 8, R: 1, S: 1, in: [x]}", "H is 9, but its input says 8"},
		"grouped":     {head + "  - {id: a, op: conv, K: 2, groups: 2, P: 8, Q: 8, R: 1, S: 1, in: [x]}", "write op: gconv"},
		"one group":   {head + "  - {id: a, op: gconv, K: 2, P: 8, Q: 8, R: 1, S: 1, in: [x]}", "write op: conv"},
		"groups":      {head + "  - {id: a, op: gconv, K: 3, groups: 3, P: 8, Q: 8, R: 1, S: 1, in: [x]}", "groups is 3, which does not divide the 4"},
		"outputs":     {head + "  - {id: a, op: gconv, K: 3, groups: 2, P: 8, Q: 8, R: 1, S: 1, in: [x]}", "K is 3, want a positive multiple of the 2 groups"},
		"dw channels": {head + "  - {id: a, op: dwconv, K: 4, groups: 2, P: 8, Q: 8, R: 1, S: 1, in: [x]}", "one input channel per group"},
		"output size": {head + "  - {id: a, op: conv, K: 2, P: 9, Q: 8, R: 1, S: 1, in: [x]}", "P is 9, too large for an input of 8 at stride 1"},
		"no window":   {head + "  - {id: a, op: conv, K: 2, P: 8, Q: 8, in: [x]}", "P is 8 and R is 0, both must be given"},
		"pool fn":     {head + "  - {id: a, op: pool, in: [x]}", "a pool wants avg or max"},
		"gemm rows":   {head + "  - {id: a, op: gemm, M: 7, K: 2, C: 4, in: [x]}", "M x C are 7 x 4, but its input has 256 elements"},
		"gemm K":      {head + "  - {id: a, op: gemm, in: [x]}", "K is missing"},
		"matmul":      {head + "  - {id: a, op: matmul, N: 1, M: 1, K: 1, C: 1, in: [x]}", "reads 1 tensors, a matmul reads 2"},
		"matmul dims": {head + "  - {id: a, op: matmul, N: 1, M: 1, C: 1, in: [x, x]}", "K is missing"},
		"matmul size": {head + "  - {id: a, op: matmul, N: 1, M: 64, K: 65, C: 4, in: [x, x]}", "but its second input has 256 elements"},
		"borrowed":    {head + "  - {id: a, op: rnn, fn: rnn, K: 1, in: [x], borrowed_elements: 1000}", "borrowed_elements is 1000, want 0 to the layer's 5 weights"},
		"no borrowed": {head + "  - {id: a, op: softmax, in: [x], borrowed_elements: 1}", "borrowed_elements is 1, but op softmax has no weights"},
		"borrowed of": {head + "  - {id: a, op: rnn, fn: rnn, K: 1, in: [x], borrowed: true, borrowed_elements: 1}", "borrowed_elements is 1, but borrowed says it of all"},
		"cell":        {head + "  - {id: a, op: rnn, K: 1, in: [x]}", "an rnn wants rnn, gru or lstm"},
		"eltwise fn":  {head + "  - {id: a, op: eltwise, in: [x, x]}", "fn is missing"},
		"broadcast":   {head + "  - {id: a, op: conv, K: 3, P: 8, Q: 8, R: 1, S: 1, in: [x]}\n  - {id: b, op: eltwise, fn: add, in: [x, a]}", "do not broadcast"},
		"concat":      {head + "  - {id: a, op: conv, K: 3, P: 4, Q: 4, R: 1, S: 1, stride: [2, 2], in: [x]}\n  - {id: b, op: copy, in: [x, a]}", "write P, Q and K"},
		"view":        {head + "  - {id: a, op: view, P: 1, Q: 1, K: 255, in: [x]}", "but its input has 256 elements"},
		"opaque":      {head + "  - {id: a, op: opaque, in: [x]}", "the output is 1x0x0x0"},
		"weights":     {head + "  - {id: a, op: gemm, K: 2000000000, in: [x]}\n  - {id: b, op: gemm, K: 2000000000, in: [a]}", "more than 2^40 elements"},
		"MACs":        {head + "  - {id: a, op: conv, K: 1, P: 1, Q: 1, R: 1, S: 1, stride: [8, 8], in: [x]}\n  - {id: b, op: resize, P: 20000, Q: 20000, in: [a]}\n  - {id: c, op: conv, K: 2000, P: 20000, Q: 20000, R: 10000, S: 10000, in: [b]}", "more than 2^62 MACs"},
		"unknown key": {strings.Replace(tiny, "act: relu", "kernel: 3", 1), `unknown field "kernel"`},
		"not YAML":    {"\tx", "read workload f.yaml: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := workload.Parse("f.yaml", []byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Parse(): error %v\nwant one with %q", err, c.want)
			}
		})
	}
}

// Every mistake is reported at once, and one that follows from another is not
// reported again.
func TestNormaliseReportsEveryMistakeOnce(t *testing.T) {
	t.Parallel()
	_, err := workload.Parse("f.yaml", []byte(`
name: n
inputs: [{name: x, shape: [1, 8, 8, 4]}]
layers:
  - {id: a, op: pool, in: [x]}
  - {id: b, op: act, in: [a]}
  - {id: c, op: gemm, in: [x]}
`))
	if err == nil {
		t.Fatal("Parse() accepted three mistakes")
	}
	text := err.Error()
	for _, want := range []string{`layer 0 ("a", pool)`, `layer 2 ("c", gemm)`} {
		if !strings.Contains(text, want) {
			t.Errorf("error %q, want it to name %s", text, want)
		}
	}
	if strings.Contains(text, `"b"`) {
		t.Errorf("error %q names b, which is wrong only because of a", text)
	}
}

func TestNormaliseShapes(t *testing.T) {
	t.Parallel()
	const head = "name: n\ninputs: [{name: x, shape: [1, 8, 8, 4]}, {name: s, shape: [1, 16, 6]}]\nlayers:\n"
	for name, c := range map[string]struct {
		layers     string
		n, p, q, k int64
		in         int64
	}{
		"global pool":      {"  - {id: a, op: pool, fn: avg, in: [x]}", 1, 1, 1, 4, 256},
		"concatenation":    {"  - {id: a, op: copy, in: [x, x]}", 1, 8, 8, 8, 256},
		"slice":            {"  - {id: a, op: copy, P: 8, Q: 8, K: 1, in: [x]}", 1, 8, 8, 1, 256},
		"resize":           {"  - {id: a, op: resize, P: 16, Q: 16, in: [x]}", 1, 16, 16, 4, 256},
		"reduce":           {"  - {id: a, op: reduce, in: [x]}", 1, 1, 1, 4, 256},
		"scale":            {"  - {id: p, op: pool, fn: avg, in: [x]}\n  - {id: a, op: eltwise, fn: mul, in: [x, p]}", 1, 8, 8, 4, 260},
		"sequence":         {"  - {id: a, op: norm, const: 12, in: [s]}", 1, 1, 16, 6, 96},
		"channel multiple": {"  - {id: a, op: dwconv, K: 8, P: 8, Q: 8, R: 3, S: 3, in: [x]}", 1, 8, 8, 8, 256},
		"upsample":         {"  - {id: a, op: deconv, K: 2, P: 16, Q: 16, R: 2, S: 2, stride: [2, 2], in: [x]}", 1, 16, 16, 2, 256},
		"opaque":           {"  - {id: a, op: opaque, P: 1, Q: 1, K: 9, in: [x, s]}", 1, 1, 1, 9, 352},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := parse(t, head+c.layers)
			l := w.Layers[len(w.Layers)-1]
			if l.N != c.n || l.P != c.p || l.Q != c.q || l.K != c.k || l.InputElements() != c.in {
				t.Errorf("output %dx%dx%dx%d, reads %d elements, want %+v", l.N, l.P, l.Q, l.K, l.InputElements(), c)
			}
		})
	}
}

// Whatever the bytes are: no panic, and what is accepted has sound counts and
// reads back to itself.
func FuzzParse(f *testing.F) {
	f.Add([]byte(tiny))
	f.Add([]byte(`{"name":"n","inputs":[{"name":"x","shape":[1,2]}],"layers":[{"id":"g","op":"gemm","K":9,"in":["x"]}]}`))
	f.Add([]byte("name: n\ninputs: [{name: x, shape: [3, 4]}]\nlayers: [{id: r, op: rnn, fn: lstm, K: 2, in: [x]}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		w, err := workload.Parse("fuzz", data)
		if err != nil {
			return
		}
		totals := w.Totals()
		if totals.MACs < 0 || totals.Params < 0 || totals.PeakLiveBytes <= 0 {
			t.Fatalf("totals %+v", totals)
		}
		b, err := w.CanonicalJSON()
		if err != nil {
			t.Fatal(err)
		}
		again, err := workload.Parse("fuzz", b)
		if err != nil {
			t.Fatalf("the canonical form does not read back: %v\n%s", err, b)
		}
		if got, err := again.CanonicalJSON(); err != nil || string(got) != string(b) {
			t.Fatalf("got %s, error %v\nwant %s", got, err, b)
		}
	})
}
