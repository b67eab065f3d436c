package optimizer

import (
	"fmt"
	"slices"
	"testing"

	"apollo/optimizer/space"
)

// The first ten points in three dimensions as the authors of the direction
// numbers print them (Joe and Kuo, "Notes on generating Sobol sequences",
// 2008), in the order of the Gray code.
func TestSobolMatchesJoeAndKuo(t *testing.T) {
	t.Parallel()
	want := [][3]float64{
		{0, 0, 0},
		{0.5, 0.5, 0.5},
		{0.75, 0.25, 0.25},
		{0.25, 0.75, 0.75},
		{0.375, 0.375, 0.625},
		{0.875, 0.875, 0.125},
		{0.625, 0.125, 0.875},
		{0.125, 0.625, 0.375},
		{0.1875, 0.3125, 0.9375},
		{0.6875, 0.8125, 0.4375},
	}
	matrix := sobolMatrix(3)
	for i, point := range want {
		for d, v := range point {
			if got := float64(sobolBits(matrix[d], uint32(i^i>>1))) / (1 << 32); got != v {
				t.Errorf("point %d, dimension %d is %v, want %v", i, d+1, got, v)
			}
		}
	}
}

// Every prefix of 2^k points has one point in each of 2^k equal intervals of
// every dimension, scrambled or not, and one in each elementary rectangle of
// the first two: a (0,1)- and a (0,2)-sequence.
func TestSobolIsStratified(t *testing.T) {
	t.Parallel()
	matrix := sobolMatrix(41)
	for _, seed := range []uint32{1, 0xdeadbeef} {
		const k = 8
		for d := range matrix {
			var cells []uint32
			for i := range uint32(1 << k) {
				cells = append(cells, owen(sobolBits(matrix[d], i), seed*uint32(d+1))>>(32-k))
			}
			slices.Sort(cells)
			if got := len(slices.Compact(cells)); got != 1<<k {
				t.Errorf("dimension %d: %d points in %d intervals, want one each", d+1, 1<<k, got)
			}
		}
		for split := range k + 1 {
			seen := map[[2]uint32]bool{}
			for i := range uint32(1 << k) {
				x, y := owen(sobolBits(matrix[0], i), seed), owen(sobolBits(matrix[1], i), seed+7)
				seen[[2]uint32{uint32(uint64(x) >> (32 - split)), uint32(uint64(y) >> (32 - k + split))}] = true
			}
			if len(seen) != 1<<k {
				t.Errorf("%d points are in %d rectangles of 2^-%d by 2^-%d", 1<<k, len(seen), split, k-split)
			}
		}
	}
}

// A lattice whose counts are powers of two is covered evenly from the start.
func TestSobolCoversTheLattice(t *testing.T) {
	t.Parallel()
	s := numeric(t, 8, 8, 8)
	got, err := start(t, Sobol{}, Problem{Space: s, Seed: 3}).Ask(0, 8, nil)
	if err != nil {
		t.Fatal(err)
	}
	for param := range 3 {
		var levels []int
		for _, p := range got {
			levels = append(levels, p.Point[param])
		}
		slices.Sort(levels)
		if !slices.Equal(levels, []int{0, 1, 2, 3, 4, 5, 6, 7}) {
			t.Errorf("parameter %d has the levels %v in 8 points, want each once", param, levels)
		}
	}
	one, _ := start(t, Sobol{}, Problem{Space: s, Seed: 4}).Ask(0, 8, nil)
	if slices.EqualFunc(one, got, func(a, b Proposal) bool { return slices.Equal(a.Point, b.Point) }) {
		t.Error("two seeds give the same points")
	}
}

// Where legal points are too rare for the sequence, random search takes over.
func TestSobolEnds(t *testing.T) {
	t.Parallel()
	s := numeric(t, 200, 200, 50)
	needle := func(p space.Point) bool { return p[0] == 123 && p[1] == 45 && p[2] == 6 }
	got, err := start(t, Sobol{}, Problem{Space: s, Legal: needle}).Ask(0, 3, nil)
	if err != nil || len(got) != 1 {
		t.Fatalf("Ask = %v, %v, want the one legal point", got, err)
	}
}

// numeric is a lattice of ordinal parameters with the given numbers of levels.
func numeric(t testing.TB, counts ...int) space.Space {
	t.Helper()
	var params []space.Param
	for i, n := range counts {
		p := space.Param{Name: fmt.Sprint("p", i)}
		for level := range n {
			p.Values = append(p.Values, float64(level))
		}
		params = append(params, p)
	}
	s, err := space.New(params...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
