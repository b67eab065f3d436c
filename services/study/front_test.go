package study_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"apollo/events"
	"apollo/optimizer"
	"apollo/optimizer/pareto"
	"apollo/services/study"
)

// two is testSpec with two objectives: latency down, area down.
func two(change func(*events.Spec)) *events.Spec {
	return testSpec(func(s *events.Spec) {
		s.Algorithm.Name = "nsga2"
		s.Objectives = []events.Objective{
			{Metric: "latency_s", Goal: "minimize", Reference: new(60.0)},
			{Metric: "area_mm2", Goal: "minimize", Reference: new(18.0)},
		}
		if change != nil {
			change(s)
		}
	})
}

// feasible returns the feasible trials of a world by definition: measured and
// within the area.
func (w *world) feasible() (trials []int, points [][]float64) {
	rows := map[int][]float64{}
	for _, r := range w.results {
		for _, t := range r.Trials {
			if t.Outcome == events.OutcomeMeasured && t.Values[1] <= 18 {
				rows[t.Trial] = t.Values
			}
		}
	}
	for trial := range 1000 {
		if p, ok := rows[trial]; ok {
			trials, points = append(trials, trial), append(points, p)
		}
	}
	return trials, points
}

func TestSeveralObjectives(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"nsga2", "random", "sobol", "gp"} {
		w := newWorld(t, two(func(s *events.Spec) { s.Algorithm.Name = algorithm; s.Budget.Trials = 60 }), study.Knowledge{})
		w.run(first, nil)
		s := w.machine.Summary()
		trials, points := w.feasible()
		var want []int
		for _, i := range pareto.Front(points) {
			want = append(want, trials[i])
		}
		var got []int
		for _, b := range s.Front {
			got = append(got, b.Trial)
		}
		if !slices.Equal(got, want) || s.FrontSize != len(want) || s.Best != nil || len(want) < 2 {
			t.Errorf("%s: front %v of %d, best %v, want %v", algorithm, got, s.FrontSize, s.Best, want)
		}
		volume := pareto.Hypervolume(points, []float64{60, 18})
		if s.Hypervolume == nil || math.Abs(*s.Hypervolume-volume) > 1e-9*volume { // it is summed up trial by trial
			t.Errorf("%s: hypervolume %v, want %v", algorithm, s.Hypervolume, volume)
		}
		if diff := cmp.Diff(map[string]float64{"latency_s": 60, "area_mm2": 18}, s.Reference); diff != "" {
			t.Errorf("%s: reference (-want +got):\n%s", algorithm, diff)
		}
	}
}

// Trials, front and hypervolume are bit for bit the same whatever the order of
// the answers and however often the owner dies; and the improved events alone
// give the same front.
func TestFrontDoesNotDependOnTiming(t *testing.T) {
	t.Parallel()
	for name, spec := range map[string]*events.Spec{
		"declared": two(nil),
		"open":     two(func(s *events.Spec) { s.Objectives[0].Reference, s.Objectives[1].Reference = nil, nil }),
		"model":    two(func(s *events.Spec) { s.Algorithm.Name = "gp"; s.Budget.Trials = 48 }),
	} {
		w := newWorld(t, spec, study.Knowledge{})
		w.run(first, nil)
		want := w.machine.Summary()
		if want.Hypervolume == nil || *want.Hypervolume <= 0 {
			t.Fatalf("%s: hypervolume %v", name, want.Hypervolume)
		}
		rng := rand.New(rand.NewPCG(1, 2))
		again := newWorld(t, spec, study.Knowledge{})
		again.run(rng.IntN, again.restart)
		got := again.machine.Summary()
		got.LastResult = want.LastResult
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: another timing gives another answer (-want +got):\n%s", name, diff)
		}
		front := study.NewFront(spec)
		var last events.StudyImproved
		for _, e := range again.log {
			if i, ok := e.(events.StudyImproved); ok {
				last = i
				if !front.Join(i.Best) {
					t.Errorf("%s: trial %d did not join the front", name, i.Best.Trial)
				}
			}
		}
		if diff := cmp.Diff(want.Front, front.Trials()); diff != "" {
			t.Errorf("%s: the improved events tell another front (-want +got):\n%s", name, diff)
		}
		if last.FrontSize != want.FrontSize || *last.Hypervolume != *want.Hypervolume {
			t.Errorf("%s: the last improved event says %d and %v, want %d and %v", name, last.FrontSize, *last.Hypervolume, want.FrontSize, *want.Hypervolume)
		}
	}
}

