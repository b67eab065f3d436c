package pareto_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"apollo/optimizer/pareto"
)

// grid draws points of few levels, so that equal values and equal points occur.
func grid(rng *rand.Rand, n, objectives, levels int) [][]float64 {
	points := make([][]float64, n)
	for i := range points {
		for range objectives {
			points[i] = append(points[i], float64(rng.IntN(levels)))
		}
	}
	return points
}

// sphere draws mutually non-dominated points: on the part of the unit sphere
// where all coordinates are positive.
func sphere(rng *rand.Rand, n, objectives int) [][]float64 {
	points := make([][]float64, n)
	for i := range points {
		length := 0.0
		for range objectives {
			x := math.Abs(rng.NormFloat64())
			points[i] = append(points[i], x)
			length += x * x
		}
		for k := range points[i] {
			points[i][k] = 1 - points[i][k]/math.Sqrt(length)
		}
	}
	return points
}

// The definition: peel off what nothing left dominates.
func TestSortIsPeeling(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		points := grid(rng, rng.IntN(40), 1+rng.IntN(4), 2+rng.IntN(8))
		var want [][]int
		left := map[int]bool{}
		for i := range points {
			left[i] = true
		}
		for len(left) > 0 {
			var front []int
			for i := range points {
				beaten := false
				for j := range points {
					beaten = beaten || left[j] && pareto.Dominates(points[j], points[i])
				}
				if left[i] && !beaten {
					front = append(front, i)
				}
			}
			for _, i := range front {
				delete(left, i)
			}
			want = append(want, front)
		}
		if diff := cmp.Diff(want, pareto.Sort(points)); diff != "" {
			t.Fatalf("Sort(%v) (-want +got):\n%s", points, diff)
		}
	}
}

func TestFrontKeepsTheFirstOfEquals(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(2, 2))
	for range 300 {
		points := grid(rng, rng.IntN(40), 1+rng.IntN(4), 2+rng.IntN(6))
		var want []int
		for i, p := range points {
			in := true
			for j, q := range points {
				in = in && !pareto.Dominates(q, p) && (j >= i || !slices.Equal(p, q))
			}
			if in {
				want = append(want, i)
			}
		}
		if diff := cmp.Diff(want, pareto.Front(points)); diff != "" {
			t.Fatalf("Front(%v) (-want +got):\n%s", points, diff)
		}
	}
}

func TestCrowding(t *testing.T) {
	t.Parallel()
	inf := math.Inf(1)
	for _, c := range []struct {
		name   string
		points [][]float64
		want   []float64
	}{
		{"none", nil, []float64{}},
		{"one", [][]float64{{1, 2}}, []float64{inf}},
		{"two", [][]float64{{1, 2}, {2, 1}}, []float64{inf, inf}},
		// (4−0)/10 + (10−2)/10 and (10−1)/10 + (6−0)/10.
		{"four", [][]float64{{0, 10}, {1, 6}, {4, 2}, {10, 0}}, []float64{inf, 1.2, 1.5, inf}},
		{"one objective is constant", [][]float64{{0, 5}, {1, 5}, {4, 5}}, []float64{inf, 1, inf}},
		{"the range overflows", [][]float64{{-math.MaxFloat64, 1}, {0, 0.5}, {math.MaxFloat64, 0}}, []float64{inf, 2, inf}},
	} {
		front := make([]int, len(c.points))
		for i := range front {
			front[i] = i
		}
		oneRounding := cmpopts.EquateApprox(1e-15, 0)
		if diff := cmp.Diff(c.want, pareto.Crowding(c.points, front), oneRounding); diff != "" {
			t.Errorf("%s: Crowding() (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestRankPrefersFrontsThenSpace(t *testing.T) {
	t.Parallel()
	points := [][]float64{{9, 9}, {0, 10}, {1, 6}, {4, 2}, {10, 0}, {1, 11}}
	if got, want := pareto.Rank(points), []int{1, 4, 3, 2, 0, 5}; !slices.Equal(got, want) {
		t.Errorf("Rank() = %v, want %v", got, want)
	}
	if got, want := pareto.Nadir(points), []float64{10, 11}; !slices.Equal(got, want) {
		t.Errorf("Nadir() = %v, want %v", got, want)
	}
}

// inclusionExclusion is the volume of a union of boxes by the sum over all
// subsets: independent of the sweeps, and exact on small whole numbers.
func inclusionExclusion(points [][]float64, reference []float64) (sum float64) {
	for subset := 1; subset < 1<<len(points); subset++ {
		corner, sign := make([]float64, len(reference)), -1.0
		for k := range corner {
			corner[k] = math.Inf(-1)
		}
		for i, p := range points {
			if subset>>i&1 == 0 {
				continue
			}
			sign = -sign
			for k, x := range p {
				corner[k] = max(corner[k], x)
			}
		}
		box := sign
		for k, x := range corner {
			box *= max(0, reference[k]-x)
		}
		sum += box
	}
	return sum
}

func TestHypervolumeIsInclusionExclusion(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 3))
	for objectives := 1; objectives <= pareto.MaxObjectives; objectives++ {
		for range 200 {
			points := grid(rng, rng.IntN(10), objectives, 3+rng.IntN(7))
			reference := make([]float64, objectives)
			for k := range reference {
				reference[k] = float64(2 + rng.IntN(7))
			}
			if got, want := pareto.Hypervolume(points, reference), inclusionExclusion(points, reference); got != want {
				t.Fatalf("Hypervolume(%v, %v) = %v, want %v", points, reference, got, want)
			}
		}
	}
}

// Values computed by hand.
func TestHypervolumeByHand(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		points    [][]float64
		reference []float64
		want      float64
	}{
		{[][]float64{{3}, {1}, {2}}, []float64{4}, 3},
		{[][]float64{{1, 3}, {2, 2}, {3, 1}}, []float64{4, 4}, 6},
		{[][]float64{{1, 3}, {4, 0}, {5, -1}, {math.NaN(), 0}}, []float64{4, 4}, 3},
		{[][]float64{{0, 1, 1}, {1, 0, 1}, {1, 1, 0}}, []float64{2, 2, 2}, 4},
		{[][]float64{{0, 1, 1, 1}, {1, 0, 1, 1}, {1, 1, 0, 1}, {1, 1, 1, 0}}, []float64{2, 2, 2, 2}, 5},
		{nil, []float64{1, 1}, 0},
	} {
		if got := pareto.Hypervolume(c.points, c.reference); got != c.want {
			t.Errorf("Hypervolume(%v, %v) = %v, want %v", c.points, c.reference, got, c.want)
		}
	}
}

