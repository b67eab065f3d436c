package studyfile_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apollo/events"
	"apollo/optimizer/space"
	"apollo/services/studyfile"
)

// searched is small with the network as part of the design.
func searched(replace ...string) string {
	two := strings.Replace(small, "{networks: [{name: net_a}]}", "{networks: [{name: net_b}, {name: net_a}], search: one}", 1)
	return strings.NewReplacer(replace...).Replace(two)
}

// The network is the last parameter of the design: rules, restrict and the published
// study know it, and metrics are the network's.
func TestNetworkIsPartOfTheDesign(t *testing.T) {
	t.Parallel()
	doc := parse(t, searched("{template: toy}", `{template: toy, restrict: {network: [net_a, net_b]}, rules: [{id: r, expr: network == "net_a" or cores > 1}]}`), studyfile.Options{})
	spec := doc.Spec
	last := spec.Parameters[len(spec.Parameters)-1]
	if diff := cmp.Diff(events.Parameter{Name: "network", Labels: []string{"net_b", "net_a"}}, last); diff != "" || spec.Search != "one" {
		t.Errorf("search %q, the last parameter is (-want +got):\n%s", spec.Search, diff)
	}
	for _, m := range spec.Metrics {
		if strings.Contains(m.Name, ".") {
			t.Errorf("the study measures %s, of a single network", m.Name)
		}
	}
	again, err := studyfile.Parse("published", doc.Normalised, catalog(), studyfile.Options{Published: true})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(spec, again.Spec); diff != "" {
		t.Errorf("published it is another study:\n%s", diff)
	}
	design := events.Design{{Num: 1}, {Num: 1 << 18}, {Num: 5e9}, {Label: "ws"}, {Label: "net_a"}}
	if n := spec.NetworksOf(design); len(n) != 1 || n[0].Name != "net_a" {
		t.Errorf("%v runs %v, want net_a", design, n)
	}
	design[4] = space.Value{Label: "other"}
	if n := spec.NetworksOf(design); n != nil {
		t.Errorf("a network that the study does not have runs %v", n)
	}
	if own := spec.OwnParameters(); len(own) != len(spec.Parameters)-1 || own[len(own)-1].Name != "dataflow" {
		t.Errorf("without the network the parameters are %v", own)
	}
}

// A stated accuracy is a cheap metric in percent, as it was written.
func TestStatedAccuracy(t *testing.T) {
	t.Parallel()
	doc := parse(t, searched("{name: net_b}", "{name: net_b, accuracy: 70.9 %}", "{name: net_a}", "{name: net_a, accuracy: 0.718}",
		"  objectives", "  constraints: [{metric: accuracy, min: 71 %}]\n  objectives"), studyfile.Options{})
	spec := doc.Spec
	at := spec.MetricIndex("accuracy_percent")
	if at < 0 || !spec.Metrics[at].Cheap || spec.Metrics[at].Unit != "%" || *spec.Constraints[0].Min != 71 {
		t.Fatalf("metrics %+v, constraints %+v", spec.Metrics, spec.Constraints)
	}
	if a, b := spec.Networks[0].AccuracyPercent(), spec.Networks[1].AccuracyPercent(); a != 70.9 || b != 71.8 {
		t.Errorf("the accuracies are %v and %v", a, b)
	}
	again, err := studyfile.Parse("published", doc.Normalised, catalog(), studyfile.Options{Published: true})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(spec, again.Spec); diff != "" {
		t.Errorf("published it is another study:\n%s", diff)
	}
}

func TestMistakesInTheSearchOfNetworks(t *testing.T) {
	t.Parallel()
	for want, src := range map[string]string{
		"there is one network: nothing is to be searched":                    searched("{name: net_b}, ", ""),
		"a weight means nothing":                                             searched("{name: net_b}", "{name: net_b, weight: 2}"),
		"a design runs one network, and latency is that network's":           searched("metric: latency", "metric: latency.net_a"),
		"a design runs one network, and power is that network's":             searched("metric: latency", "metric: power.worst"),
		"fps counts the work of a network, which differs":                    searched("metric: latency, goal: minimize", "metric: fps, goal: maximize", "{name: net_b}", "{name: net_b, batch: 2}"),
		`the network "net_a" is here twice`:                                  searched("net_b", "net_a"),
		"this network has no accuracy, and others have":                      searched("{name: net_b}", "{name: net_b, accuracy: 70 %}"),
		"no network has an accuracy. State it of every network":              searched("metric: latency", "metric: accuracy"),
		"70 is too large: the largest value is 1. Did you mean 70 %?":        searched("{name: net_b}", "{name: net_b, accuracy: 70}"),
		"their accuracy is no matter of the search":                          searched("search: one", "search: null", "{name: net_b}", "{name: net_b, accuracy: 70 %}"),
		"only a template's own evaluator adds":                               searched("{name: net_b}", "{name: net_b, accuracy: 70 %}", "{name: net_a}", "{name: net_a, accuracy: 0.8}", "spec:", "spec:\n  evaluator: {name: mine, metrics: [{name: latency, unit: s}]}"),
		"no design meets min 70 % and max 60 %":                              searched("{name: net_b}", "{name: net_b, accuracy: 70 %}", "{name: net_a}", "{name: net_a, accuracy: 0.8}", "  objectives", "  constraints: [{metric: accuracy, min: 70 %, max: 60 %}]\n  objectives"),
		`"two" is not allowed here. Known: one`:                              searched("search: one", "search: two"),
		`there is no parameter "network" that could be restricted`:           searched(", search: one", "", "{template: toy}", "{template: toy, restrict: {network: [net_a]}}"),
		`parameter "network" has no level "net_c"`:                           searched("{template: toy}", "{template: toy, fix: {network: net_c}}"),
		`the parameter "network" is that of the network, which the study se`: searched("{template: toy}", "{parameters: [{name: network, values: [1, 2]}]}", "spec:", "spec:\n  evaluator: {name: mine, metrics: [{name: latency, unit: s}]}"),
	} {
		_, err := studyfile.Parse("study.yaml", []byte(src), catalog(), studyfile.Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nwant %q of\n%s", err, want, src)
		}
	}
	// One that has none is said once, not again of each place that names the metric.
	_, err := studyfile.Parse("study.yaml", []byte(searched("{name: net_b}", "{name: net_b, accuracy: 70 %}", "metric: latency", "metric: accuracy")), catalog(), studyfile.Options{})
	if err == nil || strings.Contains(err.Error(), "measures no") || strings.Count(err.Error(), "accuracy, and others have") != 1 {
		t.Errorf("of one network that has no accuracy: %v", err)
	}
	// Of one picture each, both networks have the same rate.
	parse(t, searched("metric: latency, goal: minimize", "metric: fps, goal: maximize"), studyfile.Options{})
}
