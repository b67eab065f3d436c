package services_test

import (
	"testing"

	"apollo/events/membus"
	"apollo/services/study"
)

// A study can be published as people write it, in YAML.
func TestYAMLOnTheBus(t *testing.T) {
	t.Parallel()
	view := simulate(t, 1, membus.Faults{}, 0, 1, `# a study
apiVersion: apollo/v1
kind: Study
metadata: {name: sim}
spec:
  space: {template: toy}
  workload: {networks: [{name: mobilenet_v2}]}
  objectives: [{metric: latency, goal: minimize}]
  algorithm: {name: evolution}
  budget: {trials: 16, batch: 8}
`)
	if view.State != study.Completed || view.Proposed != 16 {
		t.Errorf("the study is %s after %d trials, want it completed after 16", view.State, view.Proposed)
	}
}
