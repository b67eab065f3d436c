package optimizer

import (
	"math"
	"slices"
	"testing"

	"apollo/optimizer/space"
)

// spheres are m squared distances from corners of a grid.
func spheres(p space.Point, m int) []float64 {
	out := make([]float64, m)
	for k := range out {
		for i, level := range p {
			want := 0
			if i%m == k {
				want = 7
			}
			out[k] += float64((level - want) * (level - want))
		}
	}
	return out
}

// With three objectives a model changes one parameter of an earlier design; with
// two it looks everywhere.
func TestThreeObjectivesAreSearchedNearTheFront(t *testing.T) {
	t.Parallel()
	for m := 2; m <= 4; m++ {
		s, err := GP{Breed: -1}.Start(Problem{Space: grid(t, 6, 8), Objectives: m, Seed: 3})
		if err != nil {
			t.Fatal(err)
		}
		var told []space.Point
		leaps := 0
		for trial := range 30 {
			proposals, err := s.Ask(uint64(trial), 1, nil)
			if err != nil {
				t.Fatal(err)
			}
			p := proposals[0].Point
			if trial >= 10 && !besideOne(p, told) {
				leaps++
			}
			told = append(told, p)
			s.Tell(Observation{Point: p, Values: spheres(p, m), Trial: trial, Origin: proposals[0].Origin})
		}
		if near := m > 2; near && leaps > 0 || !near && leaps == 0 {
			t.Errorf("%d objectives: %d of 20 designs differ in several parameters from all before", m, leaps)
		}
	}
}

func besideOne(p space.Point, told []space.Point) bool {
	for _, q := range told {
		differ := 0
		for i := range p {
			if p[i] != q[i] {
				differ++
			}
		}
		if differ == 1 {
			return true
		}
	}
	return false
}

