package compare

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"apollo/events"
	"apollo/services/cli"
)

// comparedOf is a study whose trials have these objectives, in order; nil is a
// trial that is not feasible.
func comparedOf(name string, goals []string, rows ...[]float64) *Study {
	spec := &events.Spec{Study: name, Algorithm: events.Algorithm{Name: name}, Metrics: []events.Metric{{Name: "latency_s", Unit: "s"}, {Name: "rate", Unit: ""}}}
	for i, goal := range goals {
		spec.Objectives = append(spec.Objectives, events.Objective{Metric: spec.Metrics[i].Name, Goal: goal})
	}
	c := &Study{Study: name, Run: "0badcafe", Spec: spec}
	for i, row := range rows {
		c.Add(Trial{Number: i, Feasible: row != nil, Values: row})
	}
	return c
}

func TestCompareOneObjective(t *testing.T) {
	t.Parallel()
	down := []string{"minimize"}
	r, err := Of([]*Study{
		comparedOf("a", down, []float64{9, 0}, nil, []float64{4, 0}, []float64{5, 0}, []float64{3, 0}),
		comparedOf("b", down, nil, []float64{4, 0}),
		comparedOf("none", down, nil, nil),
	})
	if err != nil {
		t.Fatal(err)
	}
	if *r.Level != 4 {
		t.Errorf("level %v, want 4: b got no further", *r.Level)
	}
	a, b, none := r.Studies[0], r.Studies[1], r.Studies[2]
	if *a.Value != 3 || *a.Trial != 4 || *a.TrialsToLevel != 3 || a.Feasible != 4 {
		t.Errorf("a = %+v", a)
	}
	if diff := cmp.Diff([]Point{{1, 9}, {3, 4}, {5, 3}}, a.Curve); diff != "" {
		t.Errorf("curve (-want +got):\n%s", diff)
	}
	if *b.Value != 4 || *b.TrialsToLevel != 2 || none.Value != nil || none.TrialsToLevel != nil {
		t.Errorf("b = %+v, none = %+v", b, none)
	}
	if len(r.Differences) != 1 || r.Differences[0].Field != "algorithm.name" {
		t.Errorf("differences %v, want the algorithm's name alone", r.Differences)
	}
}

