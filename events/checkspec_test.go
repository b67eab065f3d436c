package events_test

import (
	"math"
	"strings"
	"testing"

	"apollo/events"
)

func TestCheckSpec(t *testing.T) {
	t.Parallel()
	good := sampleSpec()
	if err := events.CheckSpec(&good, true); err != nil {
		t.Fatalf("a specification of the contract: %v", err)
	}
	for name, forge := range map[string]func(*events.Spec){
		"trials":     func(s *events.Spec) { s.Budget.Trials = events.MaxTrials + 1 },
		"batch":      func(s *events.Spec) { s.Budget.Batch = 0 },
		"parameters": func(s *events.Spec) { s.Parameters = nil },
		"levels":     func(s *events.Spec) { s.Parameters[0].Values = make([]float64, events.MaxLevels+1) },
		"time-out":   func(s *events.Spec) { s.Evaluator.TimeoutSeconds = math.NaN() },
		"wall time":  func(s *events.Spec) { s.Budget.WallSeconds = -1 },
		"name":       func(s *events.Spec) { s.Study = "a.b" },
		"sources":    func(s *events.Spec) { s.Transfer.Sources = make([]events.Source, events.MaxSources+1) },
		"repeats":    func(s *events.Spec) { s.Evaluator.Noise = &events.Noise{Repeats: 1e9} },
		"early stop": func(s *events.Spec) { s.EarlyStop.Metric = s.Metrics[1].Name },
	} {
		bad := sampleSpec()
		forge(&bad)
		if err := events.CheckSpec(&bad, true); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	files := sampleSpec()
	files.Transfer = &events.Transfer{Sources: []events.Source{{Parquet: "/etc/passwd"}}}
	if err := events.CheckSpec(&files, false); err == nil || !strings.Contains(err.Error(), "apollo run") {
		t.Errorf("a file of the server: %v", err)
	}
}
