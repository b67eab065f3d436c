package studyfile_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"apollo/events"
	"apollo/services/studyfile"
)

func TestSets(t *testing.T) {
	t.Parallel()
	got := parse(t, small, studyfile.Options{Sets: []string{
		"spec.budget.trials=900", "spec.budget.trials=901", // the last one wins
		"spec.constraints[0].metric=area", "spec.constraints.0.max=5.8 mm2",
		"spec.space.restrict.cores=[1, 2]",
		"spec.space.fix={dataflow: ws}",
		"metadata.labels.3=x", "metadata.labels.a=b=c",
		"spec.workload.networks[1]={name: net_b, weight: 3}",
		"spec.order=relaxed",
		"spec.stop.plateau.trials=5", "spec.stop=null",
	}}).Spec
	if got.Budget.Trials != 901 || got.Order != "relaxed" || got.Stop.Plateau != nil {
		t.Errorf("trials, order, plateau = %d, %q, %v, want 901, relaxed, none", got.Budget.Trials, got.Order, got.Stop.Plateau)
	}
	if diff := cmp.Diff([]events.Constraint{{Metric: "area_mm2", Max: new(5.8)}}, got.Constraints); diff != "" {
		t.Errorf("constraints differ (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]float64{1, 2}, got.Parameters[0].Values); diff != "" {
		t.Errorf("cores differ (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"ws"}, got.Parameters[3].Labels); diff != "" {
		t.Errorf("dataflow differs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"3": "x", "a": "b=c"}, got.Labels); diff != "" {
		t.Errorf("labels differ (-want +got):\n%s", diff)
	}
	if len(got.Networks) != 2 || got.Networks[1].Weight != 3 {
		t.Errorf("networks = %+v, want net_a and net_b with weight 3", got.Networks)
	}
}

// What --set may name is completed from the table, step by step.
func TestComplete(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"":                              {"apiVersion=", "kind=", "metadata.", "spec."},
		"spec.o":                        {"spec.objectives[0].", "spec.order="},
		"spec.space.r":                  {"spec.space.restrict=", "spec.space.rules[0]."},
		"spec.objectives[1].g":          {"spec.objectives[1].goal="},
		"spec.objectives[1].goal=":      {"spec.objectives[1].goal=minimize", "spec.objectives[1].goal=maximize"},
		"spec.algorithm.name=":          {"spec.algorithm.name=default", "spec.algorithm.name=evolution"},
		"spec.space.template=":          {"spec.space.template=toy"},
		"spec.evaluator.determin":       {"spec.evaluator.deterministic="},
		"spec.evaluator.deterministic=": {"spec.evaluator.deterministic=true", "spec.evaluator.deterministic=false"},
		"spec.budget.trials=":           nil,
		"spec.nothing":                  nil,
	} {
		if diff := cmp.Diff(want, studyfile.Complete(text, catalog())); diff != "" {
			t.Errorf("Complete(%q) (-want +got):\n%s", text, diff)
		}
	}
}

// TestSetsMakeAStudy: a study can be given by flags alone.
func TestSetsMakeAStudy(t *testing.T) {
	t.Parallel()
	got := parse(t, "", studyfile.Options{Sets: []string{
		"apiVersion=apollo/v1", "kind=Study", "metadata.name=small", "spec.space.template=toy",
		"spec.workload.networks[0].name=net_a", "spec.objectives[0]={metric: latency, goal: minimize}",
	}})
	want := parse(t, small, studyfile.Options{})
	if string(got.Normalised) != string(want.Normalised) {
		t.Errorf("flags give %s, want %s", got.Normalised, want.Normalised)
	}
}

// TestSameStudyInOtherWords: how a study is written is no part of it.
func TestSameStudyInOtherWords(t *testing.T) {
	t.Parallel()
	want := events.SpecSHA256(parse(t, full, studyfile.Options{}).Spec)
	for _, set := range []string{
		"spec.constraints[0].max=6800000 um2", "spec.evaluator.timeout=1.5 min", "spec.space.restrict.cores=[1, 2, 4]",
		"metadata.labels=null", "spec.space.restrict.io_bandwidth=[25e9 B/s]",
	} {
		sets := []string{set}
		if set == "spec.space.restrict.io_bandwidth=[25e9 B/s]" {
			sets = append(sets, "spec.space.fix=null")
		}
		if got := events.SpecSHA256(parse(t, full, studyfile.Options{Sets: sets}).Spec); got != want {
			t.Errorf("--set %s makes another study", set)
		}
	}
	for _, set := range []string{"spec.seed=1", "spec.constraints[0].max=6.9 mm2", "spec.budget.lag=4", "metadata.name=other2"} {
		if got := events.SpecSHA256(parse(t, full, studyfile.Options{Sets: []string{set}}).Spec); got == want {
			t.Errorf("--set %s makes no other study", set)
		}
	}
}
