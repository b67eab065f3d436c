package transfer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

const (
	// resamples of the bootstrap and of the test; chosen: the 2.5th percentile
	// then moves by less than a trial between seeds.
	resamples = 2000
	// minCompared is the smallest control arm that says anything: with five
	// pairs no swap test can reach 5 % on both sides (2 in 2^5).
	minCompared = 6
	// level is the two-sided level of the test.
	level = 0.05
	// tail is how many resamples lie outside the interval on each side. Best
	// values rest on few trials, for which percentiles at 2.5 % are too short:
	// they hold the truth in 89 % of the simulations of TestFalseClaimsAreRare,
	// these in 95 %.
	tail = 15
	// badSeeds is how many of a source's seeds have to be infeasible, all of
	// them, before the report says so.
	badSeeds = 2
)

// compare estimates how many trials the sources saved: the arms' first
// trials, as many as the shorter arm has, side by side.
//
// Where the search arm ends better, saved is the number of trials that it did
// not need to be as good as the control arm in the end; where it ends worse,
// the same the other way round, negative. The interval is by bootstrap over the
// trials of each arm (their order kept). A verdict asks for a test as well, which
// swaps trials between the arms, pair by pair, and looks at the area between
// the curves. That test has its level when the sources change nothing, whatever
// the strategy does.
func (r *Report) compare(seed uint64, search, control *armValues) {
	n := min(len(search.values), len(control.values))
	if n == 0 {
		return
	}
	s, c := search.values[:n], control.values[:n]
	r.Compared, r.Verdict = n, unclear
	known := search.start()
	estimate := saved(known, s, c)
	rng := rand.New(rand.NewPCG(seed, 2))
	draws := make([]float64, resamples)
	a, b := make([]float64, n), make([]float64, n)
	for i := range draws {
		resample(rng, a, s)
		resample(rng, b, c)
		draws[i] = saved(known, a, b)
	}
	slices.Sort(draws)
	r.Saved = &Interval{Estimate: estimate, Low: draws[tail], High: draws[len(draws)-1-tail]}
	p := swapTest(rng, s, c)
	r.P = &p
	switch {
	case n < minCompared || p > level:
	case r.Saved.Low > 0:
		r.Verdict = Helped
	case r.Saved.High < 0:
		r.Verdict = Hurt
	}
}

// saved compares two arms of the same length; known is what the search arm
// knew before its first trial.
func saved(known float64, search, control []float64) float64 {
	n := float64(len(search))
	s, c := min(known, slices.Min(search)), slices.Min(control)
	switch {
	case s < c:
		return n - reached(known, search, c)
	case s > c:
		return reached(math.Inf(1), control, s) - n
	}
	return reached(math.Inf(1), control, c) - reached(known, search, s)
}

// reached is the number of trials after which the arm was at least that good.
func reached(known float64, values []float64, level float64) float64 {
	if known <= level {
		return 0
	}
	for i, v := range values {
		if v <= level {
			return float64(i + 1)
		}
	}
	return float64(len(values))
}

// resample draws as many values with replacement, in their order.
func resample(rng *rand.Rand, dst, values []float64) {
	times := make([]int, len(values))
	for range values {
		times[rng.IntN(len(values))]++
	}
	dst = dst[:0]
	for i, v := range values {
		for range times[i] {
			dst = append(dst, v)
		}
	}
}

// swapTest is the share of random swaps of paired trials that separate the
// arms' curves at least as far, either way: if the sources change nothing, it is
// a matter of chance which trial of a pair is in which arm. What the search arm
// knew before its first trial stays out of it: that was no chance.
func swapTest(rng *rand.Rand, search, control []float64) float64 {
	a, b := logRanks(search, control)
	observed := math.Abs(apart(a, b))
	far := 1
	for range resamples {
		for i := range a {
			if rng.Uint64()&1 == 1 {
				a[i], b[i] = b[i], a[i]
			}
		}
		if math.Abs(apart(a, b)) >= observed-closeEnough {
			far++
		}
	}
	return float64(far) / (resamples + 1)
}

// logRanks replaces values by the logarithms of their ranks among all: a test
// on them does not depend on the metric's scale, and looks at the best ones.
func logRanks(search, control []float64) (a, b []float64) {
	all := slices.Concat(search, control)
	slices.Sort(all)
	rank := func(values []float64) []float64 {
		out := make([]float64, len(values))
		for i, v := range values {
			below, _ := slices.BinarySearch(all, v) // ties get the same rank
			out[i] = math.Log(float64(below + 1))
		}
		return out
	}
	return rank(search), rank(control)
}

// apart is the area between two curves of best values.
func apart(a, b []float64) float64 {
	x, y := math.Inf(1), math.Inf(1)
	sum := 0.0
	for i := range a {
		x, y = min(x, a[i]), min(y, b[i])
		sum += y - x
	}
	return sum
}

// alarm says in words what a user must not miss.
func (r *Report) alarm() {
	if r.Verdict == Hurt {
		r.Alarms = append(r.Alarms, fmt.Sprintf("transfer hurt: without the sources the control arm was as good after %.0f trials fewer (%.0f to %.0f)",
			-r.Saved.Estimate, -r.Saved.High, -r.Saved.Low))
	}
	for i := range r.Credit {
		c := &r.Credit[i]
		seeds := 0
		for _, o := range c.Origins {
			if o.Origin == "seed" {
				seeds += o.Trials
			}
		}
		if seeds == c.Trials && seeds >= badSeeds && c.Feasible == 0 {
			r.Alarms = append(r.Alarms, fmt.Sprintf("none of the %d seeds of %s is feasible here", seeds, c.Study))
		}
		if 2*c.Quarantined > c.SourcePin.Trials {
			r.Alarms = append(r.Alarms, fmt.Sprintf("%d of %d rows of %s were not used because they cannot be true", c.Quarantined, c.SourcePin.Trials, c.Study))
		}
	}
}
