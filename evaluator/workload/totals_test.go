package workload_test

import (
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"apollo/evaluator/workload"
)

// Totals that the networks must have, in millions: from an independent
// generator of the published tables. A zero is not checked here.
func TestBuiltinMillions(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct{ macs, params float64 }{
		"bert_base":                 {11173.63, 0},
		"deeplabv3_mobilenet_v2":    {2740.71, 2.097},
		"densenet121":               {2834.16, 0},
		"efficientnet_edgetpu_m":    {3013.32, 6.867},
		"efficientnet_edgetpu_s":    {1788.73, 5.414},
		"inception_v1":              {1498.38, 0},
		"inception_v4":              {12253.98, 0},
		"mobilenet_edgetpu":         {990.67, 4.073},
		"mobilenet_edgetpu_075":     {624.49, 0},
		"mobilenet_v1":              {568.74, 4.222},
		"mobilenet_v2":              {300.78, 3.489},
		"mobilenet_v3_large":        {216.59, 5.471},
		"ppocr_v4_detection":        {2301.94, 0},
		"ppocr_v4_recognition":      {1406.33, 0},
		"resnet50_v1":               {3857.97, 25.530},
		"resnet50_v15":              {4089.18, 25.530},
		"ssd_mobilenet_v2":          {772.78, 6.048},
		"ssdlite_mobiledet_edgetpu": {1533.18, 4.122},
		"vgg16":                     {15470.26, 138.358},
	} {
		got := builtin(t, name).Totals()
		if !near(got.MACs, want.macs, 0.005) || want.params > 0 && !near(got.Params, want.params, 0.0005) {
			t.Errorf("%s: %d MACs, %d parameters, want %.2f M and %.3f M", name, got.MACs, got.Params, want.macs, want.params)
		}
	}
}

// near reports whether n is millions, to the given rounding.
func near(n int64, millions, rounding float64) bool {
	return math.Abs(float64(n)/1e6-millions) <= rounding*1.0001
}

// Parameter counts that others publish for implementations that keep batch
// normalisation: two parameters a channel, where the folded network has a bias
// or, alone before a convolution, one constant.
func TestBuiltinParametersAgainstPublished(t *testing.T) {
	t.Parallel()
	const background = 1 // a class that the published model does not have
	for name, c := range map[string]struct {
		published int64
		classes   int64 // background classes that ours has beside the published
		plain     bool  // the published model has biases and no normalisation
		biased    string
	}{
		// torchvision's model tables.
		"densenet121":   {published: 7_978_856},
		"inception_v3":  {published: 23_834_568, classes: background},
		"resnet18_v1":   {published: 11_689_512},
		"resnet50_v1":   {published: 25_557_032},
		"resnet50_v15":  {published: 25_557_032},
		"resnet101_v15": {published: 44_549_160},
		"resnet152_v15": {published: 60_192_808},
		"squeezenet":    {published: 1_248_424, plain: true},
		"vgg16":         {published: 138_357_544, plain: true},
		"vgg19":         {published: 143_667_240, plain: true},
		// timm's model tables.
		"efficientnet_lite0":  {published: 4_652_008},
		"resnet50_v2":         {published: 25_549_352},
		"inception_resnet_v2": {published: 55_843_464, classes: background, biased: ".project"},
	} {
		w := builtin(t, name)
		got := w.Totals().Params
		for i := range w.Layers {
			l := &w.Layers[i]
			if l.ID == "logits" {
				got -= c.classes * (l.C + 1)
				continue
			}
			if !c.plain && (c.biased == "" || !strings.HasSuffix(l.ID, c.biased)) {
				got += l.BiasElements() + l.Const
			}
		}
		if got != c.published {
			t.Errorf("%s: %d parameters with normalisation, published %d (difference %d)", name, got, c.published, got-c.published)
		}
	}
}

// Pre-activation networks against timm's benchmark tables, which round to 0.01 M
// (results/benchmark-infer-amp-nchw-pt111-cu113-rtx3090.csv: resnetv2_101x1_bitm,
// resnetv2_152). A normalisation has two parameters a channel there; here it is
// the bias of the convolution before it, or a constant of one.
func TestPreActivationParameters(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]float64{"resnet50_v2": 25.55, "resnet101_v2": 44.54, "resnet152_v2": 60.19} {
		w := builtin(t, name)
		got := w.Totals().Params
		for i := range w.Layers {
			if l := &w.Layers[i]; l.ID != "logits" {
				got += l.BiasElements() + l.Const
			}
		}
		if !near(got, want, 0.005) {
			t.Errorf("%s: %d parameters with normalisation, published %.2f M", name, got, want)
		}
	}
	// The same convolutions as v1.5, in another order: the same work.
	for _, depth := range []string{"50", "101", "152"} {
		if a, b := builtin(t, "resnet"+depth+"_v2").Totals().MACs, builtin(t, "resnet"+depth+"_v15").Totals().MACs; a != b {
			t.Errorf("resnet%s: v2 has %d MACs, v1.5 %d", depth, a, b)
		}
	}
}

// Sizes and work that papers round: SSD with MobileNet 1.2 G and 6.8 M (arXiv
// 1704.04861, Table 13), Inception v3 5.7 G (TensorFlow research/slim),
// EfficientNet-EdgeTPU-L 10.6 M (timm), ResNet-18 1.8 G, 101 7.6 G, 152 11.3 G
// (arXiv 1512.03385, Table 1, where they are called FLOPs).
func TestBuiltinAgainstRoundedFigures(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct{ gmacs, mparams float64 }{
		"ssd_mobilenet_v1":       {1.2, 6.8},
		"inception_v3":           {5.7, 23.8},
		"inception_resnet_v2":    {13.2, 55.8},
		"efficientnet_edgetpu_l": {7.9, 10.6},
		"resnet18_v1":            {1.8, 11.7},
		"resnet101_v1":           {7.6, 44.5},
		"resnet152_v1":           {11.3, 60.1},
	} {
		got := builtin(t, name).Totals()
		if math.Abs(float64(got.MACs)/1e9-want.gmacs) > 0.06 || math.Abs(float64(got.Params)/1e6-want.mparams) > 0.06 {
			t.Errorf("%s: %.3f GMACs, %.3f M parameters, want %.1f and %.1f", name, float64(got.MACs)/1e9, float64(got.Params)/1e6, want.gmacs, want.mparams)
		}
	}
}

// Every built-in network says where its table is from.
func TestBuiltinSources(t *testing.T) {
	t.Parallel()
	for _, name := range workload.Names() {
		w := builtin(t, name)
		if w.Name != name || w.Source.Kind != "generated" || w.Source.Ref == "" {
			t.Errorf("%s: name %q, source %+v", name, w.Name, w.Source)
		}
	}
}

// The manual lists every built-in network with its work.
func TestManualListsNetworks(t *testing.T) {
	t.Parallel()
	manual, err := os.ReadFile("../../docs/workloads.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range workload.Names() {
		w := builtin(t, name)
		millions := strconv.FormatFloat(float64(w.Totals().MACs)/1e6, 'f', 2, 64)
		params := strconv.FormatFloat(float64(w.Totals().Params)/1e6, 'f', 3, 64)
		stem := name[:strings.LastIndexByte("_"+name, '_')]
		if !strings.Contains(string(manual), "`"+name+"`") && !strings.Contains(string(manual), "`_"+strings.TrimPrefix(name[len(stem):], "_")+"`") ||
			!strings.Contains(string(manual), millions) || !strings.Contains(string(manual), params) {
			t.Errorf("docs/workloads.md does not list %s with %s MMACs and %s M parameters", name, millions, params)
		}
	}
}
