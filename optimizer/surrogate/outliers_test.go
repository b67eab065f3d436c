package surrogate

import (
	"math"
	"slices"
	"testing"
)

func TestOutlierLimit(t *testing.T) {
	t.Parallel()
	inf := math.Inf(1)
	for _, c := range []struct {
		name   string
		labels []float64
		want   float64
	}{
		{"none", nil, inf},
		{"one", []float64{3}, inf},
		{"a constant", []float64{3, 3, 3}, inf},
		{"an ordinary landscape", []float64{1, 1.2, 3, 9, 40}, inf},
		{"wide, but even", []float64{1, 10, 100, 1e3, 1e4, 1e5}, inf},
		{"a penalty", []float64{3600, 1, 1.2, 3, 3600}, 3600},
		{"a penalty not far off", []float64{150, 3600, 160, 290, 3600}, 3600},
		{"two equal ones", []float64{150, 160, 290, 400, 400}, inf},
		{"a penalty close by", []float64{150, 160, 290, 400, 300, 400, 400}, 400},
		{"a penalty close by, of both signs", []float64{-1, 1, 2, 4, 4, 4}, 4},
		{"a landscape of few values", []float64{1, 2, 2, 3, 3, 4, 4, 4}, inf},
		{"a tie at the best", []float64{1, 1, 1, 1, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9}, 9},
		{"one outlier", []float64{1, 1.2, 3, 1e6}, 1e6},
		{"outliers of a landscape", []float64{1, 1.2, 3, 2, 1e6, 3e6}, 1e6},
		{"a gap within the range of the better", []float64{1, 9, 80, 90, 2000}, inf},
		{"most are penalties", []float64{1, 1.5, 1e12, 1e12, 1e12, 1e12}, 1e12},
		{"a lucky design is no landscape", []float64{1, 1000, 1010, 1200, 1300}, inf},
		{"two plateaus", []float64{1, 2, 3600, 3600, 1e12, 1e12}, 3600},
		{"rewards and none", []float64{-5, -4, -3, 0, 0}, 0},
		{"rewards and a millionth", []float64{-5, -4, -3, -5e-6, -3e-6}, -5e-6},
		{"rewards, none and less", []float64{-5, -4, -3, 0, 0, 1, 1}, 0},
		{"rewards and a little noise", []float64{-5, -4, -3, -1e-3, 2e-3, 4e-3}, -1e-3},
		{"rewards and losses", []float64{-5, -4, -3, -1, 1, 2}, inf},
		{"rewards and two losses", []float64{-5, -4, -3, 1, 1}, inf},
		{"both signs", []float64{-2, -1, 1, 2, 1e12}, 1e12},
		{"both signs, ordinary", []float64{-2, -1, 1, 2, 30}, inf},
		{"both signs, at first", []float64{-1, 5, 5}, inf},
		{"from 0", []float64{0, 1, 2, 3, 1e9, 1e9}, 1e9},
		{"the largest numbers", []float64{-math.MaxFloat64, 0, 1, math.MaxFloat64}, inf},
		{"the best far off", []float64{-1e300, 1, 2, 3, 4}, inf},
	} {
		if got := OutlierLimit(c.labels); got != c.want {
			t.Errorf("%s: the limit of %v is %v, want %v", c.name, c.labels, got, c.want)
		}
	}
}

// Ties are no outliers of a gap; what lies behind one that is wide is.
func TestGapLimit(t *testing.T) {
	t.Parallel()
	inf := math.Inf(1)
	for _, c := range []struct {
		name   string
		labels []float64
		want   float64
	}{
		{"a number of chips", []float64{1, 2, 4, 8, 8, 8, 8, 8}, inf},
		{"a plateau not far off", []float64{150, 3600, 160, 290, 3600}, inf},
		{"an end far off", []float64{1, 1.2, 2, 3, 75}, inf},
		{"a penalty far off", []float64{1, 1.2, 2, 3, 75, 75}, 75},
		{"a reward that is nearly none", []float64{-5, -4, -3, -0.1}, inf},
		{"an end of both signs", []float64{-2, -1, 1, 2, 1e3}, inf},
		{"a penalty of both signs", []float64{-2, -1, 1, 2, 1e3, 1e3}, 1e3},
		{"both, and a penalty", []float64{1, 2, 8, 8, 8, 8, 1e9}, 1e9},
		{"most are penalties", []float64{1, 1.5, 1e12, 1e12, 1e12, 1e12}, 1e12},
		{"one in both signs", []float64{-2, -1, 1, 2, 1e12}, 1e12},
		{"wide, but even", []float64{1, 10, 100, 1e3, 1e4, 1e5}, inf},
		{"from a zero but for rounding", []float64{6e-17, 0.3, 0.9, 1, 1e9}, 1e9},
	} {
		if got := GapLimit(c.labels); got != c.want {
			t.Errorf("%s: the limit of %v is %v, want %v", c.name, c.labels, got, c.want)
		}
	}
}

func TestDrawIn(t *testing.T) {
	t.Parallel()
	ordinary := []float64{1, 2, 3, 4, 5, 1e9}
	if got := DrawIn(ordinary); !slices.Equal(got, ordinary) {
		t.Errorf("DrawIn(%v) = %v", ordinary, got)
	}
	for _, same := range [][]float64{nil, {2}, {2, 2, -1e9}} {
		if got := DrawIn(same); !slices.Equal(got, same) {
			t.Errorf("DrawIn(%v) = %v", same, got)
		}
	}
	// Median 3, third quartile of the distances 2: -1e9 is 1e9+3 away, of which 20
	// are left.
	got := DrawIn([]float64{-1e9, 2, 3, 4, 5, 6})
	near(t, "DrawIn", got[0], 3-20*(1+math.Log((1e9+3)/20)), 1e-9)
	if !slices.Equal(got[1:], []float64{2, 3, 4, 5, 6}) {
		t.Errorf("the others become %v", got[1:])
	}
}
