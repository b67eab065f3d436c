package study_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apollo/events"
	"apollo/optimizer/space"
	"apollo/services/study"
)

func number(v float64) space.Value  { return space.Value{Num: v} }
func labelled(s string) space.Value { return space.Value{Label: s} }
func xy(x, y float64, f string) events.Design {
	return events.Design{number(x), number(y), labelled(f)}
}

func named(x, y float64, f string) map[string]any { return map[string]any{"x": x, "y": y, "flow": f} }

// origins returns the origins of the trials, in order.
func (w *world) origins() (out []string) {
	for _, p := range w.proposed() {
		out = append(out, p.Origins...)
	}
	return out
}

// command carries out a request as an owner does.
func (w *world) command(c *events.StudyControl) error {
	w.t.Helper()
	for {
		e, err := w.machine.Command(c)
		if err != nil || e == nil {
			return err
		}
		w.append(e)
		if w.machine.Knows(c.ID) {
			return nil
		}
	}
}

func TestStartDesignsComeFirst(t *testing.T) {
	t.Parallel()
	spec := testSpec(func(s *events.Spec) {
		s.Start = []events.Design{xy(3, 3, "os"), xy(7, 3, "is"), xy(0, 0, "ws")}
		s.Budget.Batch = 2
	})
	testTiming(t, spec)
	w := newWorld(t, spec, study.Knowledge{})
	w.run(first, nil)
	if got := w.origins()[:4]; !slices.Equal(got[:3], []string{"start", "start", "start"}) || got[3] == "start" {
		t.Errorf("origins begin with %q, want three of start", got)
	}
	if diff := cmp.Diff(spec.Start, append(slices.Clone(w.proposed()[0].Designs), w.proposed()[1].Designs[0])); diff != "" {
		t.Errorf("the first trials are others (-want +got):\n%s", diff)
	}
}

// TestAddedDesigns: designs of users are in the log where they came, on top of
// the budget, and a machine that is folded anew at any moment goes on alike.
func TestAddedDesigns(t *testing.T) {
	t.Parallel()
	request := func() *events.StudyControl {
		return &events.StudyControl{Study: "sim", ID: "a-1", Verb: "add", Designs: []events.AddedDesign{
			{Design: named(11, 0, "is"), Origin: "ann"},
			{Design: named(10, 1, "is"), Outcome: "measured", Metrics: map[string]float64{"latency_s": 0.5, "area_mm2": 11}, Origin: "lab"},
			{Design: named(9, 1, "is")},
			{Design: named(11, 11, "is"), Outcome: "infeasible"},
		}}
	}
	for _, order := range []string{"strict", "relaxed"} {
		var want events.Summary
		for seed := range uint64(12) {
			rng := rand.New(rand.NewPCG(seed, 2))
			w := newWorld(t, testSpec(func(s *events.Spec) { s.Order, s.Budget.Trials, s.Budget.Batch = order, 40, 1 }), study.Knowledge{})
			chaos := func() {
				if len(w.results) == 11 {
					if err := w.command(request()); err != nil {
						t.Fatal(err)
					}
				}
				if seed > 0 && rng.IntN(3) == 0 {
					w.restart()
				}
			}
			w.run(first, chaos)
			got := w.machine.Summary()
			if seed == 0 {
				want = got
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%s, seed %d: another study (-calm +restarted):\n%s", order, seed, diff)
			}
			if got.Trials != 44 || got.Best == nil || got.Best.Metrics["latency_s"] != 0.5 {
				t.Errorf("%s: %d trials, best %v, want 40 and 4 on top, and the imported one best", order, got.Trials, got.Best)
			}
			text := strings.Join(w.origins(), " ")
			for _, origin := range []string{"user:ann", "import:lab", "user ", "import "} {
				if n := strings.Count(text+" ", origin); n == 0 {
					t.Errorf("%s: no trial has the origin %q: %s", order, origin, text)
				}
			}
		}
	}
}

func TestAddedDesignsReopenARun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testSpec(func(s *events.Spec) { s.Budget.Trials = 16 }), study.Knowledge{})
	w.run(first, nil)
	add := &events.StudyControl{Study: "sim", ID: "a-2", Verb: "add", Designs: []events.AddedDesign{{Design: named(11, 0, "os")}, {Design: named(10, 0, "os")}}}
	if err := w.command(add); err != nil {
		t.Fatal(err)
	}
	w.restart()
	if e, err := w.machine.Command(add); e != nil || err == nil && !w.machine.Knows("a-2") {
		t.Errorf("the request that came again gives %v, %v", e, err)
	}
	w.run(first, nil)
	if state, why := w.machine.State(); state != study.Completed || why != "budget" || w.machine.Summary().Trials != 18 {
		t.Errorf("the run is %s (%s) with %d trials, want completed with 18", state, why, w.machine.Summary().Trials)
	}
}

func TestAddedDesignsAreChecked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testSpec(nil), study.Knowledge{})
	w.appendNext()
	tried := w.proposed()[0].Designs[0]
	whole := map[string]float64{"latency_s": 1, "area_mm2": 1}
	for _, c := range []struct {
		design events.AddedDesign
		want   string
	}{
		{events.AddedDesign{Design: map[string]any{"x": 1.0}}, "a design has a level of each parameter; what is missing: y, flow"},
		{events.AddedDesign{Design: map[string]any{"x": 1.0, "flo": "ws"}}, "did you mean flow?"},
		{events.AddedDesign{Design: named(1.5, 1, "ws")}, "the parameter x has no level 1.5: it has 0, 1, 2"},
		{events.AddedDesign{Design: named(1, 1, "rs")}, "the parameter flow has no level rs: it has ws, os, is"},
		{events.AddedDesign{Design: map[string]any{"x": 1.0, "y": 1.0, "flow": "ws", "flw": 1.0}}, `no parameter "flw": it has x, y, flow; did you mean flow?`},
		{events.AddedDesign{Design: named(11, 11, "ws")}, "not legal: area_mm2 is 22 mm2, the constraint allows at most 18"},
		{events.AddedDesign{Design: named(tried[0].Num, tried[1].Num, tried[2].Label)}, "has tried what is asked for already (designs: 1)"},
		{events.AddedDesign{Design: named(1, 1, "ws"), Metrics: whole}, "metrics and no outcome"},
		{events.AddedDesign{Design: named(1, 1, "ws"), Outcome: "measured", Metrics: map[string]float64{"latency_s": 1}}, "the metric area_mm2 is missing"},
		{events.AddedDesign{Design: named(1, 1, "ws"), Outcome: "measured", Metrics: map[string]float64{"latency": 1}}, `no metric "latency"`},
		{events.AddedDesign{Design: named(1, 1, "ws"), Outcome: "failed", Metrics: whole}, `the outcome "failed" is unknown`},
	} {
		_, err := w.machine.Command(&events.StudyControl{Study: "sim", ID: "a", Verb: "add", Designs: []events.AddedDesign{c.design}})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: the refusal is %q, want %q", c.design, fmt.Sprint(err), c.want)
		}
	}
}
