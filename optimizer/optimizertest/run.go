// Package optimizertest checks that a strategy keeps the contract of
// optimizer.Strategy, and holds the named problems that strategies are compared
// on. Every strategy of the project runs it:
//
//	func TestRandom(t *testing.T) {
//		optimizertest.Run(t, optimizer.Random{}, optimizertest.Options{})
//	}
//
// The checks are exact where the contract is (legal, new, complete, a pure
// function of the log) and statistical only in that a strategy has to beat
// random search, at fixed seeds, so that a result never changes by chance.
package optimizertest

import (
	"slices"
	"testing"

	"apollo/optimizer"
)

// Options fits the suite to the cost of a strategy. The zero value is for a
// strategy that takes microseconds. In short mode, and so under the race
// detector, studies are shorter and quality is not judged.
type Options struct {
	// Programs is the number of random programs of asks, tells and restarts
	// that are run. 0 means 150.
	Programs int
	// Trials is the length of a study in the checks of misuse and of quality.
	// 0 means 200.
	Trials int
	// Seeds is the number of paired seeds that quality is judged on. 0 means 11.
	Seeds int
	// Judged names the problems that quality is judged on. None means all.
	Judged []string
	// Large is the number of observations that are told at once before a large
	// study is asked for more. 0 means 5,000.
	Large int
	// NotBetter gives, by problem name, the reason why the strategy is not
	// expected to beat random search there. "*" stands for every problem.
	NotBetter map[string]string
}

func (o Options) withDefaults() Options {
	if o.Programs == 0 {
		o.Programs = 150
	}
	if o.Trials == 0 {
		o.Trials = 200
	}
	if o.Seeds == 0 {
		o.Seeds = 11
	}
	if o.Large == 0 {
		o.Large = 5000
	}
	if testing.Short() {
		o.Programs, o.Trials, o.Large = min(o.Programs, 20), min(o.Trials, 16), min(o.Large, 200)
		o.NotBetter = map[string]string{"*": "too few trials in short mode"}
	}
	return o
}

// skip ends a test of quality on a problem that is not judged, or where
// NotBetter gives a reason.
func (o Options) skip(t *testing.T, p Problem) {
	t.Helper()
	if len(o.Judged) > 0 && !slices.Contains(o.Judged, p.Name) {
		t.Skip("not judged here")
	}
	for _, name := range []string{p.Name, "*"} {
		if reason, ok := o.NotBetter[name]; ok {
			t.Skipf("not expected to beat random search: %s", reason)
		}
	}
}

// Run runs the whole suite as parallel subtests of t.
func Run(t *testing.T, a optimizer.Algorithm, o Options) {
	o = o.withDefaults()
	for _, check := range []struct {
		name string
		run  func(*testing.T, optimizer.Algorithm, Options)
	}{
		{"programs", programs},
		{"exhausts", exhausts},
		{"withholds", withholds},
		{"rebuilds", rebuilds},
		{"survives", survives},
		{"foreign", foreign},
		{"repeats", repeats},
		{"objectives", objectives},
		{"seeds", seeds},
		{"large", large},
		{"wide", wide},
		{"beats random", beatsRandom},
	} {
		t.Run(check.name, func(t *testing.T) {
			t.Parallel()
			check.run(t, a, o)
		})
	}
}
