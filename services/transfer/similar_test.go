package transfer

import (
	"math"
	"strings"
	"testing"
	"time"

	"apollo/archiver"
	"apollo/evaluator/workload"
	"apollo/events"
)

func TestFeaturesTellNetworksApart(t *testing.T) {
	t.Parallel()
	find := func(n events.Network) (*workload.Workload, error) { return workload.Builtin(n.Name) }
	features := map[string][]float64{}
	for _, name := range workload.Names() {
		f, err := Features([]events.Network{{Name: name, Weight: 3}}, find)
		if err != nil {
			t.Fatal(err)
		}
		if len(f) != len(featureNames()) {
			t.Fatalf("%s: %d numbers, %d names", name, len(f), len(featureNames()))
		}
		for i, v := range f {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Errorf("%s: %s is %v", name, featureNames()[i], v)
			}
		}
		features[name] = f
	}
	similar := func(a, b string) float64 { return workloadSimilarity(features[a], features[b]) }
	if s := similar("mobilenet_v2", "mobilenet_v2"); s != 1 {
		t.Errorf("a network is %v similar to itself", s)
	}
	if near, far := similar("mobilenet_v2", "mobilenet_edgetpu"), similar("mobilenet_v2", "bert_base"); near <= far {
		t.Errorf("MobileNetV2 is %v like MobileNetEdgeTPU and %v like BERT", near, far)
	}
	// Several networks: between their own features.
	both, err := Features([]events.Network{{Name: "mobilenet_v2", Weight: 1}, {Name: "bert_base", Weight: 1}}, find)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range both {
		if want := (features["mobilenet_v2"][i] + features["bert_base"][i]) / 2; math.Abs(v-want) > 1e-9 {
			t.Errorf("%s of both is %v, want %v", featureNames()[i], v, want)
		}
	}
	if f, err := Features(nil, find); f != nil || err != nil {
		t.Errorf("no networks: %v, %v", f, err)
	}
	for _, weight := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		if f, err := Features([]events.Network{{Name: "mobilenet_v2", Weight: weight}}, find); err == nil {
			t.Errorf("a weight of %v: %v, want an error", weight, f)
		}
	}
	if _, err := Features([]events.Network{{Name: "nothing", Weight: 1}}, find); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("an unknown network: %v", err)
	}
}

func logged(name string, age int, change func(*events.Spec)) archiver.LoggedStudy {
	spec := targetSpec(change)
	spec.Study = name
	return archiver.LoggedStudy{Study: name, Run: "0000000a", Spec: spec, Trials: 100, Accepted: time.Unix(1000-int64(age), 0)}
}

func TestRankPrefersTheSimilarAndSaysWhy(t *testing.T) {
	t.Parallel()
	other := func(s *events.Spec) { s.Networks[0].SHA256 = "b" }
	studies := []archiver.LoggedStudy{
		logged("target", 0, nil),
		logged("other-model", 1, func(s *events.Spec) { other(s); s.Evaluator.Version = "0" }),
		logged("other-net", 2, other),
		logged("same", 3, func(s *events.Spec) { s.Constraints = nil }),
		logged("same-later", 2, nil),
		logged("fewer", 3, func(s *events.Spec) { s.Parameters = s.Parameters[:2] }),
		logged("foreign", 3, func(s *events.Spec) { s.Parameters = s.Parameters[2:] }),
		logged("no-objective", 3, func(s *events.Spec) { s.Metrics = s.Metrics[1:]; s.Objectives[0].Metric = "area_mm2" }),
		logged("wrong-unit", 3, func(s *events.Spec) { s.Parameters[0].Unit = "s" }),
		{Study: "broken", Err: archiver.ErrCorrupt},
		logged("named", 3, nil),
		logged("also-net", 4, other),
	}
	short := logged("short", 0, nil)
	short.Trials = 9
	studies = append(studies, short)
	l, err := NewLearner(Target{Spec: targetSpec(nil)})
	if err != nil {
		t.Fatal(err)
	}
	ranked := l.Rank(studies, map[string]bool{"named": true})
	var order []string
	why := map[string]string{}
	for _, r := range ranked {
		why[r.Study] = r.Why
		if r.Chosen {
			order = append(order, r.Study)
		}
		if (r.Score > 0) != (strings.Contains(r.Why, "of 3 parameters") && !strings.HasPrefix(r.Why, "it")) {
			t.Errorf("%s: score %v because %q", r.Study, r.Score, r.Why)
		}
	}
	if got, want := strings.Join(order, " "), "same-later same fewer other-net also-net"; got != want {
		t.Errorf("chosen: %s\nwant:   %s", got, want)
	}
	for name, want := range map[string]string{
		"target": "it is this study", "named": "names it already", "short": "9 trials", "foreign": "1 of 3 parameters", "no-objective": "does not measure latency_s",
		"wrong-unit": "a time (s) there", "broken": "not a readable trial log", "same": "the same networks", "other-model": "5 are more similar", "other-net": "other networks",
	} {
		if !strings.Contains(why[name], want) {
			t.Errorf("%s: %q does not say %q", name, why[name], want)
		}
	}
}
