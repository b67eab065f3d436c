package main

import (
	"testing"

	"apollo/services/client"
)

// A key press reads no trials of a run that has very many.
func TestALongRunIsCompletedByNumbers(t *testing.T) {
	t.Parallel()
	all := latestTrials(t.Context(), nil, &client.StudyView{Proposed: 1_000_000}, "long/", false) // there is no bus to read
	if len(all) != mostCompleted || all[0] != "long/999999" || all[mostCompleted-1] != "long/999800" {
		t.Errorf("%d trials are listed: %q", len(all), all)
	}
}
