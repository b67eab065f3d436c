package transfer

import (
	"slices"
	"testing"
)

// With one objective the best come first, with several the ends of the front
// before its middle, and what is dominated last.
func TestBestFirst(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		points [][]float64
		want   []int
	}{
		{nil, nil},
		{[][]float64{{3}, {1}, {2}, {1}}, []int{1, 3, 2, 0}},
		{[][]float64{{9, 9}, {0, 10}, {1, 6}, {4, 2}, {10, 0}}, []int{1, 4, 3, 2, 0}},
	} {
		var picks []*pick
		for _, p := range c.points {
			picks = append(picks, &pick{objectives: p})
		}
		var got []int
		for _, p := range bestFirst(slices.Clone(picks)) {
			got = append(got, slices.Index(picks, p))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("bestFirst(%v) = %v, want %v", c.points, got, c.want)
		}
	}
}
