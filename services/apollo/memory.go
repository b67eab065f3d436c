package main

import "runtime/debug"

// gcPercent is how much garbage may pile up beside what is alive, in percent
// of it. The services live on short-lived messages: at Go's 100 a trial of the
// bench pays 5 us for collections, at 400 it pays 1, for some 150 MB more
// memory (apollo bench pipeline; docs/architecture.md#memory).
const gcPercent = 400

// collectLess makes collections rarer, unless the user has decided: GOGC and
// GOMEMLIMIT work as in every Go program.
func collectLess(getenv func(string) string) {
	if getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
