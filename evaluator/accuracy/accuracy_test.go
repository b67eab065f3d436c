package accuracy

import (
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"apollo/evaluator/workload"
)

var rewrite = flag.Bool("rewrite", false, "write accel_nasbench.json from the table in APOLLO_ACCURACIES")

func family(t *testing.T, name string) *workload.Family {
	t.Helper()
	f, ok := workload.FamilyNamed(name)
	if !ok {
		t.Fatalf("there is no family %s", name)
	}
	return f
}

// rows are those of a table that is part of the program.
func rows(t *testing.T, table []byte) (out []map[string]float64) {
	t.Helper()
	all, err := csv.NewReader(strings.NewReader(string(table))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range all[1:] {
		m := map[string]float64{}
		for i, text := range row {
			if m[all[0][i]], err = strconv.ParseFloat(text, 64); err != nil {
				t.Fatal(err)
			}
		}
		out = append(out, m)
	}
	return out
}

// Families have the multiplications and parameters that are published: within 3 %
// or a million, and 3 % or 30,000 parameters. The published tables round, and count
// what ours folds away.
func TestFamiliesHavePublishedSizes(t *testing.T) {
	t.Parallel()
	for name, table := range map[string][]byte{"mobilenet_v1": mobileNetV1, "mobilenet_v2": mobileNetV2, "mnasnet_a1": mnasNetA1, "resnet": resNet} {
		f := family(t, name)
		for _, row := range rows(t, table) {
			values := f.Own()
			for i, p := range f.Params {
				if v, ok := row[p.Name]; ok {
					values[i] = int64(v)
				}
			}
			w, err := f.Build(values)
			if err != nil {
				t.Fatal(err)
			}
			near := func(what string, got int64, want, least float64) {
				if d := math.Abs(float64(got)/1e6 - want); want > 0 && d > math.Max(least, 0.03*want) {
					t.Errorf("%s: %.3f M %s, published %.3f", w.Name, float64(got)/1e6, what, want)
				}
			}
			got := w.Totals()
			near("parameters", got.Params, row["mparams"], 0.03)
			// At width 25 % and 192 the source prints 34: more than between its 41 at
			// 224 and 21 at 160, which agree with ours, a square in between can be.
			if w.Name != "mobilenet_v1:width=25,resolution=192" {
				near("MACs", got.MACs, row["mmacs"], 1)
			}
		}
	}
	// He et al., arXiv 1512.03385, as torchvision counts: 1.81, 3.66, 4.09, 7.80,
	// 11.51 G.
	f := family(t, "resnet")
	for i, want := range []int64{181, 366, 409, 780, 1151} {
		values := f.Own()
		values[0] = f.Params[0].Values[i]
		w, err := f.Build(values)
		if err != nil {
			t.Fatal(err)
		}
		if got := (w.Totals().MACs + 5e6) / 1e7; got != want {
			t.Errorf("ResNet-%d has %d0 MMACs, want %d0", values[0], got, want)
		}
	}
}

func TestBuiltinAccuracies(t *testing.T) {
	t.Parallel()
	for _, f := range workload.Families() {
		scale := Published
		if f.Name == "accel_nasbench" {
			scale = Proxy
		}
		k, err := Builtin(&f, scale)
		if err != nil {
			t.Fatal(err)
		}
		if k.Source == "" || k.Scale != scale {
			t.Errorf("%s: source %q, scale %q", f.Name, k.Source, k.Scale)
		}
		if _, err := Builtin(&f, map[string]string{Published: Proxy, Proxy: Published}[scale]); err == nil || !strings.Contains(err.Error(), "cannot be compared") {
			t.Errorf("%s on the other scale: %v", f.Name, err)
		}
	}
	for _, x := range []struct {
		family string
		values []int64
		want   float64
	}{
		{"mobilenet_v1", []int64{75, 160}, 65.3},
		{"mobilenet_v2", []int64{140, 224, 6, 3}, 75.0},
		{"mobilenet_v2", []int64{100, 224, 6, 3}, 71.8},
		{"mnasnet_a1", []int64{100, 224, 1}, 75.2},
		{"resnet", []int64{50, 100, 288}, 81.24},
	} {
		k, err := Builtin(family(t, x.family), Published)
		if err != nil {
			t.Fatal(err)
		}
		if got, interval := k.At(x.values); got != x.want || interval != 0 {
			t.Errorf("%s %v: %v ± %v, want %v ± 0", x.family, x.values, got, interval, x.want)
		}
	}
	k, err := Builtin(family(t, "mobilenet_v2"), Published)
	if err != nil {
		t.Fatal(err)
	}
	if v, d := k.At([]int64{130, 128, 6, 3}); !math.IsNaN(v) || !math.IsNaN(d) {
		t.Errorf("a network that no table has: %v ± %v", v, d)
	}
	levels := [][]int64{{100, 130}, {192, 224}, {6}, {3}}
	if err := k.Covers(levels); err == nil || err.Error() != "nobody knows the accuracy of mobilenet_v2:width=130,resolution=192" {
		t.Error(err)
	}
	levels[2], levels[3] = []int64{3, 4, 6}, []int64{5}
	want := LevelsError{{2, []int64{3, 4}, []int64{6}}, {3, []int64{5}, []int64{3}}}
	if got, _ := errors.AsType[LevelsError](k.Covers(levels)); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	levels = [][]int64{{100}, {192, 224}, {6}, {3}}
	if err := k.Covers(levels); err != nil {
		t.Error(err)
	}
}

// What is measured is the table's, what is not has an interval, and the document
// says all of it.
func TestAccelNASBenchIsMeasuredAndPredicted(t *testing.T) {
	t.Parallel()
	f := family(t, "accel_nasbench")
	if path := os.Getenv("APOLLO_ACCURACIES"); *rewrite && path != "" {
		writeAccelNASBench(t, f, path)
	}
	k, err := Builtin(f, Proxy)
	if err != nil {
		t.Fatal(err)
	}
	all := k.Measured()
	if len(all) != 5125 { // 5,138 measurements, thirteen networks twice
		t.Errorf("%d networks are measured, want 5125", len(all))
	}
	if !slices.IsSortedFunc(all, func(a, b []int64) int { x, _ := k.At(a); y, _ := k.At(b); return int(1e3 * (x - y)) }) {
		t.Error("the measured networks are not in order")
	}
	// The last row of the table.
	if v, d := k.At([]int64{1, 5, 2, 1, 6, 5, 3, 0, 4, 5, 3, 1, 1, 3, 3, 1, 4, 3, 1, 0, 4, 5, 4, 1, 1, 5, 3, 1}); v != 60.712 || d != 0 {
		t.Errorf("a measured network: %v ± %v, want 60.712 ± 0", v, d)
	}
	if v, d := k.At(f.Own()); v < 60 || v > 68 || d < 0.5 || d > 1.5 {
		t.Errorf("EfficientNet-B0: %v ± %v, want 60 to 68 ± about 0.9", v, d)
	}
	data, err := k.Document().JSON()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	for _, values := range [][]int64{f.Own(), all[17]} {
		v, d := k.At(values)
		if w, e := again.At(values); v != w || d != e {
			t.Errorf("read again %v ± %v, want %v ± %v", w, e, v, d)
		}
	}
}

func writeAccelNASBench(t *testing.T, f *workload.Family, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	k, err := ReadTable(f, data, "val_top1")
	if err != nil {
		t.Fatal(err)
	}
	k.Scale = Proxy
	k.Source = "Accel-NASBench, arXiv 2404.08005, github.com/afzalxo/Accel-NASBench (Apache-2.0): ImageNet top-1 after its proxy training, one seed"
	fit, err := k.Fit(folds)
	if err != nil {
		t.Fatal(err)
	}
	if data, err = fit.Document().JSON(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("accel_nasbench.json", append(data, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
	accelNASBench = data
}

// A law that is a sum of pairs is found, of networks that were left out too.
func TestFitFindsSums(t *testing.T) {
	t.Parallel()
	f := family(t, "resnet")
	var b strings.Builder
	b.WriteString("depth,width,resolution,good\n")
	var flat strings.Builder
	flat.WriteString("depth,resolution,good\n")
	for _, depth := range f.Params[0].Values {
		for _, size := range f.Params[2].Values {
			fmt.Fprintf(&flat, "%d,%d,70\n", depth, size)
		}
		for i, width := range f.Params[1].Values {
			for j, size := range f.Params[2].Values {
				good := 40 + float64(depth)/20 + 2*float64(i) + float64(i*j)/3
				b.WriteString(strings.Join([]string{strconv.FormatInt(depth, 10), strconv.FormatInt(width, 10), strconv.FormatInt(size, 10), strconv.FormatFloat(good, 'f', 3, 64)}, ",") + "\n")
			}
		}
	}
	k, err := ReadTable(f, []byte(b.String()), "good")
	if err != nil {
		t.Fatal(err)
	}
	fit, err := k.Fit(folds)
	if err != nil {
		t.Fatal(err)
	}
	if len(fit.Predicted) != 210 || fit.predictor.Interval > 0.1 {
		t.Errorf("%d predictions, ± %v, want 210, ± below 0.1", len(fit.Predicted), fit.predictor.Interval)
	}
	// A table that says one thing of all is predicted, not measured.
	same, err := ReadTable(f, []byte(flat.String()), "good")
	if err != nil {
		t.Fatal(err)
	}
	if fit, err = same.Fit(folds); err != nil || fit.predictor.Interval != 0.001 {
		t.Errorf("± %v, want 0.001: %v", fit.predictor.Interval, err)
	}
	few, err := ReadTable(f, []byte("depth,good\n18,70\n50,75\n"), "good")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := few.Fit(folds); !errors.Is(err, ErrFewNetworks) {
		t.Error(err)
	}
}

func TestTablesThatAreNone(t *testing.T) {
	t.Parallel()
	f := family(t, "mobilenet_v1")
	for text, want := range map[string]string{
		"":                                        "the table is empty",
		"widht,resolution,accuracy\n50,224,63\n":  `column "widht": did you mean the parameter "width"?`,
		"width;resolution;accuracy\n50;224;63\n":  "columns are separated by commas",
		"\xff\xfew\x00i\x00":                      "the table is in UTF-16, want UTF-8",
		"width,top1\n100,70\n":                    `there is no column "accuracy"`,
		"net,accuracy\n1,70\n":                    "no column is a parameter of mobilenet_v1",
		"width,accuracy\n":                        "the table has no rows",
		"width,accuracy\n100,70\n60,70\n":         `line 3: column "width" is "60", want one of [25 50 75 100]`,
		"width,accuracy\n100,0.7\n50,170\n":       `line 3: column "accuracy" is "170", want an accuracy in percent`,
		"width,accuracy\n100\n":                   "wrong number of fields",
		"\x1f\x8bnothing":                         "no whole file of gzip: unexpected EOF",
		"width,Resolution,accuracy\n100,224,70\n": `column "Resolution": the parameter of mobilenet_v1 is called "resolution"`,
		"width, width ,accuracy\n100,100,70\n":    `two columns are called "width"`,
		"width,accuracy, accuracy\n100,70,30\n":   `two columns are called "accuracy"`,
		"width,accuracy\n100,0.709\n50,0.637\n":   "it holds shares, want percent, as 70.9 for 0.709",
	} {
		if _, err := ReadTable(f, []byte(text), "accuracy"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	// Rows of one network have their mean.
	k, err := ReadTable(f, []byte("width,accuracy\n100,70\n100,71\n"), "accuracy")
	if err != nil {
		t.Fatal(err)
	}
	if v, _ := k.At([]int64{100, 224}); v != 70.5 {
		t.Errorf("the mean of 70 and 71 is %v", v)
	}
	// What a spreadsheet adds hides no column.
	k, err = ReadTable(f, []byte("\ufeffwidth, resolution ,accuracy \r\n50, 128 ,56.3 \r\n"), "accuracy")
	if err != nil {
		t.Fatal(err)
	}
	if v, _ := k.At([]int64{50, 128}); v != 56.3 || len(k.measured) != 1 {
		t.Errorf("%v of %d networks, want 56.3 of one", v, len(k.measured))
	}
}

func TestDocumentsThatAreNone(t *testing.T) {
	t.Parallel()
	good := `{"schema":"apollo.accuracy/v1","family":"mobilenet_v1","scale":"proxy","source":"","predictor":{"intercept":60,"interval":1,"params":[{"name":"width","values":[50,100]}],"singles":[-5,5]}}`
	k, err := Parse([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if v, d := k.At([]int64{50, 224}); v != 55 || d != 1 {
		t.Errorf("%v ± %v, want 55 ± 1", v, d)
	}
	if v, _ := k.At([]int64{50, 192}); !math.IsNaN(v) {
		t.Errorf("a resolution that the predictor does not know: %v", v)
	}
	for _, x := range []struct{ old, now, want string }{
		{"accuracy/v1", "accuracy/v2", `the schema is "apollo.accuracy/v2"`},
		{"mobilenet_v1", "nobody", "there is no network family"},
		{`"proxy"`, `"mine"`, `the scale is "mine"`},
		{`"width"`, `"wide"`, "want parameters of mobilenet_v1"},
		{"[50,100]", "[100,50]", "ascending"},
		{`[50,100]}],"singles":[-5,5]`, `[]}],"singles":[]`, "parameter width of the predictor has no values"},
		{"[-5,5]", "[5]", "the predictor has 1 weights of levels"},
		{"[-5,5]", "[5,1e9]", "a number of 1e+09"},
		{`"interval":1`, `"interval":-1`, "the predictor's interval is -1, want"},
		{`"interval":1`, `"interval":0`, "the predictor's interval is 0, want"},
		{`"interval":1,`, ``, "the predictor's interval is 0, want"},
		{`"interval":1`, `"intervall":1`, `unknown field "intervall"`},
		{`"predictor"`, `"other"`, `unknown field "other"`},
		{`,"predictor":{"intercept":60,"interval":1,"params":[{"name":"width","values":[50,100]}],"singles":[-5,5]}`, "", "neither a table nor a predictor"},
		{`5,5]}}`, `5,5]}}{}`, "something follows the document"},
		{`"predictor"`, `"measured":"AAAA","predictor"`, "the table is damaged at network 0"},
		{`{"schema"`, `{`, "read accuracies"},
	} {
		if _, err := Parse([]byte(strings.Replace(good, x.old, x.now, 1))); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v, want %q", x.now, err, x.want)
		}
	}
	// Scales never meet.
	table, err := ReadTable(family(t, "mobilenet_v1"), []byte("width,accuracy\n100,70\n"), "accuracy")
	if err != nil {
		t.Fatal(err)
	}
	table.Scale = Published
	if _, err := table.With(k); err == nil || !strings.Contains(err.Error(), "cannot be compared") {
		t.Error(err)
	}
}