func TestSeveralObjectivesStop(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*events.Spec){
		"budget": func(s *events.Spec) { s.Objectives[0].Target = new(-1.0) },
		// Both targets, by one trial.
		"target":  func(s *events.Spec) { s.Objectives[0].Target, s.Objectives[1].Target = new(20.0), new(14.0) },
		"plateau": func(s *events.Spec) { s.Stop.Plateau = &events.Plateau{Trials: 16, Improvement: 0.5} },
	} {
		w := newWorld(t, two(change), study.Knowledge{})
		w.run(first, w.restart)
		if state, reason := w.machine.State(); state != study.Completed || reason != name {
			t.Errorf("%s: State() = %s (%s)", name, state, reason)
		}
	}
	w := newWorld(t, two(func(s *events.Spec) {
		s.Objectives[0].Target, s.Objectives[1].Target = new(20.0), new(14.0)
	}), study.Knowledge{})
	w.run(first, nil)
	if !slices.ContainsFunc(w.machine.Summary().Front, func(b events.BestTrial) bool {
		return b.Metrics["latency_s"] <= 20 && b.Metrics["area_mm2"] <= 14
	}) {
		t.Error("no trial of the front reaches both targets")
	}
}

// An open reference is fixed by the tenth feasible trial and never moves.
func TestOpenReference(t *testing.T) {
	t.Parallel()
	spec := two(func(s *events.Spec) {
		s.Objectives[0].Reference = nil
		s.Objectives[1] = events.Objective{Metric: "area_mm2", Goal: "maximize"}
	})
	f := study.NewFront(spec)
	for i := range 9 {
		f.Add(i, events.Design{{Num: 1}, {Num: 2}, {Label: "ws"}}, []float64{10 + float64(i), 3 + float64(i)})
	}
	if f.Hypervolume() != nil || f.Reference() != nil {
		t.Fatalf("after 9 trials: hypervolume %v, reference %v", f.Hypervolume(), f.Reference())
	}
	f.Add(9, events.Design{{Num: 1}, {Num: 2}, {Label: "ws"}}, []float64{20, 3})
	want := map[string]float64{"latency_s": 21, "area_mm2": 2.2} // 20 + (20 − 10)/10 and 3 − (11 − 3)/10
	approx := func(a, b map[string]float64) bool {
		return math.Abs(a["latency_s"]-b["latency_s"])+math.Abs(a["area_mm2"]-b["area_mm2"]) < 1e-12
	}
	if got := f.Reference(); !approx(got, want) {
		t.Errorf("Reference() = %v, want %v", got, want)
	}
	f.Add(10, events.Design{{Num: 1}, {Num: 2}, {Label: "ws"}}, []float64{500, 1})
	if got := f.Reference(); !approx(got, want) {
		t.Errorf("Reference() = %v after a bad trial, want %v", got, want)
	}
	flat := study.NewFront(spec)
	for i := range 10 {
		flat.Add(i, events.Design{{Num: 1}, {Num: 2}, {Label: "ws"}}, []float64{0, -2})
	}
	if got := flat.Hypervolume(); got == nil || *got <= 0 {
		t.Errorf("Hypervolume() of equal trials = %v", got)
	}
}

// A penalty among the first trials does not move the reference, whatever its sign and whether
// the front has it; a worst value that many good designs have does, and the far end of a front.
func TestPenaltiesMoveNoReference(t *testing.T) {
	t.Parallel()
	open := func(goal string) *events.Spec {
		return two(func(s *events.Spec) {
			s.Objectives = []events.Objective{{Metric: "latency_s", Goal: goal}, {Metric: "area_mm2", Goal: "minimize"}}
		})
	}
	for _, c := range []struct {
		name, goal string
		sign       float64
		answers    [][]float64 // the last ones of the first ten
		want       float64     // of latency
	}{
		{"none", "minimize", 1, nil, 19.9},
		{"two of both objectives", "minimize", 1, [][]float64{{1e9, 1e9}, {1e9, 1e9}}, 17.7},
		{"on the front", "minimize", 1, [][]float64{{1e9, 1}}, 18.8},
		{"the largest number", "minimize", 1, [][]float64{{math.MaxFloat64, 1}}, 18.8},
		{"six of two kinds", "minimize", 1, [][]float64{{3600, 1}, {3600, 1}, {3600, 1}, {1e9, 1}, {1e9, 1}, {1e9, 1}}, 13.3},
		{"of a reward", "maximize", -1, [][]float64{{-1e9, 1}, {-1e9, 1}}, 17.7},
		{"a far end of the front", "minimize", 1, [][]float64{{600, 1}}, 659},
		{"the same far value twice", "minimize", 1, [][]float64{{600, 1}, {600, 2}}, 17.7},
		{"as often as a number of chips", "minimize", 1, [][]float64{{60, 1}, {60, 2}, {60, 3}, {60, 4}}, 65},
	} {
		f := study.NewFront(open(c.goal))
		for i := range 10 {
			values := []float64{c.sign * float64(10+i), float64(20 - i)}
			if k := i - 10 + len(c.answers); k >= 0 {
				values = c.answers[k]
			}
			f.Add(i, events.Design{{Num: 1}, {Num: 2}, {Label: "ws"}}, values)
		}
		if got := f.Reference()["latency_s"]; math.Abs(got-c.sign*c.want) > 1e-9 {
			t.Errorf("%s: the reference of latency is %v, want %v", c.name, got, c.sign*c.want)
		}
	}
}

