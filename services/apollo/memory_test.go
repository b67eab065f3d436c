package main

import (
	"runtime/debug"
	"testing"
)

// TestCollectLess is alone: the setting is the process's.
func TestCollectLess(t *testing.T) { //nolint:paralleltest // see above
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	collectLess(func(string) string { return "50" })
	if got := debug.SetGCPercent(100); got != 100 {
		t.Errorf("with GOGC set the percentage became %d, want it left at 100", got)
	}
	collectLess(func(string) string { return "" })
	if got := debug.SetGCPercent(100); got != gcPercent {
		t.Errorf("the percentage became %d, want %d", got, gcPercent)
	}
}
