package optimizer

import (
	"slices"
	"testing"

	"apollo/optimizer/space"
)

// Beyond Limit trials a model takes the best ones and those that are nearest to the
// best, half of Limit in all, and which these are does not change with later trials.
func TestModelsOfLongStudiesAreLocal(t *testing.T) {
	t.Parallel()
	var p space.Param
	p.Name = "x"
	for level := range 101 {
		p.Values = append(p.Values, float64(level))
	}
	s, err := space.New(p)
	if err != nil {
		t.Fatal(err)
	}
	started, err := GP{Limit: 20}.Start(Problem{Space: s})
	if err != nil {
		t.Fatal(err)
	}
	g := started.(*gp)
	// The best is at 30; all others are the better the farther they are from it.
	tell := func(trial, level int) {
		value := 200 - float64(max(level-30, 30-level))
		if level == 30 {
			value = 1
		}
		g.Tell(Observation{Point: space.Point{level}, Trial: trial, Values: []float64{value}})
	}
	levels := func(rows []int) (at []int) {
		for _, i := range rows {
			at = append(at, g.records[i].point[0])
		}
		slices.Sort(at)
		return at
	}
	for trial := range 60 {
		tell(trial, trial)
	}
	// 30, the farthest four (0, 59, 1, 2), and the nearest five, of 27 and 33 the first.
	want := []int{0, 1, 2, 27, 28, 29, 30, 31, 32, 59}
	if got := levels(g.taken(60, 20, g.wasMeasured)); !slices.Equal(got, want) {
		t.Errorf("a model of the designs %v, want %v: the best and those nearest to 30", got, want)
	}
	for trial := 60; trial < 90; trial++ {
		tell(trial, trial)
	}
	if again := levels(g.taken(60, 20, g.wasMeasured)); !slices.Equal(again, want) {
		t.Errorf("after 30 more trials the model of the first 60 takes %v, before %v", again, want)
	}
	if few := g.taken(20, 20, g.wasMeasured); len(few) != 20 {
		t.Errorf("a model of %d of 20 trials, want all", len(few))
	}
}
