package workload_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"apollo/evaluator/workload"
)

// refNet is a layer table of the reference folder (APOLLO_REFS).
type refNet struct {
	Inputs [][]int64
	Layers []refLayer
	Totals struct {
		MACs       int64 `json:"macs"`
		Params     int64 `json:"params"`
		Weights    int64 `json:"weight_bytes"`
		LiveBytes  int64 `json:"peak_live_bytes"`
		LayerBytes int64 `json:"max_layer_in_out_bytes"`
	}
}

type refLayer struct {
	Op, Kind            string
	N, K, C, P, Q, R, S int64
	H, W, Groups        int64
	Stride, Dil         [2]int64
	Act                 string
	Deps                []int
	Out                 []int64
	MACs                int64 `json:"macs"`
	Params              int64 `json:"w_elems"`
	WeightBytes         int64 `json:"w_bytes"`
	InputBytes          int64 `json:"in_bytes"`
	OutputBytes         int64 `json:"out_bytes"`
}

func readRef(t *testing.T, file string) refNet {
	t.Helper()
	root := cmp.Or(os.Getenv("APOLLO_REFS"), "../../../shared/refs")
	name := filepath.Join(root, "workloads", file+".json")
	b, err := os.ReadFile(name)
	if err != nil {
		t.Skipf("reference table not found (set APOLLO_REFS): %v", err)
	}
	var r refNet
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return r
}

// layer writes a reference layer in this package's form. The dimensions that
// Normalise can derive are left out, so that the test checks the derivation.
func (r refLayer) layer(id int) workload.Layer {
	l := workload.Layer{ID: "l" + strconv.Itoa(id), Op: workload.Op(r.Kind), Act: r.Act}
	for _, d := range r.Deps {
		name := "in" + strconv.Itoa(-d)
		if d >= 0 {
			name = "l" + strconv.Itoa(d)
		}
		l.In = append(l.In, name)
	}
	switch l.Op {
	case workload.Conv, workload.GroupConv, workload.DepthwiseConv, workload.Deconv:
		l.K, l.P, l.Q, l.R, l.S = r.K, r.P, r.Q, r.R, r.S
		l.Groups, l.Stride, l.Dilation = r.Groups, r.Stride, r.Dil
		l.NoBias = r.Params == r.K*r.C*r.R*r.S
	case workload.Pool:
		l.Fn, l.P, l.Q, l.R, l.S, l.Stride = "avg", r.P, r.Q, r.R, r.S, r.Stride
	case workload.GEMM:
		l.M, l.K, l.C = r.N, r.K, r.C
	case workload.MatMul:
		l.N, l.M, l.K, l.C = r.Groups, r.N, r.K, r.C
	case workload.Eltwise:
		l.Fn = "add"
		l.Const = r.Params
	case workload.Resize:
		l.P, l.Q = r.Out[1], r.Out[2]
		l.Const = r.Params
	default:
		l.Const = r.Params
	}
	return l
}

func (r refNet) workload(t *testing.T) *workload.Workload {
	t.Helper()
	w := &workload.Workload{Name: "reference"}
	for i, shape := range r.Inputs {
		w.Inputs = append(w.Inputs, workload.Input{Name: "in" + strconv.Itoa(i+1), Shape: shape})
	}
	for i, l := range r.Layers {
		w.Layers = append(w.Layers, l.layer(i))
	}
	if err := w.Normalise(); err != nil {
		t.Fatal(err)
	}
	return w
}

// The generated networks are the reference tables: same layers, same counts,
// same edges. Where the table is that of a model file, its bookkeeping
// (quantisation, the constants of a resize) is no layer of the network: only
// the layers with MACs are compared.
func TestBuiltinAgainstReferences(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, file string
		macsOnly   bool
	}{
		{"alexnet", "alexnet_227", false},
		{"bert_base", "bert_base_s128", false},
		{"deeplabv3_mobilenet_v2", "deeplabv3_mnv2_pascal_quant", true},
		{"densenet121", "densenet121_224", false},
		{"efficientnet_edgetpu_m", "efficientnet_edgetpu_m", false},
		{"efficientnet_edgetpu_s", "efficientnet_edgetpu_s", false},
		{"inception_v1", "inception_v1_224", false},
		{"inception_v4", "inception_v4_299", false},
		{"mobilenet_edgetpu", "mobilenet_edgetpu_1.0_224", false},
		{"mobilenet_edgetpu_075", "mobilenet_edgetpu_0.75_224", false},
		{"mobilenet_v1", "mobilenet_v1_1.0_224", false},
		{"mobilenet_v2", "mobilenet_v2_1.0_224", false},
		{"mobilenet_v3_large", "mobilenet_v3_large", false},
		{"resnet50_v1", "resnet50_v1_224", false},
		{"resnet50_v15", "resnet50_v15_224", false},
		{"ssd_mobilenet_v2", "ssd_mobilenet_v2_300", false},
		{"ssdlite_mobiledet_edgetpu", "ssdlite_mobiledet_edgetpu_320", false},
		{"unet", "unet_256_same", false},
		{"vgg16", "vgg16_224", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ref := readRef(t, c.file)
			got, want := builtin(t, c.name), ref.workload(t)
			for i := range got.Layers { // the reference of BERT leaves it out
				if l := &got.Layers[i]; l.Act == "gelu" {
					l.Act = ""
				}
			}
			if c.macsOnly {
				compareMultisets(t, multiset(withMACs(got)), multiset(withMACs(want)))
				return
			}
			compareMultisets(t, multiset(got), multiset(want))
			if g, w := got.Totals(), want.Totals(); g != w {
				t.Errorf("Totals() = %+v, want %+v", g, w)
			}
		})
	}
}