func TestCompareMaximizes(t *testing.T) {
	t.Parallel()
	up := []string{"maximize"}
	r, err := Of([]*Study{
		comparedOf("a", up, []float64{2, 0}, []float64{7, 0}),
		comparedOf("b", up, []float64{5, 0}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if *r.Level != 5 || *r.Studies[0].Value != 7 || *r.Studies[0].TrialsToLevel != 2 || *r.Studies[1].TrialsToLevel != 1 {
		t.Errorf("comparison = %+v, level %v", r.Studies, *r.Level)
	}
}

// Worked out by hand: the fronts are (1, 4), (3, 2) and (2, 2), with the second
// objective maximised the values are negative.
func TestCompareSeveralObjectives(t *testing.T) {
	t.Parallel()
	both := []string{"minimize", "maximize"}
	a := comparedOf("a", both, []float64{3, 8}, nil, []float64{1, 6}, []float64{4, 1})
	b := comparedOf("b", both, []float64{2, 8})
	r, err := Of([]*Study{a, b})
	if err != nil {
		t.Fatal(err)
	}
	// Nadir (3, −6), ranges 2 and 2: the corner is (3.2, −5.8).
	if diff := cmp.Diff(map[string]float64{"latency_s": 3.2, "rate": 5.8}, r.Reference, cmp.Comparer(near)); diff != "" {
		t.Errorf("reference (-want +got):\n%s", diff)
	}
	wantA := 0.2*2.2 + 2.2*0.2 - 0.2*0.2
	wantB := 1.2 * 2.2
	if !near(*r.Studies[0].Value, wantA) || !near(*r.Studies[1].Value, wantB) || !near(*r.Level, wantA) {
		t.Errorf("hypervolumes %v and %v, level %v, want %v, %v, %v", *r.Studies[0].Value, *r.Studies[1].Value, *r.Level, wantA, wantB, wantA)
	}
	if s := r.Studies[0]; s.FrontSize != 2 || s.Joint != 1 || *s.TrialsToLevel != 3 {
		t.Errorf("a = %+v, want 2 on its front, 1 on the joint one, the level after 3 trials", s)
	}
	if s := r.Studies[1]; s.FrontSize != 1 || s.Joint != 1 || *s.TrialsToLevel != 1 {
		t.Errorf("b = %+v", s)
	}
	var svg bytes.Buffer
	if err := r.Draw(&svg, "svg"); err != nil || !strings.Contains(svg.String(), "Hypervolume, share of") {
		t.Errorf("draw() = %v, %d bytes", err, svg.Len())
	}
}

// A penalty on a front does not make the fronts of all studies alike.
func TestComparePenalty(t *testing.T) {
	t.Parallel()
	both := []string{"minimize", "minimize"}
	a := comparedOf("a", both, []float64{1, 8}, []float64{2, 6}, []float64{4, 3}, []float64{1e9, 1})
	b := comparedOf("b", both, []float64{2, 8}, []float64{3, 7}, []float64{4, 6})
	r, err := Of([]*Study{a, b})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]float64{"latency_s": 4.3, "rate": 8.7}, r.Reference, cmp.Comparer(near)); diff != "" {
		t.Errorf("reference (-want +got):\n%s", diff)
	}
	var text bytes.Buffer
	r.Text(&text, cli.Paint{})
	if want := "; designs of the fronts beyond it, which add nothing: 1; joint"; !strings.Contains(text.String(), want) {
		t.Errorf("the text is to have %q:\n%s", want, text.String())
	}
}

// Neither a trial that was measured anew nor one whose fidelity does not count could be
// feasible: shares are of the others, and all of them cost something.
func TestSharesOfTrialsThatCouldBeFeasible(t *testing.T) {
	t.Parallel()
	yes, no, low, void := Trial{Feasible: true}, Trial{}, Trial{LowFidelity: true}, Trial{Voided: true}
	best := Trial{Feasible: true, Voided: true} // as a log has it that does not know of the later trial
	none := math.NaN()
	for name, test := range map[string]struct {
		trials                []Trial
		share                 string
		voided, low, feasible int
		shares                []float64
	}{
		"all count":          {[]Trial{yes, no, no, yes}, "50.0 %", 0, 0, 2, []float64{1, 0.5, 1. / 3, 0.5}},
		"low fidelity":       {[]Trial{low, yes, low, no}, "50.0 %", 0, 2, 1, []float64{none, 1, 1, 0.5}},
		"voided":             {[]Trial{best, void, yes, void, yes}, "100.0 %", 3, 0, 2, []float64{none, none, 1, 1, 1}},
		"voided of low ones": {[]Trial{{Voided: true, LowFidelity: true}, low, yes, no, yes, no}, "50.0 %", 1, 1, 2, []float64{none, none, 1, 0.5, 2. / 3, 0.5}},
	} {
		c := comparedOf("a", []string{"minimize"})
		for i, one := range test.trials {
			one.Number, one.Values = i, []float64{float64(i), 0}
			c.Add(one)
		}
		if diff := cmp.Diff(test.shares, c.shares(), cmpopts.EquateNaNs(), cmpopts.EquateApprox(0, 1e-12)); diff != "" {
			t.Errorf("%s: shares (-want +got):\n%s", name, diff)
		}
		r, err := Of([]*Study{c, comparedOf("b", []string{"minimize"})})
		if err != nil {
			t.Fatal(err)
		}
		s := &r.Studies[0]
		if s.FeasibleShare() != test.share || s.Trials != len(test.trials) || s.Voided != test.voided || s.LowFidelity != test.low || s.Feasible != test.feasible {
			t.Errorf("%s: %s of %+v feasible, want %s", name, s.FeasibleShare(), s, test.share)
		}
		if first := slices.IndexFunc(test.trials, func(one Trial) bool { return one.Feasible && !one.Voided }); *s.Trial != first {
			t.Errorf("%s: the best is trial %d, want %d", name, *s.Trial, first)
		}
	}
}

func near(a, b float64) bool { return a-b < 1e-12 && b-a < 1e-12 }

func TestCompareRefuses(t *testing.T) {
	t.Parallel()
	one := comparedOf("one", []string{"minimize"}, []float64{1, 1})
	_, err := Of([]*Study{one, comparedOf("other", []string{"maximize"}, []float64{1, 1})})
	if err == nil || !strings.Contains(err.Error(), "one and other cannot be compared: one is to minimize latency_s, the other to maximize latency_s") {
		t.Errorf("Of() = %v", err)
	}
	if err := distinguish([]*Study{one, one}); err == nil {
		t.Error("distinguish() takes the same run twice")
	}
	again := comparedOf("one", []string{"minimize"})
	again.Run = "1badcafe"
	if err := distinguish([]*Study{one, again}); err != nil || one.name != "one/0badcafe" || again.name != "one/1badcafe" {
		t.Errorf("distinguish() = %v, names %s and %s", err, one.name, again.name)
	}
	r, err := Of([]*Study{comparedOf("a", []string{"minimize"}, nil), comparedOf("b", []string{"minimize"})})
	if err != nil || r.Level != nil {
		t.Fatalf("Of() of studies without a feasible trial = %+v, %v", r, err)
	}
	var text bytes.Buffer
	r.Text(&text, cli.Paint{})
	if err := r.Draw(&text, "svg"); err == nil {
		t.Error("draw() draws nothing")
	}
}
