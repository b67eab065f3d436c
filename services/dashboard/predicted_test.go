package dashboard

import (
	"strings"
	"testing"

	"apollo/events"
)

// The headline says which accuracies nobody measured.
func TestAPredictedAccuracyIsMarked(t *testing.T) {
	t.Parallel()
	least := 60.0
	s := &snapshot{spec: &events.Spec{
		Metrics:    []events.Metric{{Name: "latency_s", Unit: "s"}, {Name: "accuracy_percent", Unit: "%"}, {Name: "accuracy_interval_percent", Unit: "%"}},
		Objectives: []events.Objective{{Metric: "latency_s", Goal: "minimize"}, {Metric: "accuracy_percent", Goal: "maximize"}},
	}}
	best := events.BestTrial{Trial: 3, Metrics: map[string]float64{"latency_s": 1e-3, "accuracy_percent": 66.5, "accuracy_interval_percent": 0.884}}
	const mark = "predicted within ±0.884"
	s.answer = []events.BestTrial{best}
	if c := s.frontCards(); len(c) != 3 || strings.Contains(c[1].Note, mark) || !strings.Contains(c[2].Note, mark) {
		t.Errorf("the cards of the front are %+v", c)
	}
	s.spec.Constraints = []events.Constraint{{Metric: "accuracy_percent", Min: &least}}
	if c := s.limitCards(&best); len(c) != 1 || !strings.Contains(c[0].Note, mark) {
		t.Errorf("the cards of limits are %+v", c)
	}
	best.Metrics["accuracy_interval_percent"] = 0
	if c := s.limitCards(&best); len(c) != 1 || strings.Contains(c[0].Note, "predicted") {
		t.Errorf("the cards of limits are %+v", c)
	}
}
