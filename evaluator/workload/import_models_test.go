package workload_test

import (
	"cmp"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"apollo/evaluator/workload"
)

// modelFile reads a real model (APOLLO_MODELS); the test skips without it.
func modelFile(t testing.TB, name string) []byte {
	t.Helper()
	root := cmp.Or(os.Getenv("APOLLO_MODELS"), "../../../shared/models")
	data, err := os.ReadFile(filepath.Join(root, name))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("model file not found (set APOLLO_MODELS): %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Totals of real files, published with them or counted by others.
func TestImportModels(t *testing.T) {
	t.Parallel()
	square := map[string]int64{"x.2": 640, "x.3": 640}
	for _, c := range []struct {
		file       string
		dims       map[string]int64
		mmacs      float64
		layers     int
		unmodelled string
	}{
		{"mobilenet_v2_1.0_224_quant.tflite", nil, 300.78, 53, ""},
		{"mobilenet_edgetpu_0.75_224_post_training_quant.tflite", nil, 624.49, 59, ""},
		{"mobilenet_v1_0.25_128_quant.tflite", nil, 13.57, 28, ""},
		{"deeplabv3_mnv2_dm05_pascal_quant.tflite", nil, 867.50, 55, ""},
		{"selfie_segmentation.tflite", nil, 58.17, 54, "Convolution2DTransposeBias"},
		{"kws_ref_model.tflite", nil, 2.66, 10, ""},
		{"light_resnet50.onnx", nil, 4089.18, 54, ""},
		{"light_shufflenet.onnx", nil, 124.66, 50, ""},
		{"mobilenetv2.onnx", nil, 300.77, 53, ""},
		{"ch_ppocr_mobile_v2.0_cls_infer.onnx", square, 620.45, 54, ""},
	} {
		t.Run(c.file, func(t *testing.T) {
			t.Parallel()
			data := modelFile(t, c.file)
			w, r, err := workload.Import(c.file, data, workload.ImportOptions{Dims: c.dims})
			if err != nil {
				t.Fatal(err)
			}
			totals := w.Totals()
			if math.Abs(float64(totals.MACs)/1e6-c.mmacs) > 0.005001 || totals.MACLayers != c.layers {
				t.Errorf("%d MACs in %d layers, want %.2f M in %d", totals.MACs, totals.MACLayers, c.mmacs, c.layers)
			}
			if got := strings.Join(r.Unmodelled, "; "); (got == "") != (c.unmodelled == "") || !strings.Contains(got, c.unmodelled) {
				t.Errorf("not modelled: %q, want %q", got, c.unmodelled)
			}
			_, _, err = workload.Import(c.file, data, workload.ImportOptions{Dims: c.dims, Strict: true})
			if (err != nil) != (c.unmodelled != "") {
				t.Errorf("strict: error %v, want one exactly where something is not modelled", err)
			}
			b, err := w.CanonicalJSON()
			if err != nil {
				t.Fatal(err)
			}
			again, err := workload.Parse("again.json", b)
			if err != nil {
				t.Fatal(err)
			}
			if again.Totals() != totals {
				t.Errorf("the written file has %+v, the import %+v", again.Totals(), totals)
			}
		})
	}
}

// A file of a network that is built in has the same layers.
func TestImportEqualsBuiltin(t *testing.T) {
	t.Parallel()
	for file, name := range map[string]string{
		"mobilenet_v2_1.0_224_quant.tflite":                     "mobilenet_v2",
		"mobilenet_edgetpu_0.75_224_post_training_quant.tflite": "mobilenet_edgetpu_075",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _, err := workload.Import(file, modelFile(t, file), workload.ImportOptions{})
			if err != nil {
				t.Fatal(err)
			}
			compareMultisets(t, multiset(withMACs(w)), multiset(withMACs(builtin(t, name))))
		})
	}
}

func TestImportRefusesModels(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"split_concat_edgetpu.tflite":         "import the file that the compiler was given",
		"model_invoking_error.tflite":         "nothing in the model can be modelled",
		"ch_ppocr_mobile_v2.0_cls_infer.onnx": `input "x": dimension 2 ("p2o.DynamicDimension.1"); input "x": dimension 3 ("p2o.DynamicDimension.2") are open: give their sizes with --dim p2o.DynamicDimension.1=N --dim p2o.DynamicDimension.2=N`,
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			_, _, err := workload.Import(file, modelFile(t, file), workload.ImportOptions{})
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "import "+file) {
				t.Errorf("error %v, want one with %q", err, want)
			}
		})
	}
}
