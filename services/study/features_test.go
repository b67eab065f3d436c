package study_test

import (
	"math"
	"testing"

	"apollo/evaluator"
	"apollo/events"
	"apollo/optimizer"
	"apollo/optimizer/space"
	"apollo/services/study"
)

// watcher is random search that notes its problem.
type watcher struct{ problem *optimizer.Problem }

func (w watcher) Start(p optimizer.Problem) (optimizer.Strategy, error) {
	*w.problem = p
	return optimizer.Random{}.Start(p)
}

func TestModelsSeeFeatures(t *testing.T) {
	t.Parallel()
	product := evaluator.Feature{Name: "xy", Terms: []evaluator.Term{{Times: []string{"x", "y"}}}}
	for _, c := range []struct {
		name     string
		features []evaluator.Feature
		checker  evaluator.Checker
		change   func(*events.Spec)
		want     []float64 // of x = 3, y = 4
	}{
		{"nothing", nil, nil, nil, nil},
		{"cheap metrics", nil, toy{}, nil, []float64{math.Log(7)}},
		{"derived", []evaluator.Feature{product}, nil, nil, []float64{math.Log(12)}},
		{"both", []evaluator.Feature{product}, toy{}, nil, []float64{math.Log(12), math.Log(7)}},
		{"hidden constraints hide the metrics", []evaluator.Feature{product}, toy{}, func(s *events.Spec) { s.KnownConstraints = "hidden" }, []float64{math.Log(12)}},
	} {
		var problem optimizer.Problem
		_, err := study.New(study.Config{Spec: testSpec(c.change), Run: "r1", Algorithm: watcher{&problem}, Checker: c.checker, Features: c.features})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		seen := problem.Features
		if seen == nil {
			if c.want != nil {
				t.Errorf("%s: the strategy sees no features, want %v", c.name, c.want)
			}
			continue
		}
		first, second := seen(space.Point{3, 4, 1}), seen(space.Point{5, 4, 1})
		if len(first) != len(c.want) || len(second) != len(c.want) {
			t.Fatalf("%s: %v and %v, want %v", c.name, first, second, c.want)
		}
		for i, want := range c.want {
			if math.Abs(first[i]-want) > 1e-15 {
				t.Errorf("%s: feature %d is %v, want %v: also after another call", c.name, i, first[i], want)
			}
		}
	}
}

func TestFeaturesOfOtherParametersAreRefused(t *testing.T) {
	t.Parallel()
	f := evaluator.Feature{Name: "z", Terms: []evaluator.Term{{Times: []string{"z"}}}}
	_, err := study.New(study.Config{Spec: testSpec(nil), Run: "r1", Algorithm: optimizer.Random{}, Features: []evaluator.Feature{f}})
	if err == nil {
		t.Error("a feature of a parameter that the study does not have is accepted")
	}
}
