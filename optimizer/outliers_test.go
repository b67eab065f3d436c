package optimizer

import (
	"math"
	"slices"
	"testing"

	"apollo/optimizer/space"
)

// Penalties are none of the labels of the objective, but say where not to look;
// a restart finds the same.
func TestOutliersAreNoLabels(t *testing.T) {
	t.Parallel()
	problem := Problem{Space: grid(t, 3, 8), Seed: 1}
	s := start(t, GP{}, problem).(*gp)
	var log []Observation
	for i := range 24 {
		o := measured(s, at(s, i%8, i/8, i%5))
		if i%8 > 5 {
			o.Values = []float64{3600e6}
		}
		s.Tell(o)
		chances(t, s)
		log = append(log, o)
	}
	keep, label := s.learnValues(len(s.records))
	rows := s.active(len(s.records), 400, keep)
	if len(rows) != 18 {
		t.Fatalf("the model of the objective takes %d records, want the 18 that are no penalties", len(rows))
	}
	if labels := label(rows); slices.Max(labels)-slices.Min(labels) > 5 {
		t.Errorf("labels from %v to %v", slices.Min(labels), slices.Max(labels))
	}
	again := start(t, GP{}, problem).(*gp)
	again.Tell(log...)
	got, want := chances(t, again), chances(t, s)
	if len(want) != 1 || !slices.Equal(got[0], want[0]) {
		t.Errorf("after a restart the chances are %v, before %v; want one model of outliers", got, want)
	}
}

// The best feasible design is in the model, also where those that break a
// constraint are far better.
func TestBestIsNoOutlier(t *testing.T) {
	t.Parallel()
	s := start(t, GP{}, Problem{Space: grid(t, 3, 8), Seed: 1}).(*gp)
	for i := range uint64(9) {
		o := measured(s, 20*i)
		if i < 3 {
			o.Values[0] = 1e9
		} else {
			o.Status, o.Violation = Infeasible, 1
		}
		s.Tell(o)
	}
	if limit := s.outliersFrom(len(s.records)); !math.IsInf(limit, 1) {
		t.Errorf("outliers from %v on, but the best feasible design is 1e9", limit)
	}
}

