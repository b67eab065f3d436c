package optimizer

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"apollo/optimizer/space"
)

func brokeAt(s *gp, index uint64) Observation {
	return Observation{Point: s.problem.Space.At(index), Status: Failed, Cause: "failed", Trial: int(index)}
}

func at(s *gp, levels ...int) uint64 {
	return s.problem.Space.Index(space.Point(levels))
}

// Failures count while they are recent, and for good when one at another time
// lies nearer to them than what runs.
func TestFailuresAreForgotten(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		second []int // where another failure lies, after one design that runs
		later  []int // where a design runs after both
		want   int   // failures that count after forgetAfter more designs
	}{
		{name: "one", want: 0},
		{name: "confirmed", second: []int{7, 6, 7}, want: 2},
		{name: "far apart", second: []int{0, 0, 6}, want: 0},
		{name: "a design between them runs", second: []int{7, 5, 7}, later: []int{7, 6, 7}, want: 0},
	} {
		s := start(t, GP{}, Problem{Space: grid(t, 3, 8), Seed: 1}).(*gp)
		s.Tell(measured(s, at(s, 0, 0, 0)), brokeAt(s, at(s, 7, 7, 7)), measured(s, at(s, 0, 0, 1)))
		if c.second != nil {
			s.Tell(brokeAt(s, at(s, c.second...)))
		}
		if got, want := len(s.standing()), len(s.failures); got != want {
			t.Errorf("%s: %d of %d recent failures count, want all", c.name, got, want)
		}
		if c.later != nil {
			s.Tell(measured(s, at(s, c.later...)))
		}
		for i := range forgetAfter {
			s.Tell(measured(s, at(s, 0, 1+i/4, i%4)))
		}
		if got := len(s.standing()); got != c.want {
			t.Errorf("%s: %d failures count in the end, want %d", c.name, got, c.want)
		}
	}
}

// What fails in a row confirms nothing: it may have been one outage.
func TestOutageIsForgotten(t *testing.T) {
	t.Parallel()
	s := start(t, GP{}, Problem{Space: grid(t, 3, 8), Seed: 1}).(*gp)
	s.Tell(measured(s, at(s, 0, 0, 0)))
	for i := range 20 {
		s.Tell(brokeAt(s, at(s, 7, i/8, i%8)))
	}
	if got := len(s.standing()); got != 20 {
		t.Errorf("%d of 20 failures count at once", got)
	}
	for i := range forgetAfter {
		s.Tell(measured(s, at(s, 1, i/8, i%8)))
	}
	if got := len(s.standing()); got != 0 {
		t.Errorf("%d failures of one burst still count", got)
	}
}

// A failure lowers the chance of what is near, one without a cause does not, and
// a restart finds the same.
func TestFailuresLowerTheChance(t *testing.T) {
	t.Parallel()
	problem := Problem{Space: grid(t, 3, 8), Seed: 1}
	s, crashed := start(t, GP{}, problem).(*gp), start(t, GP{}, problem).(*gp)
	var log []Observation
	for i := range 12 {
		run, broke := measured(s, at(s, i%4, i/4, 3)), brokeAt(s, at(s, 7, i%8, i/2))
		s.Tell(run, broke)
		chances(t, s) // fits at every checkpoint
		log = append(log, run, broke)
		broke.Cause = ""
		crashed.Tell(run, broke)
	}
	if got := chances(t, crashed); len(got) != 0 {
		t.Errorf("%d models of failures that were not the design's doing", len(got))
	}
	models, err := s.classifier(0)
	if err != nil || len(models) != 1 {
		t.Fatalf("%d models, error %v; want one of failures", len(models), err)
	}
	chance := make([]float64, 2)
	x := s.encoder.Append(s.encoder.Append(nil, space.Point{7, 4, 4}), space.Point{1, 1, 4})
	models.addLog(x, chance)
	if !(chance[0] < chance[1]-1) {
		t.Errorf("ln chance among failures %v, among what runs %v", chance[0], chance[1])
	}
	again := start(t, GP{}, problem).(*gp)
	again.Tell(log...)
	if got, want := chances(t, again)[0], chances(t, s)[0]; !slices.Equal(got, want) {
		t.Errorf("after a restart the chances are %v, before %v", got, want)
	}
}

