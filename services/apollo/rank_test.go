package main

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestKendall compares with cases that are counted by hand.
func TestKendall(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                 string
		a, b                 []float64
		tau, chance          float64
		same, reversed, ties int
		holds                bool
	}{
		// One of the 24 orders of four is the same, and 3 more have one pair reversed.
		{"the same", []float64{1, 2, 3, 4}, []float64{5, 6, 7, 8}, 1, 1.0 / 24, 6, 0, 0, true},
		{"one pair", []float64{1, 2, 3, 4}, []float64{5, 6, 8, 7}, 4.0 / 6, 4.0 / 24, 5, 1, 0, false},
		{"reversed", []float64{1, 2, 3}, []float64{3, 2, 1}, -1, 1, 0, 3, 0, false},
		// (5 - 0) / sqrt((6 - 1) * 6); S is 5 and its variance (156 - 18) / 18, which is
		// 0.074 where 2 of 24 orders, 0.083, agree as well.
		{"a tie", []float64{1, 1, 2, 3}, []float64{1, 2, 3, 4}, 5 / math.Sqrt(30), math.Erfc(4/math.Sqrt(2*138.0/18)) / 2, 5, 0, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := kendall("m", c.a, c.b)
			if got.Same != c.same || got.Reversed != c.reversed || got.Ties != c.ties || got.Holds != c.holds {
				t.Errorf("kendall(%v, %v) = %+v, want %d same, %d reversed, %d ties, holds %t", c.a, c.b, got, c.same, c.reversed, c.ties, c.holds)
			}
			if got.Tau == nil || math.Abs(*got.Tau-c.tau) > 1e-12 || math.Abs(*got.Chance-c.chance) > 1e-12 {
				t.Errorf("tau %v, chance %v, want %v and %v", got.Tau, got.Chance, c.tau, c.chance)
			}
		})
	}
	for _, few := range [][]float64{nil, {1}, {2, 2, 2}} {
		if got := kendall("m", few, few); got.Tau != nil || got.Holds {
			t.Errorf("kendall(%v) = %+v, want no tau", few, got)
		}
	}
}

// TestKendallChance draws random orders: with and without ties about as many agree
// as chance says.
func TestKendallChance(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 1))
	for _, levels := range []int{0, 4} {
		a, b := make([]float64, 10), make([]float64, 10)
		for i := range a {
			a[i], b[i] = float64(i), float64(i)
			if levels > 0 {
				a[i], b[i] = float64(i%levels), float64(i%levels)
			}
		}
		const draws = 4000
		holds := 0
		for range draws {
			rng.Shuffle(len(b), func(i, k int) { b[i], b[k] = b[k], b[i] })
			if kendall("m", a, b).Holds {
				holds++
			}
		}
		// 5 % at most where the distribution is exact, and near it by the normal one; below
		// by its steps. Four deviations of the draws are 1.4 %.
		if share := float64(holds) / draws; share > 0.065 || share < 0.02 {
			t.Errorf("with %d levels %.3f of random orders hold, want about %.2f", levels, share, mostChance)
		}
	}
	if got := byChance(5, 10); math.Abs(got-1) > 1e-12 {
		t.Errorf("byChance(5, 10) = %v, want 1", got)
	}
}