// The tables of PP-OCR are those of model files with every operation on its
// own and 32-bit numbers: the layers with MACs must be the same.
func TestBuiltinAgainstModelFiles(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]string{
		"ppocr_v4_detection":   "ch_PP-OCRv4_det_infer",
		"ppocr_v4_recognition": "ch_PP-OCRv4_rec_infer",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ref, got, want := readRef(t, file), map[string]int{}, map[string]int{}
			for _, l := range withMACs(builtin(t, name)).Layers {
				got[dims(l.Op, max(l.N, l.M), l.K, l.C, l.P, l.Q, l.R, l.S, l.MACs())]++
			}
			for _, r := range ref.Layers {
				if op := workload.Op(r.Kind); op == workload.GEMM || op == workload.MatMul {
					want[dims(op, r.N, r.K, r.C, 0, 0, 0, 0, r.MACs)]++
				} else if op.HasMACs() {
					want[dims(op, r.N, r.K, r.C, r.P, r.Q, r.R, r.S, r.MACs)]++
				}
			}
			compareMultisets(t, got, want)
		})
	}
}

func dims(op workload.Op, d ...int64) string { return fmt.Sprint(op, d) }

func withMACs(w *workload.Workload) *workload.Workload {
	out := *w
	out.Layers = nil
	for _, l := range w.Layers {
		if l.Op.HasMACs() {
			out.Layers = append(out.Layers, l)
		}
	}
	return &out
}

// Tables of every kind of network fit the format, and their totals come out
// as the reference states them.
func TestReferenceTotals(t *testing.T) {
	t.Parallel()
	for _, file := range []string{
		"alexnet_227", "bert_base_s128", "efficientnet_edgetpu_m", "efficientnet_edgetpu_s",
		"inception_v1_224", "inception_v4_299", "mobilenet_edgetpu_0.75_224", "mobilenet_edgetpu_1.0_224",
		"mobilenet_v1_0.25_128", "mobilenet_v1_1.0_224", "mobilenet_v2_1.0_224", "mobilenet_v3_large",
		"resnet50_v15_224", "resnet50_v1_224", "resnet50_v1_299", "ssd_mobilenet_v2_300",
		"ssdlite_mobiledet_edgetpu_320", "unet_256_same", "vgg16_224", "densenet121_224",
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			ref := readRef(t, file)
			w := ref.workload(t)
			for i, r := range ref.Layers {
				checkLayer(t, &w.Layers[i], w.Precision, r)
			}
			// The reference leaves the picture itself out of its peak, which
			// shows where the first layer has the largest input and output.
			ref.Totals.LiveBytes = max(ref.Totals.LiveBytes, ref.Totals.LayerBytes)
			got := w.Totals()
			if got.MACs != ref.Totals.MACs || got.Params != ref.Totals.Params || got.PeakLiveBytes != ref.Totals.LiveBytes {
				t.Errorf("MACs %d, parameters %d, peak %d B, want %+v", got.MACs, got.Params, got.PeakLiveBytes, ref.Totals)
			}
		})
	}
}

func checkLayer(t *testing.T, l *workload.Layer, p workload.Precision, r refLayer) {
	t.Helper()
	if l.MACs() != r.MACs || l.Params() != r.Params || l.InputBytes(p) != r.InputBytes || l.OutputBytes(p) != r.OutputBytes {
		t.Errorf("%s %s: MACs %d, parameters %d, input %d B, output %d B, want %d, %d, %d, %d", l.ID, l.Op,
			l.MACs(), l.Params(), l.InputBytes(p), l.OutputBytes(p), r.MACs, r.Params, r.InputBytes, r.OutputBytes)
	}
	if l.Op.HasWeights() && (l.WeightBytes(p) != r.WeightBytes || l.H != r.H || l.W != r.W) {
		t.Errorf("%s %s: weights %d B, input %d x %d, want %d B, %d x %d", l.ID, l.Op, l.WeightBytes(p), l.H, l.W, r.WeightBytes, r.H, r.W)
	}
}