// A part of the space that fails draws no more trials than of random search, some 30 %,
// when it lies beside the best design, and hardly more where all of the best designs lie
// along it, unless answers come late: with one objective, with several, with every kind of model, and
// with trials that are answered one by one or four later.
func TestFailingRegionIsLeft(t *testing.T) {
	t.Parallel()
	const trials = 60
	beside := func(x, y float64) (bool, []float64) {
		return x > 0.7, []float64{(x-0.65)*(x-0.65) + (y-0.5)*(y-0.5), y, 1 - x}
	}
	along := func(x, y float64) (bool, []float64) {
		return x+y > 1.2, []float64{3 - x - y + 0.3*(x-y)*(x-y)}
	}
	corner := func(x, y float64) (bool, []float64) {
		return x > 0.6 && y > 0.45, []float64{(x-0.65)*(x-0.65) + (y-0.5)*(y-0.5)}
	}
	front := func(x, y float64) (bool, []float64) {
		return x+y > 1.2, []float64{1.1 - x, 1.1 - y, 0.5 + (x-y)*(x-y)}
	}
	for _, c := range []struct {
		name       string
		algorithm  Algorithm
		objectives int
		lag        int
		landscape  func(x, y float64) (fails bool, values []float64)
		most       int // percent
	}{
		{"gp", GP{Pool: 50}, 1, 0, beside, 30},
		{"gp, late answers", GP{Pool: 50}, 1, 4, beside, 30},
		{"gp along the region", GP{Pool: 50}, 1, 0, along, 35},
		{"gp, late answers, along the region", GP{Pool: 50}, 1, 4, along, 60},
		{"gp, eight late answers, in a corner", GP{Pool: 50}, 1, 8, corner, 32},
		{"gp, two objectives", GP{Pool: 50}, 2, 0, beside, 30},
		{"gp, three objectives", GP{Pool: 50}, 3, 0, beside, 30},
		{"gp, two objectives along the region", GP{Pool: 50}, 2, 0, front, 35},
		{"gp, three objectives along the region", GP{Pool: 50}, 3, 0, front, 35},
		{"gp-bandit", GPBandit{Pool: 50}, 1, 0, beside, 30},
		{"gp-bandit along the region", GPBandit{Pool: 50}, 1, 0, along, 50},
		{"mbo", MBO{}, 1, 0, beside, 30},
		{"tpe along the region", TPE{}, 1, 0, along, 50},
	} {
		s := start(t, c.algorithm, Problem{Space: grid(t, 2, 201), Objectives: c.objectives, Seed: 1})
		failed := 0
		var late []Observation
		for i := range trials {
			var pending []space.Point
			for _, o := range late {
				pending = append(pending, o.Point)
			}
			asked, err := s.Ask(uint64(i), 1, pending)
			if err != nil || len(asked) != 1 {
				t.Fatalf("%s: %d designs, error %v", c.name, len(asked), err)
			}
			o := Observation{Point: asked[0].Point, Trial: i, Origin: asked[0].Origin}
			fails, values := c.landscape(float64(o.Point[0])/200, float64(o.Point[1])/200)
			if fails {
				o.Status, o.Cause, failed = Failed, "failed", failed+1
			} else {
				o.Values = values[:c.objectives]
			}
			if late = append(late, o); len(late) > c.lag {
				s.Tell(late[0])
				late = late[1:]
			}
		}
		if failed > trials*c.most/100 {
			t.Errorf("%s: %d of %d trials are in the part that fails, at most %d %% may be", c.name, failed, trials, c.most)
		}
	}
}

