package main

import "runtime/debug"

// gcPercent is how much garbage may pile up beside what is alive, in percent
// of it. The services live on short-lived messages: at Go's 100 a trial of
// apollo bench pipeline pays some 5 of 80 us for collections; 400 was not
// measurably cheaper than 200 (docs/architecture.md#memory).
const gcPercent = 200

// collectLess makes collections rarer, unless the user has decided: GOGC and
// GOMEMLIMIT work as in every Go program.
func collectLess(getenv func(string) string) {
	if getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
