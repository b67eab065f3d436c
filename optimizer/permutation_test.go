package optimizer

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestPermutationVisitsEveryPointOnce(t *testing.T) {
	t.Parallel()
	for _, size := range []uint64{1, 2, 3, 4, 5, 16, 17, 255, 256, 257, 10_007} {
		rng := rand.New(rand.NewPCG(size, 1))
		for range 4 {
			order := newPermutation(size, rng)
			seen := make([]bool, size)
			for i := range size {
				index := order.at(i)
				if index >= size || seen[index] {
					t.Fatalf("size %d: position %d is point %d, outside or seen before", size, i, index)
				}
				seen[index] = true
			}
		}
	}
}

func TestPermutationReachesLargeSpaces(t *testing.T) {
	t.Parallel()
	order := newPermutation(math.MaxInt64, rand.New(rand.NewPCG(1, 1)))
	seen := map[uint64]bool{}
	for i := range uint64(1000) {
		index := order.at(i)
		if index >= order.size || seen[index] {
			t.Fatalf("position %d is point %d, outside or seen before", i, index)
		}
		seen[index] = true
	}
}

// The first point of a random order has to be uniform: this is what makes a
// scan for rare points fair.
func TestPermutationStartsAnywhere(t *testing.T) {
	t.Parallel()
	const size, draws = 24, 24_000
	rng := rand.New(rand.NewPCG(8, 8))
	counts := make([]float64, size)
	for range draws {
		order := newPermutation(size, rng)
		counts[order.at(0)]++
	}
	checkUniform(t, counts, draws)
}

// checkUniform is a chi-square test far out in the tail: for k cells the
// statistic has mean k-1 and deviation sqrt(2(k-1)), and 6 deviations above
// the mean happen by chance less than once in 10^5. Seeds are fixed besides.
func checkUniform(t *testing.T, counts []float64, draws float64) {
	t.Helper()
	want, sum := draws/float64(len(counts)), 0.0
	for _, got := range counts {
		sum += (got - want) * (got - want) / want
	}
	freedom := float64(len(counts) - 1)
	if limit := freedom + 6*math.Sqrt(2*freedom); sum > limit {
		t.Errorf("chi-square %.1f of %v, want at most %.1f", sum, counts, limit)
	}
}