// Designs of sources are not what the space is covered with.
func TestSourcesDoNotCoverTheSpaceOfSeveralObjectives(t *testing.T) {
	t.Parallel()
	s, err := GP{}.Start(Problem{Space: grid(t, 6, 8), Objectives: 2, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 12 {
		p := space.Point{i % 8, i / 8, 1, 2, 3, 4}
		s.Tell(Observation{Point: p, Values: spheres(p, 2), Trial: i, Origin: "seed:other"})
	}
	proposals, err := s.Ask(12, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := proposals[0].Origin; got != centerOrigin {
		t.Errorf("after designs of sources alone the origin is %q, want %q", got, centerOrigin)
	}
}

// A penalty is no label of any objective, and a model of its own learns where it lies.
func TestPenaltiesOfSeveralObjectivesAreNoLabels(t *testing.T) {
	t.Parallel()
	s := newMultiObjectiveGP(Problem{Space: grid(t, 6, 8), Objectives: 3, Seed: 3}, GP{}.withDefaults())
	for i := range 20 {
		p := space.Point{i % 8, i / 8, i % 3, i % 5, 3, 4}
		o := Observation{Point: p, Values: spheres(p, 3), Trial: i}
		if i%5 == 0 {
			o.Values = []float64{o.Values[0], 1e6, o.Values[2]}
		}
		s.Tell(o)
	}
	order := constrainedRank(s.records)
	g, err := s.hypervolumeGain(order, 1)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(g.models[0].labels); got != 16 {
		t.Errorf("the models learn from %d designs, want the 16 without a penalty", got)
	}
	all, err := s.classifier(order, 0)
	if err != nil || len(all) != 1 {
		t.Errorf("%d models of feasibility, %v; want the one of penalties", len(all), err)
	}
}

// Volumes are of values: places differ from them by a factor and an offset, and no
// place is below that of 0 where no value is. By ranks, a search of DTLZ2 gained
// most where it had measured most, and tried one end of the front for thirty trials.
func TestPlacesAreValues(t *testing.T) {
	t.Parallel()
	for name, values := range map[string][]float64{
		"positive": {1, 2, 4, 9, 30}, "even": {1, 2, 3, 4, 5}, "zero": {0, 1e-17, 1.04, 1.05, 1.06, 1.07, 1.08},
		"wild": {0, 1, 2, 5, 1e6}, "both signs": {-3, 0, 1, 1.5, 40}, "negative": {-9, -8, -1, -0.5}, "equal": {2, 2, 2},
	} {
		labels, s := scaled(values)
		first, last := s.place(labels[0]), s.place(labels[len(labels)-1])
		unit := 1.0 // a place for each of value
		if values[0] != values[len(values)-1] {
			unit = (last - first) / (values[len(values)-1] - values[0])
		}
		for i, v := range values {
			if got, want := s.of(v), s.place(labels[i]); math.Abs(got-want) > 1e-9*(last-first) {
				t.Errorf("%s: %v has the place %v, want %v", name, v, got, want)
			}
			if got, want := s.place(labels[i])-first, unit*(v-values[0]); math.Abs(got-want) > 1e-9*(last-first) {
				t.Errorf("%s: %v lies %v behind %v, want %v", name, v, got, values[0], want)
			}
		}
		if zero := first - unit*values[0]; values[0] < 0 && !math.IsInf(s.least, -1) || values[0] >= 0 && values[0] != values[len(values)-1] && math.Abs(s.least-zero) > 1e-9*(last-first) {
			t.Errorf("%s: no place is below %v, want %v", name, s.least, zero)
		}
	}
}

// beginning is a search that was told some designs of a grid of six parameters.
func beginning(t *testing.T, reference []float64, measure func(space.Point) []float64) (*multiObjectiveGP, *hypervolumeGain) {
	t.Helper()
	m := len(measure(make(space.Point, 6)))
	s := newMultiObjectiveGP(Problem{Space: grid(t, 6, 8), Objectives: m, Reference: reference, Seed: 3}, GP{}.withDefaults())
	for i := range 20 {
		p := space.Point{i % 3, i / 8, i % 4, i % 5, 3, 4}
		s.Tell(Observation{Point: p, Values: measure(p), Trial: i})
	}
	g, err := s.hypervolumeGain(constrainedRank(s.records), 1)
	if err != nil {
		t.Fatal(err)
	}
	return s, g
}

// Designs are worth what they add up to the reference that a study states, not up to one
// that the search makes of its front.
func TestStatedReference(t *testing.T) {
	t.Parallel()
	open := math.NaN()
	for _, c := range []struct {
		name       string
		objectives int
		stated     []float64
		taken      []bool // the reference is the stated one
	}{
		{"three, far", 3, []float64{1000, 1000, 1000}, []bool{true, true, true}},
		{"three, one of them", 3, []float64{open, 1000, open}, []bool{false, true, false}},
		{"three, out of reach", 3, []float64{-1, -1, -1}, []bool{false, false, false}},
		{"two, far", 2, []float64{1000, 1000}, []bool{false, false}},
		{"two, near", 2, []float64{100, 90}, []bool{true, true}},
		{"two, out of reach", 2, []float64{-1, 90}, []bool{false, false}},
	} {
		measure := func(p space.Point) []float64 { return spheres(p, c.objectives) }
		_, own := beginning(t, nil, measure)
		_, g := beginning(t, c.stated, measure)
		for k, v := range c.stated {
			if got, want := g.reference[k], g.scales[k].of(v); (got == want) != c.taken[k] {
				t.Errorf("%s: the reference of objective %d is at %v, the stated one at %v, the search's own at %v", c.name, k, got, want, own.reference[k])
			}
			if !slices.ContainsFunc(g.front, func(y []float64) bool { return y[k] < g.reference[k] }) {
				t.Errorf("%s: no design of the front is better than the reference %v of objective %d", c.name, g.reference[k], k)
			}
		}
	}
}

// Where the models see an end of the front beyond all that was measured, there is
// something to gain. By a reference behind the front so far, parts of a front that lie
// apart were left out.
func TestReferenceFollowsPredictedEnds(t *testing.T) {
	t.Parallel()
	// Only the first parameter, of which the lowest three of eight levels were tried,
	// trades one objective for the others; one bad design shows that there is more.
	measure := func(p space.Point) []float64 {
		x, rest := float64(p[0]), 0.0
		for _, level := range p[1:] {
			rest += float64(level)
		}
		return []float64{10 + x + rest, 30 - x + rest, 30 - 2*x + rest}
	}
	s, _ := beginning(t, nil, measure)
	s.Tell(Observation{Point: space.Point{7, 7, 7, 7, 7, 7}, Values: []float64{60, 60, 60}, Trial: 20})
	g, err := s.hypervolumeGain(constrainedRank(s.records), 1)
	if err != nil {
		t.Fatal(err)
	}
	before := slices.Clone(g.reference)
	var x []float64
	for level := range 8 {
		x = s.encoder.Append(x, space.Point{level, 0, 0, 0, 3, 4})
	}
	fixed, follows := make([]float64, 8), make([]float64, 8)
	g.follows = false
	g.score(x, fixed)
	g.follows = true
	g.score(x, follows)
	if !(g.reference[0] > before[0]) {
		t.Errorf("the reference of the first objective stays at %v", before[0])
	}
	if !(follows[7] > fixed[7]+1) {
		t.Errorf("the end of the front scores %v, and %v where the reference stays", follows[7], fixed[7])
	}
}

// With two objectives what lies beyond the end of a front, by less than its range, is worth
// its volume. By a reference just behind the front searches stayed between the ends that
// they had met first.
func TestEndsOfTwoObjectivesAreWorthGoingTo(t *testing.T) {
	t.Parallel()
	s := newMultiObjectiveGP(Problem{Space: grid(t, 1, 21), Objectives: 2, Seed: 1}, GP{}.withDefaults())
	for level := 8; level <= 12; level++ {
		s.Tell(Observation{Point: space.Point{level}, Values: []float64{float64(level), float64(20 - level)}, Trial: level - 8})
	}
	g, err := s.hypervolumeGain(constrainedRank(s.records), 1)
	if err != nil {
		t.Fatal(err)
	}
	score := make([]float64, 1)
	g.score(s.encoder.Append(nil, space.Point{6}), score)
	// A range behind the front the reference is at 16.
	want := (8 - 6) * g.scales[0].unit * (16 - 14) * g.scales[1].unit
	if got := math.Exp(score[0]); !(got > want/2) {
		t.Errorf("a design beyond the end of the front gains %v, want about %v", got, want)
	}
}
