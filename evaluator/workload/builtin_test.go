package workload_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"apollo/evaluator/workload"
)

// Totals as published: MobileNetV2 1.0 300 M MACs and 3.4 M parameters (Sandler
// et al., Table 4), MobileNetEdgeTPU 1.0 990 M and 4.0 M (README of
// tensorflow/models research/slim/nets/mobilenet); exact figures and peak
// activation memory from an independent generator of the same tables.
func TestBuiltinTotals(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]workload.Totals{
		"mobilenet_v2": {
			Layers: 65, MACLayers: 53, MACs: 300_775_552, Params: 3_489_097,
			WeightBytes: 3_543_268, MaxLayerBytes: 1_505_280, PeakLiveBytes: 1_505_280,
		},
		"mobilenet_edgetpu": {
			Layers: 76, MACLayers: 59, MACs: 990_670_464, Params: 4_073_273,
			WeightBytes: 4_134_596, MaxLayerBytes: 602_112, PeakLiveBytes: 602_112,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := builtin(t, name)
			if got := w.Totals(); got != want {
				t.Errorf("Totals() = %+v\nwant %+v", got, want)
			}
			if w.Name != name {
				t.Errorf("Name = %q, want %q", w.Name, name)
			}
		})
	}
}

// testdata/<name>.txt lists the distinct layers, how often each occurs, and
// their counts.
func TestBuiltinLayers(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"mobilenet_edgetpu", "mobilenet_v2"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := multiset(builtin(t, name))
			want := readFacts(t, filepath.Join("testdata", name+".txt"))
			if len(want) == 0 {
				t.Fatal("the table of facts is empty")
			}
			compareMultisets(t, got, want)
		})
	}
}

func compareMultisets(t *testing.T, got, want map[string]int) {
	t.Helper()
	for _, row := range sortedKeys(got) {
		if got[row] != want[row] {
			t.Errorf("layer %q occurs %d times, want %d", row, got[row], want[row])
		}
	}
	for _, row := range sortedKeys(want) {
		if got[row] == 0 {
			t.Errorf("layer %q is missing, want %d", row, want[row])
		}
	}
}

// multiset counts the layers by everything but their names and edges. Input
// sizes appear through in_bytes.
func multiset(w *workload.Workload) map[string]int {
	rows := map[string]int{}
	for i := range w.Layers {
		rows[row(&w.Layers[i], w.Precision)]++
	}
	return rows
}

func row(l *workload.Layer, p workload.Precision) string {
	stride, act := "-", "-"
	if l.Op.Spatial() {
		stride = fmt.Sprintf("%dx%d", l.Stride[0], l.Stride[1])
	}
	if l.Act != "" {
		act = l.Act
	}
	return fmt.Sprint(l.Op, " ", l.K, l.C, l.P, l.Q, l.R, l.S, " ", stride, " ", act, " ",
		l.MACs(), l.Params(), l.WeightBytes(p), l.InputBytes(p), l.OutputBytes(p))
}

func readFacts(t *testing.T, name string) map[string]int {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	rows := map[string]int{}
	for s := bufio.NewScanner(f); s.Scan(); {
		line := s.Text()
		if strings.HasPrefix(line, "#") {
			continue
		}
		count, fact, _ := strings.Cut(line, " ")
		var n int
		if _, err := fmt.Sscan(count, &n); err != nil {
			t.Fatalf("%s: line %q: %v", name, line, err)
		}
		rows[fact] += n
	}
	return rows
}

func TestBuiltinNames(t *testing.T) {
	t.Parallel()
	names := workload.Names()
	if !slices.IsSorted(names) || len(names) < 2 {
		t.Errorf("Names() = %v, want at least two names, sorted", names)
	}
	for name, want := range map[string]string{
		"mobilnet-v2": "did you mean mobilenet_v2? There are: alexnet, bert_base, ",
		"lstm":        `no built-in network is called "lstm", there are: alexnet, `,
		"":            "there are: alexnet, ",
	} {
		_, err := workload.Builtin(name)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Builtin(%q): error %v, want one with %q", name, err, want)
		}
	}
}

// Two callers never share a table.
func TestBuiltinIsACopy(t *testing.T) {
	t.Parallel()
	a, b := builtin(t, "mobilenet_v2"), builtin(t, "mobilenet_v2")
	a.Layers[0].K, a.Layers[0].In[0] = 1, "x"
	if b.Layers[0].K != 32 || b.Layers[0].In[0] != "image" {
		t.Error("changing one copy changed another")
	}
}

func builtin(t *testing.T, name string) *workload.Workload {
	t.Helper()
	w, err := workload.Builtin(name)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func sortedKeys(m map[string]int) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
