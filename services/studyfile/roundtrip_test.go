package studyfile_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"apollo/events"
	"apollo/services/studyfile"
)

// templateStudy and ownStudy have every part of a document, with as few fields
// as each needs. PARAMETER is where ownParameterForms go.
const templateStudy = `{"apiVersion":"apollo/v1","kind":"Study","metadata":{"name":"whole"},"spec":{
 "space":{"template":"toy","rules":[{"id":"r","expr":"cores >= 1"}]},
 "workload":{"networks":[{"name":"net_a"}]},
 "objectives":[{"metric":"latency","goal":"minimize"},{"metric":"energy","goal":"minimize"}],
 "transfer":{"sources":[{"study":"other"}]},
 "fork":{"study":"base","run":"0a1b2c3d","trials":10},
 "notify":[{"on":"completed","subject":"vision.nightly"}],
 "budget":{"trials":100},"stop":{"plateau":{"trials":30}}}}`

// modelStudy has a model among its sources, and one as its prior.
func modelStudy(source, prior string) string {
	return strings.Replace(templateStudy, `"transfer":{"sources":[{"study":"other"}]}`, `"transfer":{"sources":[{`+source+`}]},"prior":{`+prior+`}`, 1)
}

const ownStudy = `{"apiVersion":"apollo/v1","kind":"Study","metadata":{"name":"whole"},"spec":{
 "space":{"parameters":[PARAMETER,{"name":"mode","values":["a","b"]}]},
 "metrics":[{"name":"ratio","expr":"score / speed"}],
 "objectives":[{"metric":"score","goal":"maximize"}],
 "constraints":[{"metric":"speed","max":5}],
 "algorithm":{"name":"default"},
 "transfer":{"sources":[{"parquet":"logs/*.parquet"}]},
 "notify":[{"on":"failed","webhook":"https://a.example/x"}],
 "evaluator":{"name":"mine","deterministic":false,"metrics":[{"name":"spare","unit":"s"},{"name":"score"},{"name":"speed"},{"name":"size"}]}}}`

func ownParameterForms() []string {
	return []string{
		`{"name":"tile","values":[1,2,4]}`,
		`{"name":"tile","unit":"B","values":["1 kB","2 kB"]}`,
		`{"name":"tile","min":1,"max":9,"step":2}`,
		`{"name":"tile","min":1,"max":64,"steps":7,"scale":"log"}`,
	}
}

// meaning has values for leaves that a shape alone does not tell.
func meaning() map[string][]any {
	return map[string][]any{
		"/spec/space/template":                           {"toy-two"},
		"/spec/space/fix":                                {map[string]any{"cores": 2}},
		"/spec/space/restrict":                           {map[string]any{"dataflow": []any{"os"}}},
		"/spec/space/parameters/0/unit":                  {"KiB"},
		"/spec/space/parameters/0/values":                {[]any{3, 7}},
		"/spec/space/parameters/0/when":                  {"mode == 'b'"},
		"/spec/space/rules/0/expr":                       {"cores >= 2"},
		"/spec/workload/networks/0/name":                 {"net_b"},
		"/spec/workload/networks/0/file":                 {"nets/tiny.yaml"},
		"/spec/workload/networks/0/layers":               {map[string]any{"schema": "apollo.workload/v1", "name": "tiny", "inputs": []any{map[string]any{"name": "image", "shape": []any{1, 8, 8, 3}}}, "layers": []any{map[string]any{"id": "c0", "op": "conv", "K": 16, "P": 4, "Q": 4, "R": 3, "S": 3, "in": []any{"image"}}}}},
		"/spec/workload/networks/0/family":               {"mobilenet_v2"},
		"/spec/workload/networks/0/accuracies/table":     {"other.csv"},
		"/spec/workload/networks/0/accuracies/column":    {"int8"},
		"/spec/workload/networks/0/accuracies/predictor": {"predictor.json"},
		"/spec/workload/networks/0/accuracies/known":     {map[string]any{"schema": "apollo.accuracy/v1", "family": "mobilenet_v1", "scale": "published", "predictor": map[string]any{"intercept": 60, "interval": 1, "params": []any{map[string]any{"name": "width", "values": []any{25, 50, 75, 100}}, map[string]any{"name": "resolution", "values": []any{128, 160, 192, 224}}}, "singles": []any{-9, -3, 1, 4, -3, -1, 1, 2}}}},
		"/spec/metrics/0/name":                           {"quotient"},
		"/spec/metrics/0/unit":                           {"%"},
		"/spec/metrics/0/expr":                           {"score * size"},
		"/spec/objectives/0/metric":                      {"area"},
		"/spec/objectives/0/target":                      {"1 ms"},
		"/spec/objectives/0/reference":                   {"7 ms"},
		"/spec/constraints/0/metric":                     {"size"},
		"/spec/earlyStop/metric":                         {"score"},
		"/spec/fidelity/parameter":                       {"tile", "mode"},
		"/spec/start":                                    {[]any{map[string]any{"cores": 2, "dataflow": "os"}, map[string]any{}}, []any{map[string]any{"tile": 1, "mode": "b"}}, []any{map[string]any{"tile": "1 kB", "mode": "a"}, map[string]any{"tile": "2 kB", "mode": "b"}}},
		"/spec/algorithm/name":                           {"evolution"},
		"/spec/algorithm/options":                        {map[string]any{"population": 50}},
		"/spec/fork/run":                                 {"0a1b2c3e"},
		"/spec/transfer/sources/0/run":                   {"0a1b2c3d"},
		"/spec/transfer/sources/0/parquet":               {"more/*.parquet"},
		"/spec/transfer/sources/0/template":              {"toy-two"},
		"/spec/transfer/sources/0/rename":                {map[string]any{"power": "energy"}},
		"/spec/transfer/sources/0/fix":                   {map[string]any{"cores": 2}},
		"/spec/transfer/sources/0/metrics/0/unit":        {"ms"},
		"/spec/prior/template":                           {"toy-two"},
		"/spec/prior/rename":                             {map[string]any{"power": "energy"}},
		"/spec/prior/fix":                                {map[string]any{"cores": 2}},
		"/spec/prior/metrics/0/unit":                     {"ms"},
		"/spec/evaluator/metrics/0/unit":                 {"ms"},
		"/spec/notify/0/subject":                         {"team.done"},
		"/spec/notify/0/webhook":                         {"http://b.example:8080/y"},
	}
}

