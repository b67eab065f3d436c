package bench_test

import (
	"testing"

	"apollo/lab/bench"
)

// The searches that a task learns from are by default, or by the strategy that the plan names.
func TestStrategyOfSources(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{"": "default", "explore": "explore"} {
		var by bench.Contender
		if given != "" {
			by = bench.Contender{Label: given, Name: given}
		}
		other := &bench.Task{Name: "other"}
		p := bench.Plan{
			Suite: "toys", Tasks: []*bench.Task{{Name: "one", From: []bench.Origin{{Suite: "toys", Task: other}}}}, Lanes: []bench.Lane{bench.KnownArea},
			Contenders: []bench.Contender{{Label: "random", Name: "random"}}, Seeds: 1, Trials: 1, Batch: 1, SourceTrials: 7, SourceBy: by,
		}
		sources := p.Cells()[0].Sources
		if len(sources) != 1 || sources[0].By.Name != want || sources[0].By.Label != want || sources[0].Trials != 7 {
			t.Errorf("SourceBy %q: %+v, want one search by %s", given, sources, want)
		}
	}
}
