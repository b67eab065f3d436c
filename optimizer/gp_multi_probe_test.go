package optimizer

import (
	"slices"
	"testing"

	"apollo/optimizer/space"
)

// front is a search of which designs at these levels of the first of two parameters are
// the front of three objectives.
func front(t *testing.T, levels ...int) *multiObjectiveGP {
	t.Helper()
	params := []space.Param{{Name: "along"}, {Name: "other"}}
	for level := range 21 {
		for i := range params {
			params[i].Values = append(params[i].Values, float64(level))
		}
	}
	sp, err := space.New(params...)
	if err != nil {
		t.Fatal(err)
	}
	s := newMultiObjectiveGP(Problem{Space: sp, Objectives: 3}, GP{}.withDefaults())
	for i, level := range levels {
		v := float64(level)
		s.Tell(Observation{Point: space.Point{level, 3}, Values: []float64{v, 20 - v, 1}, Trial: i, Origin: "gp"})
	}
	return s
}

func TestProbesAreFarFromTheFront(t *testing.T) {
	s := front(t, 0, 1, 2, 3)
	order := constrainedRank(s.records)
	lowest := 21
	for _, p := range s.gaps(order) {
		if p[1] != 3 {
			t.Fatalf("%v: the front does not run along the second parameter", p)
		}
		lowest = min(lowest, p[0])
	}
	if lowest != 7 {
		t.Errorf("the gap begins at level %d, want 7: a sixth of the levels from 3", lowest)
	}
	// A design that is known, though it is not on the front, closes the gap about it.
	s.Tell(Observation{Point: space.Point{12, 3}, Values: []float64{12, 21, 2}, Trial: 4, Origin: "gp/probe"})
	for _, p := range s.gaps(constrainedRank(s.records)) {
		if max(p[0]-12, 12-p[0]) < 4 {
			t.Errorf("%v is near a known design", p)
		}
	}
	if got := front(t, 0, 1).gaps([]int{0, 1}); got != nil {
		t.Errorf("%v: too few designs say along what the front runs", got)
	}
}

// Where all designs that lie in gaps are few, all are probed.
func TestAllGapsAreProbed(t *testing.T) {
	for _, known := range [][]int{{0, 1, 2}, {3, 9, 18}, {18, 19, 20}, {0, 10, 20}} {
		s := front(t, known...)
		var got, want []int
		for _, p := range s.gaps(constrainedRank(s.records)) {
			got = append(got, p[0])
		}
		for level := range 21 {
			if !slices.ContainsFunc(known, func(other int) bool { return gapShare*max(level-other, other-level) < 21 }) {
				want = append(want, level, level, level) // of three designs
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("levels %v are known: probed are %v, want %v", known, got, want)
		}
	}
}

// However many levels there are, few designs are scored for a probe: some at each end of
// each gap and between them.
func TestProbesOfManyLevelsAreFew(t *testing.T) {
	const n = 40_000
	values := make([]float64, n)
	for level := range values {
		values[level] = float64(level)
	}
	sp, err := space.New(space.Param{Name: "a", Values: values}, space.Param{Name: "b", Values: values}, space.Param{Name: "c", Values: values})
	if err != nil {
		t.Fatal(err)
	}
	s := newMultiObjectiveGP(Problem{Space: sp, Objectives: 3}, GP{}.withDefaults())
	for i := range 100 {
		p := space.Point{15_000 + i, 100 + i%40, i}
		s.Tell(Observation{Point: p, Values: []float64{float64(i), 100 - float64(i), 1}, Trial: i, Origin: "gp"})
	}
	got := s.gaps(constrainedRank(s.records))
	if len(got) > probed || len(got) < probed/2 {
		t.Fatalf("%d designs are probed, want at most %d and not much less", len(got), probed)
	}
	var levels []int
	for _, p := range got {
		if p[1] >= 100 && p[1] < 140 && p[2] < 100 {
			levels = append(levels, p[0])
		}
	}
	slices.Sort(levels)
	levels = slices.Compact(levels)
	const reach = n/gapShare + 1
	if len(levels) != probedLevels || levels[0] != 0 || levels[len(levels)-1] != n-1 {
		t.Errorf("levels %v of the first parameter are probed, want %d from the first to the last", levels, probedLevels)
	}
	for _, level := range levels {
		if level > 15_000-reach && level < 15_099+reach {
			t.Errorf("level %d is near the front, which has 15,000 to 15,099", level)
		}
	}
}

func TestProbesComeMoreOftenWhereTheyGain(t *testing.T) {
	for _, c := range []struct {
		third float64
		want  int
	}{{0.1, rareFirst / 2}, {3, 2 * rareFirst}} {
		s := front(t, 0, 2, 4, 6, 8, 10, 11, 12, 13, 14)
		tell := func(origin string, first, third float64) {
			at := len(s.records)
			s.Tell(Observation{Point: space.Point{at, 5}, Values: []float64{first, 20 - first, third}, Trial: at, Origin: origin})
		}
		tell("gp", 15, 1)
		tell("gp/probe", 7, c.third)
		g, err := s.hypervolumeGain(constrainedRank(s.records), 1)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.interval(g); got != c.want {
			t.Errorf("after a probe of third objective %v there is one in %d proposals, want %d", c.third, got, c.want)
		}
	}
}
