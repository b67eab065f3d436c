package gogc

import (
	"runtime/debug"
	"testing"
)

// TestSet is alone: the setting is the process's.
func TestSet(t *testing.T) { //nolint:paralleltest // see above
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	set(func(string) string { return "50" })
	if got := debug.SetGCPercent(100); got != 100 {
		t.Errorf("with GOGC set the percentage became %d, want it left at 100", got)
	}
	set(func(string) string { return "" })
	if got := debug.SetGCPercent(100); got != percent {
		t.Errorf("the percentage became %d, want %d", got, percent)
	}
}
