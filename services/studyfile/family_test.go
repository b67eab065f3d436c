package studyfile_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apollo/events"
	"apollo/optimizer/space"
	"apollo/services/studyfile"
)

// accuracyFiles are tables and a predictor of all networks of mobilenet_v1.
func accuracyFiles() map[string]string {
	var all, other strings.Builder
	all.WriteString("width,resolution,accuracy,int8\n")
	other.WriteString("width,resolution,accuracy,int8\n")
	for i, width := range []int{25, 50, 75, 100} {
		for k, size := range []int{128, 160, 192, 224} {
			fmt.Fprintf(&all, "%d,%d,%d,%d\n", width, size, 50+5*i+k, 49+5*i+k)
			fmt.Fprintf(&other, "%d,%d,%d,%d\n", width, size, 51+5*i+k, 48+5*i+k)
		}
	}
	return map[string]string{
		"all.csv": all.String(), "other.csv": other.String(), "few.csv": "width,resolution,accuracy\n100,224,70\n50,224,60\n",
		"lacks.csv":      "width,resolution,accuracy\n75,192,67\n50,128,57\n",
		"predictor.json": `{"schema":"apollo.accuracy/v1","family":"mobilenet_v1","scale":"published","source":"mine","predictor":{"intercept":60,"interval":1.5,"params":[{"name":"width","values":[25,50,75,100]},{"name":"resolution","values":[128,160,192,224]}],"singles":[-9,-3,1,4,-3,-1,1,2]}}`,
		"proxy.json":     `{"schema":"apollo.accuracy/v1","family":"mobilenet_v1","scale":"proxy","source":"mine","predictor":{"intercept":60,"interval":1.5,"params":[],"singles":[]}}`,
		"shares.json":    `{"schema":"apollo.accuracy/v1","family":"mobilenet_v1","scale":"published","source":"mine","predictor":{"intercept":0.6,"interval":0.01,"params":[{"name":"width","values":[25,50,75,100]},{"name":"resolution","values":[128,160,192,224]}],"singles":[0,0.05,0.06,0.07,0,0.01,0.02,0.03]}}`,
		"broken.json":    `{"schema":"apollo.accuracy/v1"}`,
	}
}

// ofFamily is small with a family of networks as part of the design.
func ofFamily(network string, replace ...string) string {
	s := strings.Replace(small, "{networks: [{name: net_a}]}", "{networks: ["+network+"], search: one}", 1)
	return strings.NewReplacer(replace...).Replace(s)
}

func filesBeside() studyfile.Options { return studyfile.Options{Dir: "/studies", ReadFile: files} }

// A family's parameters stand behind the template's, and its metrics are the
// network's: what is published is the same study, and needs no file.
func TestAFamilyIsPartOfTheDesign(t *testing.T) {
	t.Parallel()
	doc := parse(t, ofFamily("{family: mobilenet_v1, accuracies: {scale: published}}", "{template: toy}", "{template: toy, restrict: {width: [50 %, 100 %]}, rules: [{id: r, expr: resolution > 128 or cores > 1}]}"), filesBeside())
	spec := doc.Spec
	want := []events.Parameter{{Name: "width", Unit: "%", Values: []float64{50, 100}}, {Name: "resolution", Values: []float64{128, 160, 192, 224}}}
	if diff := cmp.Diff(want, spec.Parameters[len(spec.Parameters)-2:]); diff != "" {
		t.Errorf("the last parameters (-want +got):\n%s", diff)
	}
	var names []string
	for _, m := range spec.Metrics {
		names = append(names, m.Name)
	}
	if want := []string{"latency_s", "area_mm2", "energy_j", "accuracy_percent", "accuracy_interval_percent", "network_macs", "network_parameters"}; !slices.Equal(names, want) {
		t.Errorf("the metrics are %v, want %v", names, want)
	}
	n := spec.Networks[0]
	if n.Name != "mobilenet_v1" || n.Own == "" || n.SHA256 == n.Own || n.Members == n.SHA256 || !strings.HasPrefix(n.Accuracies.Source, "tensorflow/models") {
		t.Errorf("the network is %+v", n)
	}
	design := events.Design{{Num: 1}, {Num: 1 << 18}, {Num: 5e9}, {Label: "ws"}, {Num: 100}, {Num: 224}}
	if ran := spec.NetworksOf(design); len(ran) != 1 || ran[0].Name != "mobilenet_v1" || ran[0].SHA256 != n.Own {
		t.Errorf("the family's own network is %+v", ran)
	}
	design[4] = space.Value{Num: 50}
	if ran := spec.NetworksOf(design); len(ran) != 1 || ran[0].Name != "mobilenet_v1:width=50" || ran[0].SHA256 == n.Own || len(ran[0].SHA256) != 64 {
		t.Errorf("another network is %+v", ran)
	}
	if ran := spec.NetworksOf(design[:4]); ran != nil {
		t.Errorf("a design without the parameters runs %+v", ran)
	}
	if own := spec.OwnParameters(); len(own) != 4 {
		t.Errorf("without the family's there are %d parameters", len(own))
	}
}

