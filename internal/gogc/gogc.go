// Package gogc makes collections of garbage rarer than Go's default, for a program that
// imports it.
package gogc

import (
	"os"
	"runtime/debug"
)

// percent is how much garbage may pile up beside what is alive, in percent
// of it. The services live on short-lived messages: at Go's 100 a trial of
// apollo bench pipeline pays some 5 of 80 us for collections; 400 was not
// measurably cheaper than 200 (docs/architecture.md#memory).
const percent = 200

// Packages are initialised in the order of their paths as far as their imports allow: this
// one comes before the libraries, whose tables alone would fill the 4 MiB at which Go
// collects for the first time. So a short command ends before the first collection.
func init() { set(os.Getenv) }

// set makes collections rarer, unless the user has decided: GOGC and GOMEMLIMIT work as in
// every Go program.
func set(getenv func(string) string) {
	if getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}