// A plateau says no more than designs that do not run: the space is covered on.
func TestPlateauIsCovered(t *testing.T) {
	t.Parallel()
	s := start(t, GP{}, Problem{Space: grid(t, 3, 8), Seed: 1}).(*gp)
	told := 0
	ask := func(value float64) int {
		t.Helper()
		got, err := s.Ask(uint64(told), 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		s.Tell(Observation{Point: got[0].Point, Values: []float64{value}, Trial: told, Origin: got[0].Origin})
		told++
		return len(s.values.rows)
	}
	for range 14 {
		// One value alone is no plateau: the second design comes from a model of it.
		if rows := ask(1e12); rows > 1 {
			t.Fatalf("a model of %d records after %d that are all the same", rows, told)
		}
	}
	ask(1)
	ask(2)
	if rows := ask(3); rows != 2 {
		t.Errorf("the model is of %d records, want the two that are no penalties", rows)
	}
}

// No design of the front is an outlier, and with it none that is as good in one
// objective: here the most expensive chips are the fastest.
func TestFrontIsNoOutlier(t *testing.T) {
	t.Parallel()
	s := start(t, GP{}, Problem{Space: grid(t, 3, 8), Seed: 1, Objectives: 2}).(*multiObjectiveGP)
	for i := range uint64(24) {
		chips := []float64{1, 2, 4, 8, 8, 8, 8, 8}[i%8]
		s.Tell(Observation{Point: s.problem.Space.At(20 * i), Status: Measured, Values: []float64{chips, (100 + float64(i)) / chips}, Trial: int(i)})
	}
	usual := s.usual(len(s.records))
	for _, r := range s.records {
		if !usual(r.values) {
			t.Errorf("%v is an outlier", r.values)
		}
	}
	for i := range uint64(5) { // penalties are
		s.Tell(Observation{Point: s.problem.Space.At(20*i + 1), Status: Measured, Values: []float64{3600, 3600}, Trial: int(24 + i)})
	}
	if usual := s.usual(len(s.records)); usual([]float64{3600, 3600}) {
		t.Error("penalties are no outliers")
	}
}

// A penalty that is the best in another objective is on the front, and an outlier all the same:
// the reference of gains would lie behind it.
func TestPenaltyOnFrontIsOutlier(t *testing.T) {
	t.Parallel()
	reference := func(penalties ...[]float64) (*multiObjectiveGP, []float64) {
		t.Helper()
		s := start(t, GP{}, Problem{Space: grid(t, 3, 8), Seed: 1, Objectives: 2}).(*multiObjectiveGP)
		tell := func(i uint64, values []float64) {
			s.Tell(Observation{Point: s.problem.Space.At(20 * i), Status: Measured, Values: values, Trial: int(i)})
		}
		for i := range uint64(20) {
			tell(i, []float64{10 + float64(i), 40 - float64(i)})
		}
		for i, penalty := range penalties {
			tell(20+uint64(i), penalty)
		}
		gain, err := s.hypervolumeGain(constrainedRank(s.records), 1)
		if err != nil {
			t.Fatal(err)
		}
		return s, gain.reference
	}
	_, want := reference()
	for _, penalties := range [][][]float64{{{1e9, 1}}, {{math.MaxFloat64, 1}}, {{1, 1e6}}, {{1, 3600}, {2, 3600}}} {
		s, got := reference(penalties...)
		if s.usual(len(s.records))(penalties[0]) {
			t.Errorf("%v are no outliers", penalties)
		}
		if !slices.Equal(got, want) {
			t.Errorf("with %v the reference is %v, without %v", penalties, got, want)
		}
		if good := s.withoutOutliers(constrainedRank(s.records)); len(good) != 20 || slices.Contains(good, 20) {
			t.Errorf("with %v the designs to change are %v, want all 20 others", penalties, good)
		}
	}
	// The end of a front may lie alone, far behind the next design: the reference is behind it.
	end := []float64{1, 3600}
	s, got := reference(end)
	if !s.usual(len(s.records))(end) {
		t.Errorf("%v is an outlier", end)
	}
	if slices.Equal(got, want) {
		t.Errorf("with %v the reference is %v, as without it", end, got)
	}
}

// A penalty in a constrained metric is no distance from the border: designs that
// answer with one teach the same as designs that say they cannot run.
func TestWildViolationsAreApart(t *testing.T) {
	t.Parallel()
	problem := Problem{Space: grid(t, 3, 8), Seed: 1}
	penalty, refused := start(t, GP{}, problem).(*gp), start(t, GP{}, problem).(*gp)
	for i := range 24 {
		run := measured(penalty, at(penalty, i%4, i/4, 3))
		near := Observation{Point: penalty.problem.Space.At(at(penalty, 6+i%2, i%8, i/4)), Status: Infeasible, Cause: "constraint", Violation: 0.1 * float64(1+i%2), Trial: i}
		wild := Observation{Point: penalty.problem.Space.At(at(penalty, i%4, i/4, 7)), Status: Infeasible, Cause: "constraint", Violation: 1e6, Trial: i}
		penalty.Tell(run, near, wild)
		wild.Cause, wild.Violation = "no fit", 0
		refused.Tell(run, near, wild)
	}
	for _, s := range []*gp{penalty, refused} {
		if models, err := s.classifier(0); err != nil || len(models) != 2 {
			t.Fatalf("%d models, error %v; want one of the border and one of what does not work", len(models), err)
		}
	}
	if got, want := chances(t, penalty), chances(t, refused); !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("with a penalty the chances are %v, with a refusal %v", got, want)
	}
	// A metric that is measured is no thousand times beyond its limit.
	far := start(t, GP{}, problem).(*gp)
	for i, violation := range []float64{0.01, 0.02, 500, 500, 500} {
		far.Tell(measured(far, at(far, 0, 0, i)), Observation{Point: far.problem.Space.At(at(far, 7, 7, i)), Status: Infeasible, Cause: "constraint", Violation: violation, Trial: i})
	}
	if limit := outcomes(far.outcomes).wildFrom(len(far.records), 0); !math.IsInf(limit, 1) {
		t.Errorf("violations from %v on are wild, want none", limit)
	}
}

// With several objectives too.
func TestWildViolationsAreApartWithObjectives(t *testing.T) {
	t.Parallel()
	problem := Problem{Space: grid(t, 3, 8), Seed: 1, Objectives: 2}
	chances := func(wild Observation) (count int, out []float64) {
		t.Helper()
		s := start(t, GP{}, problem).(*multiObjectiveGP)
		for i := range 24 {
			wild.Point, wild.Status = space.Point{i % 4, i / 4, 7}, Infeasible
			s.Tell(
				Observation{Point: space.Point{i % 4, i / 4, 3}, Values: []float64{1 + float64(i), 30 - float64(i)}},
				Observation{Point: space.Point{6 + i%2, i % 8, i / 4}, Status: Infeasible, Cause: "constraint", Violation: 0.1 * float64(1+i%2)},
				wild)
		}
		models, err := s.classifier(constrainedRank(s.records), 0)
		if err != nil {
			t.Fatal(err)
		}
		out = make([]float64, 3)
		models.addLog(s.encoder.Append(s.encoder.Append(s.encoder.Append(nil, space.Point{1, 1, 6}), space.Point{5, 4, 3}), space.Point{1, 1, 2}), out)
		return len(models), out
	}
	count, got := chances(Observation{Cause: "constraint", Violation: 1e6})
	_, want := chances(Observation{Cause: "no fit"})
	if count != 2 || !slices.Equal(got, want) {
		t.Errorf("%d models; with a penalty the chances are %v, with a refusal %v", count, got, want)
	}
}