// Only measured networks: one parameter numbers them.
func TestOnlyMeasuredNetworks(t *testing.T) {
	t.Parallel()
	spec := parse(t, ofFamily("{family: mobilenet_v1, accuracies: {scale: proxy, only: measured, table: few.csv, source: ours}}"), filesBeside()).Spec
	last := spec.Parameters[len(spec.Parameters)-1]
	if diff := cmp.Diff(events.Parameter{Name: "network", Values: []float64{0, 1}}, last); diff != "" {
		t.Errorf("the last parameter (-want +got):\n%s", diff)
	}
	if spec.MetricIndex("accuracy_interval_percent") >= 0 || spec.MetricIndex("accuracy_percent") < 0 {
		t.Errorf("the metrics are %+v", spec.Metrics)
	}
	if spec.Networks[0].Chosen[0].Own != 1 || spec.Networks[0].Accuracies.Source != "ours" {
		t.Errorf("the network is %+v", spec.Networks[0])
	}
}

// Where the table lacks the family's own network, no design has its identity.
func TestATableWithoutTheOwnNetwork(t *testing.T) {
	t.Parallel()
	spec := parse(t, ofFamily("{family: mobilenet_v1, accuracies: {scale: proxy, only: measured, table: lacks.csv}}"), filesBeside()).Spec
	n := spec.Networks[0]
	if n.HasOwn() || n.Own == "" {
		t.Errorf("the network is %+v", n)
	}
	design := events.Design{{Num: 1}, {Num: 1 << 18}, {Num: 5e9}, {Label: "ws"}, {}}
	for i, name := range []string{"mobilenet_v1:network=0", "mobilenet_v1:network=1"} {
		design[4].Num = float64(i)
		if ran := spec.NetworksOf(design); len(ran) != 1 || ran[0].Name != name || ran[0].SHA256 == n.Own {
			t.Errorf("network %d is %+v, want %s with an identity of its own", i, ran, name)
		}
	}
	for _, table := range []string{"all.csv", "few.csv"} {
		spec := parse(t, ofFamily("{family: mobilenet_v1, accuracies: {scale: proxy, only: measured, table: "+table+"}}"), filesBeside()).Spec
		if !spec.Networks[0].HasOwn() {
			t.Errorf("%s has the own network: %+v", table, spec.Networks[0])
		}
	}
}

// A table that cannot be read is one mistake: that its family's parameters and accuracies
// are missing is none.
func TestAFamilyIsReportedOnce(t *testing.T) {
	t.Parallel()
	src := ofFamily("{family: mobilenet_v1, accuracies: {scale: proxy, table: nan.csv}}",
		"{template: toy}", "{template: toy, fix: {width: 50 %}, restrict: {resolution: [128, 160]}, rules: [{id: r, expr: resolution > 128}]}", "metric: latency, goal: minimize", "metric: accuracy, goal: maximize")
	options := filesBeside()
	read := options.ReadFile
	options.ReadFile = func(name string) ([]byte, error) {
		if strings.HasSuffix(name, "nan.csv") {
			return []byte("width,resolution,accuracy\n25,128,NaN\n"), nil
		}
		return read(name)
	}
	_, err := studyfile.Parse("study.yaml", []byte(src), catalog(), options)
	if err == nil || !strings.Contains(err.Error(), `line 2: column "accuracy" is "NaN"`) || strings.Contains(err.Error(), "there is no parameter") || strings.Contains(err.Error(), "measures no") {
		t.Error(err)
	}
}

// A study that somebody else wrote may lack what the reader asks for.
func TestAFamilyWithoutAScale(t *testing.T) {
	t.Parallel()
	n := &events.Network{Family: "mobilenet_v1", Accuracies: events.Accuracies{Only: events.OnlyMeasured}}
	if _, err := studyfile.FamilyOf(n); err == nil || !strings.Contains(err.Error(), "the scale of their accuracies is missing") {
		t.Error(err)
	}
}

// Rates that count the work of a network count that of the design's.
func TestWorkOfAFamily(t *testing.T) {
	t.Parallel()
	spec := parse(t, ofFamily("{family: mobilenet_v1, batch: 4}", "metric: latency, goal: minimize", "metric: tops, goal: maximize"), filesBeside()).Spec
	if m := spec.Metrics[spec.MetricIndex("tops")]; !strings.Contains(m.Expr, "network_macs") {
		t.Errorf("tops is %s", m.Expr)
	}
	spec = parse(t, ofFamily("{family: mobilenet_v1, batch: 4}", "metric: latency, goal: minimize", "metric: fps, goal: maximize"), filesBeside()).Spec
	if m := spec.Metrics[spec.MetricIndex("fps")]; !strings.Contains(m.Expr, "4") {
		t.Errorf("fps is %s", m.Expr)
	}
}