// TestNoFieldIsForgotten sets every leaf of the table of fields to another value
// than it has. Each must change what is run; what is published, how it is
// carried, and the difference between two studies must say all of it. A new
// field is in the table and so is here: it fails until the specification has
// it, or until a value of it is known (meaning).
func TestNoFieldIsForgotten(t *testing.T) {
	t.Parallel()
	two := strings.Replace(templateStudy, `[{"name":"net_a"}]`, `[{"name":"net_a"},{"name":"net_b"}]`, 1)
	stated := strings.Replace(templateStudy, `[{"name":"net_a"}]`, `[{"name":"net_a","accuracy":0.7},{"name":"net_b","accuracy":0.6}],"search":"one"`, 1)
	family := func(accuracies string) string {
		return strings.Replace(templateStudy, `[{"name":"net_a"}]`, `[{"family":"mobilenet_v1"`+accuracies+`}],"search":"one"`, 1)
	}
	bases := []string{templateStudy, two, stated, family(""), family(`,"accuracies":{"scale":"published"}`), family(`,"accuracies":{"scale":"published","table":"all.csv"}`), modelStudy(`"template":"toy"`, `"exec":"fast","metrics":[{"name":"latency","unit":"s"}]`), modelStudy(`"exec":"fast","metrics":[{"name":"latency","unit":"s"}]`, `"template":"toy"`)}
	for i, form := range ownParameterForms() {
		own := strings.Replace(ownStudy, "PARAMETER", form, 1)
		if i == 0 { // evaluations are stopped early only where answers do not differ
			own = strings.Replace(own, `"deterministic":false,`, "", 1)
		}
		bases = append(bases, own)
	}
	changed := map[string]int{} // bases in which a value of the field changes what is run
	spread := spread{}
	for _, base := range bases {
		before := whole(t, base)
		if before == nil {
			t.Fatalf("the base is refused: %s", base)
		}
		spread.add("Spec", reflect.ValueOf(before.Spec).Elem())
		for _, leaf := range studyfile.Leaves() {
			if changed[leaf.Path] == 2 {
				continue // more bases would say the same
			}
			moved := 0
			for _, value := range append(meaning()[leaf.Path], leaf.Values...) {
				doc := whole(t, with(t, base, leaf.Path, value))
				if doc == nil {
					continue // no value here: another base has it
				}
				spread.add("Spec", reflect.ValueOf(doc.Spec).Elem())
				if !reflect.DeepEqual(doc.Program, before.Program) || !reflect.DeepEqual(doc.Spec, before.Spec) {
					moved = 1
				}
				if same := reflect.DeepEqual(doc.Spec.WithoutNotes(), before.Spec.WithoutNotes()); same != (len(events.DiffSpecs(before.Spec, doc.Spec)) == 0) {
					t.Errorf("%s as %v: the difference between the studies is %q", leaf.Path, value, events.DiffSpecs(before.Spec, doc.Spec))
				}
			}
			changed[leaf.Path] += moved
		}
	}
	for _, leaf := range studyfile.Leaves() {
		if changed[leaf.Path] == 0 {
			t.Errorf("no value of %s changes what is run: the parser ignores it, or meaning() lacks a value", leaf.Path)
		}
	}
	for path, values := range spread {
		if len(values) < 2 && path != "Spec.Duplicates" {
			t.Errorf("%s is %v in every study: no field of the document sets it", path, values)
		}
	}
}