// On large fronts the exact volume lies within six standard errors of a
// sampled one, and the growing front's contributions add up to it.
func TestHypervolumeOfLargeFronts(t *testing.T) {
	t.Parallel()
	for objectives := 2; objectives <= pareto.MaxObjectives; objectives++ {
		t.Run(strconv.Itoa(objectives), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(4, uint64(objectives)))
			points := sphere(rng, 150, objectives)
			reference := slices.Repeat([]float64{1}, objectives)
			got := pareto.Hypervolume(points, reference)
			const draws = 20_000
			hits := 0
			for range draws {
				at := make([]float64, objectives)
				for k := range at {
					at[k] = rng.Float64()
				}
				if slices.ContainsFunc(points, func(p []float64) bool { return pareto.Dominates(p, at) }) {
					hits++
				}
			}
			share := float64(hits) / draws
			if limit := 6 * math.Sqrt(share*(1-share)/draws); math.Abs(got-share) > limit {
				t.Errorf("Hypervolume() = %v, sampled %v +- %v", got, share, limit)
			}
			sum := 0.0
			for i, p := range points {
				sum += pareto.Contribution(p, points[:i], reference)
			}
			if math.Abs(sum-got) > 1e-12 { // 150 sums of values below 1
				t.Errorf("the contributions add up to %v, the hypervolume is %v", sum, got)
			}
		})
	}
}

func TestContribution(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 5))
	for range 500 {
		objectives := 1 + rng.IntN(4)
		points := grid(rng, 1+rng.IntN(12), objectives, 6)
		reference := slices.Repeat([]float64{5}, objectives)
		p, rest := points[0], points[1:]
		want := pareto.Hypervolume(points, reference) - pareto.Hypervolume(rest, reference)
		if got := pareto.Contribution(p, rest, reference); got != want {
			t.Fatalf("Contribution(%v, %v) = %v, want %v", p, rest, got, want)
		}
	}
}

func TestHypervolumeOverflows(t *testing.T) {
	t.Parallel()
	const huge = math.MaxFloat64
	for objectives := 1; objectives <= pareto.MaxObjectives; objectives++ {
		points := [][]float64{slices.Repeat([]float64{-huge}, objectives), slices.Repeat([]float64{-huge}, objectives)}
		points[1][0] = huge / 2
		reference := slices.Repeat([]float64{huge}, objectives)
		if got := pareto.Hypervolume(points, reference); !math.IsInf(got, 1) {
			t.Errorf("Hypervolume() of %d objectives = %v, want +Inf", objectives, got)
		}
		if got := pareto.Contribution(points[0], points[1:], reference); !math.IsInf(got, 1) {
			t.Errorf("Contribution() of %d objectives = %v, want +Inf", objectives, got)
		}
	}
}

func TestHypervolumeRefusesFiveObjectives(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("Hypervolume() of five objectives did not panic")
		}
	}()
	pareto.Hypervolume([][]float64{{0, 0, 0, 0, 0}}, []float64{1, 1, 1, 1, 1})
}

func BenchmarkHypervolume(b *testing.B) {
	for _, objectives := range []int{2, 3, 4} {
		b.Run(strconv.Itoa(objectives), func(b *testing.B) {
			points := sphere(rand.New(rand.NewPCG(6, 6)), 1000, objectives)
			reference := slices.Repeat([]float64{1}, objectives)
			for b.Loop() {
				pareto.Hypervolume(points, reference)
			}
		})
	}
}

func BenchmarkSort(b *testing.B) {
	for _, objectives := range []int{2, 3, 4} {
		b.Run(strconv.Itoa(objectives), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(7, 7))
			points := make([][]float64, 5000)
			for i := range points {
				for range objectives {
					points[i] = append(points[i], rng.Float64())
				}
			}
			for b.Loop() {
				pareto.Sort(points)
			}
		})
	}
}
