package suite

import (
	"math"
	"testing"

	"apollo/lab/bench"
	"apollo/optimizer/space"
)

// What is said to be the best is what a search over all there is finds, on tasks of
// the same making that are small enough.
func TestBestOfOddTasksIsTheBest(t *testing.T) {
	t.Parallel()
	for _, o := range []odd{
		chained("pairs", bench.Development, 5, 4, 2), chained("triples", bench.Development, 7, 2, 3), permuted("order", bench.Development, 2, 3),
	} {
		var counts []int
		for _, p := range o.params {
			counts = append(counts, len(p.Labels))
		}
		ordered := func(p []int) bool { // in the parts of 2 and 3
			return len(o.rules) == 0 || p[0] != p[1] && p[2] != p[3] && p[2] != p[4] && p[3] != p[4]
		}
		least := math.Inf(1)
		for p := range combinations(counts, func([]int) bool { return true }) {
			if ordered(p) {
				least = min(least, o.of(p))
			}
		}
		if best := o.best(); !(math.Abs(best-least) < 1e-12) { // sums in another order
			t.Errorf("%s: best %v, but the least of all designs is %v", o.name, best, least)
		}
	}
}

// The optimum of what cannot be enumerated lies where it was planted.
func TestPlantedOptimaAreMet(t *testing.T) {
	t.Parallel()
	planted := make(space.Point, 10)
	for i := range planted {
		planted[i] = (i*37 + 23) % 100
	}
	for _, c := range []struct {
		task odd
		best space.Point
	}{
		{levels("bent", bench.Development, bent), planted},
		{levels("rippled", bench.Test, rippled), planted},
		{caches(), space.Point{1, 2, 5, 8, 2, 7, 3, 0, 0, 9, 13, 2}},
		{engines(), space.Point{2, 2, 0, 0, 0, 10, 6, 7, 4, 0, 5, 17}},
	} {
		at := c.task.of(c.best)
		if !(math.Abs(at-c.task.best()) < 1e-12) {
			t.Errorf("%s: %v at %v, want %v", c.task.name, at, c.best, c.task.best())
		}
		near := c.best.Clone()
		near[len(near)-1]--
		if !(c.task.of(near) > at) {
			t.Errorf("%s: %v is no worse than the optimum", c.task.name, near)
		}
	}
}

// A task of this suite is what a study file can say: its rules and conditions are
// taken, and there is enough that is legal.
func TestOddTasksAreKnown(t *testing.T) {
	t.Parallel()
	for _, task := range oddTasks() {
		k, err := task.Known(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !(k.Best > 0 && k.Scale > 0) {
			t.Errorf("%s: best %v, scale %v", task.Name, k.Best, k.Scale)
		}
	}
}