func TestMistakesInFamilies(t *testing.T) {
	t.Parallel()
	known := func(fields string) string {
		return ofFamily("{family: mobilenet_v1, accuracies: {" + fields + "}}")
	}
	for want, src := range map[string]string{
		`there is no network family "mobilenet"`:                               ofFamily("{family: mobilenet}"),
		"a design runs one network of a family, which the study has to search": ofFamily("{family: mobilenet_v1}", ", search: one", ""),
		"a family stands beside other networks":                                ofFamily("{family: mobilenet_v1}, {name: net_a}"),
		"a family has its own name":                                            ofFamily("{family: mobilenet_v1, name: mine}"),
		"a network with layers of its own has no sizes":                        ofFamily("{family: mobilenet_v1, file: nets/tiny.yaml}"),
		"a weight means nothing":                                               ofFamily("{family: mobilenet_v1, weight: 2}"),
		"network mobilenet_v1 has no past":                                     ofFamily("{family: mobilenet_v1, past: 3}"),
		`the field "scale" is missing`:                                         known("only: measured"),
		"are published ones, and proxy ones cannot be compared":                known("scale: proxy"),
		"the predictor is of proxy accuracies, and the study's scale is publ":  known("scale: published, predictor: proxy.json"),
		"the predictor is of family mobilenet_v1, the study searches mnasnet":  ofFamily("{family: mnasnet_a1, accuracies: {scale: proxy, predictor: proxy.json}}"),
		`there is no network family ""`:                                        known("scale: proxy, predictor: broken.json"),
		"the file cannot be read":                                              known("scale: proxy, table: nobody.csv"),
		`there is no column "top5"`:                                            known("scale: proxy, table: all.csv, column: top5"),
		"nobody knows the accuracy of networks whose width is 25%":             known("scale: proxy, table: few.csv"),
		"whose expansion is 3, 4 or 5, or whose kernel is 5 or 7. Write space: {fix: {expansion: 6, kernel: 3}}": ofFamily("{family: mobilenet_v2, accuracies: {scale: published}}"),
		"nobody knows the accuracy of mobilenet_v2:width=130,resolution=96":                                      ofFamily("{family: mobilenet_v2, accuracies: {scale: published}}", "{template: toy}", "{template: toy, fix: {expansion: 6, kernel: 3}}"),
		"only a family has accuracies":                                          ofFamily("{name: net_a, accuracies: {scale: proxy}}, {name: net_b}"),
		"the files and known both say what is known":                            known("scale: proxy, table: all.csv, known: {schema: apollo.accuracy/v1}"),
		`the parameter "width" is that of the network, which the study searche`: ofFamily("{family: mobilenet_v1}", "{template: toy}", "{parameters: [{name: width, values: [1, 2]}]}", "spec:", "spec:\n  evaluator: {name: mine, metrics: [{name: latency, unit: s}]}"),
		"only a template's own evaluator adds":                                  ofFamily("{family: mobilenet_v1, accuracies: {scale: published}}", "spec:", "spec:\n  evaluator: {name: mine, metrics: [{name: latency, unit: s}]}"),
		"a column is that of a table":                                           known("scale: published, column: top5"),
		"predicts at most 0.7 percent: these are shares":                        known("scale: published, predictor: shares.json"),
		"cannot be compared with them: want scale: proxy":                       ofFamily("{family: accel_nasbench, accuracies: {scale: published}}"),
		"names its source itself":                                               known("scale: published, source: mine"),
		"these are proxy accuracies, and the study's scale is published":        known("scale: published, known: " + accuracyFiles()["proxy.json"]),
		"there is no table: no network is measured":                             known("scale: proxy, only: measured, predictor: proxy.json"),
	} {
		_, err := studyfile.Parse("study.yaml", []byte(src), catalog(), filesBeside())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nwant %q of\n%s", err, want, src)
		}
	}
	// One mistake is one mistake: the parameters of a family that was not read are not missed.
	const parts = "{template: toy, fix: {width: 50 %}, rules: [{id: r, expr: resolution > 128}]}"
	for want, src := range map[string]string{
		`"two" is not allowed here`:              ofFamily("{family: mobilenet_v1}", "{template: toy}", parts, "search: one", "search: two"),
		`"proxi" is not allowed here`:            ofFamily("{family: mobilenet_v1, accuracies: {scale: proxi}}", "{template: toy}", parts),
		`there is no network family "mobilenet"`: ofFamily("{family: mobilenet}", "{template: toy}", parts, "metric: latency, goal: minimize", "metric: accuracy, goal: maximize"),
		"ones cannot be compared with them":      ofFamily("{family: mobilenet_v1, accuracies: {scale: proxy}}", "{template: toy}", parts),
	} {
		_, err := studyfile.Parse("study.yaml", []byte(src), catalog(), filesBeside())
		problem, _ := errors.AsType[*studyfile.Error](err)
		if problem == nil || len(problem.Mistakes) != 1 || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nwant one mistake, %q, of\n%s", err, want, src)
		}
	}
	// A published study names no file.
	if _, err := studyfile.Parse("published", []byte(known("scale: proxy, table: all.csv")), catalog(), studyfile.Options{Published: true}); err == nil || !strings.Contains(err.Error(), "cannot name files") {
		t.Error(err)
	}
}