// An event holds as much of a front as fits, spread over it, and its size.
func TestBriefFitsIntoAnEvent(t *testing.T) {
	t.Parallel()
	spec := two(func(s *events.Spec) {
		for i := range 200 {
			s.Parameters = append(s.Parameters, events.Parameter{Name: "parameter_with_a_long_name_" + string(rune('a'+i%26)) + string(rune('a'+i/26)), Values: []float64{0.123456789012345, 1}})
		}
	})
	f := study.NewFront(spec)
	design := events.Design{{Num: 1}, {Num: 2}, {Label: "ws"}}
	for range 200 {
		design = append(design, events.Design{{Num: 0.123456789012345}}...)
	}
	for i := range 300 {
		f.Add(i, design, []float64{float64(i) / 100, 18 - float64(i)/30})
	}
	brief := f.Brief(events.MaxFrontBytes)
	b, err := json.Marshal(brief)
	if err != nil {
		t.Fatal(err)
	}
	if f.Len() != 300 || len(brief) >= 300 || len(brief) < 20 || len(b) > events.MaxFrontBytes {
		t.Errorf("%d of %d trials in %d bytes", len(brief), f.Len(), len(b))
	}
	if brief[0].Trial != 0 || brief[len(brief)-1].Trial != 299 {
		t.Errorf("the ends of the front are %d and %d, want 0 and 299", brief[0].Trial, brief[len(brief)-1].Trial)
	}
}

// Numbers at the end of the range leave an answer that JSON can hold.
func TestFrontOfExtremes(t *testing.T) {
	t.Parallel()
	spec := two(func(s *events.Spec) {
		s.Objectives[0].Reference, s.Objectives[1].Reference = nil, nil
		s.Objectives[1].Goal = "maximize"
	})
	f := study.NewFront(spec)
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 50 {
		extreme := []float64{math.MaxFloat64, -math.MaxFloat64, 0, 1e300, -1e-300}
		f.Add(i, events.Design{{Num: 1}, {Num: 2}, {Label: "ws"}}, []float64{extreme[rng.IntN(5)], extreme[rng.IntN(5)]})
	}
	if _, err := json.Marshal([]any{f.Hypervolume(), f.Reference(), f.Trials()}); err != nil {
		t.Error(err)
	}
}

// A search is told the corners that a study states, as it minimises them.
func TestSearchKnowsTheReference(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*events.Spec)
		want   []float64
	}{
		{"stated", nil, []float64{60, 18}},
		{"maximised", func(s *events.Spec) { s.Objectives[1].Goal = "maximize" }, []float64{60, -18}},
		{"one open", func(s *events.Spec) { s.Objectives[0].Reference = nil }, []float64{math.NaN(), 18}},
		{"both open", func(s *events.Spec) { s.Objectives[0].Reference, s.Objectives[1].Reference = nil, nil }, nil},
		{"one objective", func(s *events.Spec) { s.Objectives = s.Objectives[:1] }, nil},
	} {
		var seen optimizer.Problem
		if _, err := study.New(study.Config{Spec: two(c.change), Run: "r1", Algorithm: watcher{&seen}}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, seen.Reference, cmpopts.EquateNaNs()); diff != "" {
			t.Errorf("%s: the reference of the search (-want +got):\n%s", c.name, diff)
		}
	}
}