// A design beside the part that fails may fail too: until its answer comes, its neighbours
// count as likely failures. One that is sure to pass says nothing of them.
func TestWhatIsNotSureIsTriedOnce(t *testing.T) {
	t.Parallel()
	s := start(t, GP{}, Problem{Space: grid(t, 2, 101), Objectives: 1, Seed: 1}).(*gp)
	for i := range 16 {
		p := space.Point{6 * i, (37 * i) % 101}
		o := Observation{Point: p, Trial: i, Values: []float64{1 + float64(p[1])}}
		if p[0] > 60 {
			o.Status, o.Cause, o.Values = Failed, "failed", nil
		}
		s.Tell(o)
	}
	at := func(x, y int) []float64 { return s.encoder.Append(nil, space.Point{x, y}) }
	models, err := s.classifier(2)
	if err != nil || len(models) != 1 {
		t.Fatalf("%d models, error %v; want one of failures", len(models), err)
	}
	chanceOf := func(x []float64) float64 {
		ln := [1]float64{}
		models[0].(*passing).Feasibility.AddLog(x, ln[:])
		return math.Exp(ln[0])
	}
	inside, border := chanceOf(at(20, 50)), chanceOf(at(66, 50))
	if inside < sure || border >= sure {
		t.Fatalf("chances %.2f among what runs and %.2f beside the part that fails, want %.2f between", inside, border, sure)
	}
	models.believe(at(19, 50))
	if got := chanceOf(at(20, 50)); got != inside {
		t.Errorf("beside a design that is sure to pass the chance went from %.2f to %.2f", inside, got)
	}
	models.believe(at(66, 49))
	if got := chanceOf(at(66, 50)); got > border/2 {
		t.Errorf("beside a design that may fail the chance went from %.2f to %.2f, want less than half", border, got)
	}
}

// Half of the trials fail. What a failure is compared with has an end, a short study
// is compared with all, and what counted after fewer records is found again later.
func TestFailuresAreComparedWithABoundedNumber(t *testing.T) {
	t.Parallel()
	s := start(t, GP{}, Problem{Space: grid(t, 10, 4), Seed: 1}).(*gp)
	tell := func(from, to int) {
		for i := from; i < to; i++ {
			index := uint64(i) * 7919 % s.problem.Space.Size()
			s.Tell(measured(s, index), brokeAt(s, (index+16)%s.problem.Space.Size()))
		}
	}
	tell(0, comparedRuns)
	var all []space.Point
	for i := range s.records {
		if r := &s.records[i]; r.runs() {
			all = append(all, r.point)
		}
	}
	if got := slices.Collect(s.runningOf(len(s.records))); !slices.EqualFunc(got, all, slices.Equal) {
		t.Errorf("a failure is compared with %d of %d designs that run", len(got), len(all))
	}
	n := len(s.records)
	then := s.standingAt(n)
	tell(comparedRuns, 2*comparedRuns)
	if runs, failures := len(slices.Collect(s.runningOf(len(s.records)))), len(s.failures.compared()); runs != comparedRuns || failures != comparedFailures {
		t.Errorf("a failure is compared with %d designs and %d failures", runs, failures)
	}
	later := s.standingAt(n)
	if !slices.EqualFunc(later, then, func(f, g failure) bool { return f.seen == g.seen && f.run == g.run && f.other == g.other }) {
		t.Errorf("%d failures counted after %d records, %d of them are found later", len(then), n, len(later))
	}
	if len(then) == 0 {
		t.Error("no failure counted")
	}
}

// BenchmarkFailures tells trials of which half fail, and finds those that count at the
// last checkpoint of mbo.
func BenchmarkFailures(b *testing.B) {
	for _, trials := range []int{8000, 20_000} {
		s := start(b, GP{}, Problem{Space: grid(b, 10, 4), Seed: 1}).(*gp)
		log := make([]Observation, 0, trials)
		for i := range trials / 2 {
			index := uint64(i) * 7919 % s.problem.Space.Size()
			log = append(log, measured(s, index), brokeAt(s, (index+16)%s.problem.Space.Size()))
		}
		b.Run(fmt.Sprintf("tell/%d", trials), func(b *testing.B) {
			for b.Loop() {
				s = start(b, GP{}, Problem{Space: grid(b, 10, 4), Seed: 1}).(*gp)
				s.Tell(log...)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*trials), "ns/trial")
		})
		b.Run(fmt.Sprintf("counted/%d", trials), func(b *testing.B) {
			for b.Loop() {
				s.standingAt(checkpoint(len(s.records)))
			}
		})
	}
}
