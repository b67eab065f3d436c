package study

import (
	"testing"

	"apollo/events"
)

// What an evaluator never saw says nothing of the design.
func TestFailureCause(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{
		"timeout": "timeout", "": "failed", events.ReasonBadResult: "", events.ReasonStart: "",
	} {
		if got := failureCause(&events.TrialResult{Reason: &events.Reason{Code: code}}); got != want {
			t.Errorf("the cause of %q is %q, want %q", code, got, want)
		}
	}
	if got := failureCause(&events.TrialResult{}); got != "failed" {
		t.Errorf("the cause without a reason is %q", got)
	}
}