// The levels that a study leaves of a network's parameters and of its own stay what
// they are, whoever declares the design's parameters.
func TestNarrowedNetworksStayNarrow(t *testing.T) {
	t.Parallel()
	const family, listed = `[{"family":"mobilenet_v1"}],"search":"one"`, `[{"name":"net_a"},{"name":"net_b"}],"search":"one"`
	own := func(networks, narrow string) string {
		src := strings.Replace(ownStudy, "PARAMETER", ownParameterForms()[0], 1)
		return strings.Replace(src, `"b"]}]},`, `"b"]}],`+narrow+`},"workload":{"networks":`+networks+`},`, 1)
	}
	template := func(networks, narrow string) string {
		src := strings.Replace(templateStudy, `"template":"toy"`, `"template":"toy",`+narrow, 1)
		return strings.Replace(src, `[{"name":"net_a"}]`, networks, 1)
	}
	for _, src := range []string{
		own(family, `"restrict":{"width":["50 %","100 %"],"tile":[1,2]},"fix":{"resolution":192}`),
		own(listed, `"fix":{"network":"net_b"}`),
		template(family, `"restrict":{"width":["50 %","100 %"],"dataflow":["os"]},"fix":{"resolution":192}`),
		template(listed, `"fix":{"network":"net_b"}`),
	} {
		if whole(t, src) == nil {
			t.Errorf("refused: %s", src)
		}
	}
}

// whole parses a study and follows it to everyone who reads it again: as it is
// published, as the log carries it, and once more. It returns nil when the
// study is refused.
func whole(t *testing.T, src string) *studyfile.Document {
	t.Helper()
	cat := catalog()
	two := template()
	two.Name = "toy-two"
	cat.Templates = append(cat.Templates, two)
	doc, err := studyfile.Parse("study", []byte(src), cat, studyfile.Options{Dir: "/studies", ReadFile: files})
	if err != nil {
		return nil
	}
	sources := doc.Spec.Transfer
	files := sources != nil && slices.ContainsFunc(sources.Sources, func(s events.Source) bool { return s.Parquet != "" || s.Exec != "" })
	again, err := studyfile.Parse("published", doc.Normalised, cat, studyfile.Options{Published: !files})
	if err != nil {
		t.Errorf("the published study is refused: %v\n%s\nof %s", err, doc.Normalised, src)
		return doc
	}
	if diff := cmp.Diff(doc.Spec, again.Spec); diff != "" {
		t.Errorf("published it is another study (-read +published):\n%s\nof %s", diff, src)
	}
	if string(again.Normalised) != string(doc.Normalised) {
		t.Errorf("publishing twice gives\n%s\nthen\n%s", doc.Normalised, again.Normalised)
	}
	accepted := events.StudyAccepted{Study: doc.Spec.Study, Run: "0badcafe", Spec: *doc.Spec, SpecSHA256: events.SpecSHA256(doc.Spec)}
	b, err := events.Encode("id", "apollo/test", "s", time.Unix(0, 0), accepted)
	if err != nil {
		t.Fatal(err)
	}
	_, payload, err := events.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	carried := payload.(events.StudyAccepted).Spec
	if diff := cmp.Diff(*doc.Spec, carried); diff != "" {
		t.Errorf("in the log it is another study (-read +carried):\n%s\nof %s", diff, src)
	}
	forked, err := studyfile.Parse("fork", studyfile.Fork(&carried, "forked", "0badcafe", 1, cat), cat, studyfile.Options{})
	if err != nil {
		t.Errorf("its fork is refused: %v\nof %s", err, src)
		return doc
	}
	want := carried
	want.Study, want.Fork = "forked", &events.Fork{Study: carried.Study, Run: "0badcafe", Trials: 1}
	if diff := cmp.Diff(want, *forked.Spec); diff != "" {
		t.Errorf("its fork is another study (-read +forked):\n%s\nof %s", diff, src)
	}
	return doc
}

// with sets the value at a JSON pointer, and makes what is missing on the way.
func with(t *testing.T, base, path string, value any) string {
	t.Helper()
	var root any
	d := json.NewDecoder(strings.NewReader(base))
	d.UseNumber()
	if err := d.Decode(&root); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(set(root, strings.Split(path, "/")[1:], value))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func set(at any, path []string, value any) any {
	if len(path) == 0 {
		return value
	}
	if index, err := strconv.Atoi(path[0]); err == nil {
		list, _ := at.([]any)
		if index == len(list) {
			list = append(list, nil)
		}
		list[index] = set(list[index], path[1:], value)
		return list
	}
	object, ok := at.(map[string]any)
	if !ok {
		object = map[string]any{}
	}
	object[path[0]] = set(object[path[0]], path[1:], value)
	return object
}

// spread holds the values that each leaf of a specification had.
type spread map[string]map[string]bool

func (s spread) add(path string, v reflect.Value) {
	note := func(text string) {
		if s[path] == nil {
			s[path] = map[string]bool{}
		}
		s[path][text] = true
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			s.add(path, reflect.New(v.Type().Elem())) // its leaves exist
			return
		}
		s.add(path, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			s.add(path+"."+v.Type().Field(i).Name, v.Field(i))
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			note(string(v.Bytes()))
			return
		}
		for i := range v.Len() {
			s.add(path+"[]", v.Index(i))
		}
		if v.Len() == 0 {
			s.add(path+"[]", reflect.New(v.Type().Elem()).Elem())
		}
	default:
		note(fmt.Sprint(v.Interface()))
	}
}
