package main

import (
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"apollo/events"
	"apollo/internal/correlation"
	"apollo/services/cli"
	"apollo/services/draw"
	"apollo/services/study"
)

// studied runs a study of 64 trials and reads its log.
func studied(t *testing.T) *gallery {
	t.Helper()
	data := t.TempDir()
	if code, _, stderr := try(t, "run", tinyStudy(t), "--data", data, "-q"); code != cli.ExitOK {
		t.Fatal(stderr)
	}
	a := &app{Terminal: cli.NewTerminal(strings.NewReader(""), io.Discard, io.Discard, "")}
	c, _, err := a.root().Find([]string{"study", "show"})
	if err != nil {
		t.Fatal(err)
	}
	a.Data = data
	c.SetContext(t.Context())
	l, err := a.loadLedger(c, "tiny", "")
	if err != nil {
		t.Fatal(err)
	}
	return a.galleryOf(t.Context(), l)
}

// shown is a picture of the trials of a gallery's ledger, or why there is none.
func shown(t *testing.T, g *gallery, of func(*gallery) painter) (drawing, string) {
	t.Helper()
	all, err := g.pictures([]pictureKind{{of: of}}, g.all)
	if err != nil {
		t.Fatal(err)
	}
	return all[0].drawing, all[0].note
}

// The pictures that compute something say what the log says.
func TestComputedPicturesHoldTheLog(t *testing.T) {
	t.Parallel()
	g := studied(t)
	t.Run("layers", func(t *testing.T) {
		t.Parallel()
		d, why := shown(t, g, layered)
		if d == nil {
			t.Fatal(why)
		}
		sum := 0.0
		for _, r := range d.(*draw.Rows).Rows {
			for _, v := range r.Parts {
				sum += v
			}
		}
		// The study has one network, so its latency is the sum of its layers' times,
		// which are added up in another order here.
		if want := g.view.Best.Metrics["latency_s"]; math.Abs(sum-want) > 1e-9*want {
			t.Errorf("the layers of the best trial take %v s, the log says %v s", sum, want)
		}
	})
	t.Run("importance", func(t *testing.T) {
		t.Parallel()
		d, why := shown(t, g, importance)
		if d == nil {
			t.Fatal(why)
		}
		var names []string
		for _, r := range d.(*draw.Rows).Rows {
			names = append(names, r.Name)
		}
		for _, p := range g.view.Spec.Parameters {
			if !slices.Contains(names, p.Name) {
				t.Errorf("%s has no importance", p.Name)
			}
		}
		if again, _ := shown(t, g, importance); again.(*draw.Rows).Rows[0].Parts[0] != d.(*draw.Rows).Rows[0].Parts[0] {
			t.Error("a second look at the same log finds another importance")
		}
	})
	t.Run("model", func(t *testing.T) {
		t.Parallel()
		examiner, err := examinerOf(g)
		if err != nil {
			t.Fatal(err)
		}
		for i := range g.trials {
			one := &g.trials[i]
			examiner.Tell(study.Answered{Design: one.design, Origin: one.origin, Result: one.result, Judgement: one.judgement})
		}
		all, err := examiner.LeaveOneOut()
		if err != nil {
			t.Fatal(err)
		}
		var values []float64
		for i := range g.trials {
			if r := g.trials[i].result; r.Outcome == events.OutcomeMeasured {
				values = append(values, r.Values[0])
			}
		}
		if len(all) != len(values) {
			t.Fatalf("the model has %d trials, the log %d with a latency", len(all), len(values))
		}
		var labels []float64
		for _, l := range all {
			labels = append(labels, l.Label)
		}
		if r := correlation.Spearman(labels, values); r < 1-1e-12 {
			t.Error("the labels of the model are not in the order of the latencies in the log")
		}
		d, why := shown(t, g, modelled)
		if d == nil || !strings.Contains(d.(*draw.Chart).Title, "rank correlation") {
			t.Errorf("%v: %s", d, why)
		}
	})
}

// The hypervolume after every trial is what its front dominates.
func TestHypervolumeOfTheLog(t *testing.T) {
	t.Parallel()
	volume := func(l *ledger) drawing {
		d, _ := shown(t, &gallery{ledger: l}, hypervolume)
		return d
	}
	l := reportLedger()
	l.view.Spec.Constraints = nil
	l.view.Spec.Objectives = []events.Objective{{Metric: "latency_s", Goal: "minimize", Reference: new(10.0)}, {Metric: "area_mm2", Goal: "minimize", Reference: new(10.0)}}
	c, _ := volume(l).(*draw.Chart)
	// (3, 4) dominates 7·6 below (10, 10); (4, 3) adds 6·1 and (2, 5) adds 1·5.
	if c == nil || !slices.Equal(c.Series[0].X, []float64{0, 3, 4}) || !slices.Equal(c.Series[0].Y, []float64{42, 48, 53}) {
		t.Errorf("%+v", c)
	}
	if text := c.Y.Text(0.002); text != "2 ms mm²" {
		t.Errorf("a volume is written as %q", text)
	}
	if c := volume(reportLedger()); c != nil {
		t.Error("a study with one objective has a hypervolume")
	}
}

// A picture that shows nothing says why, and one that is unknown what there is.
func TestPicturesThatShowNothing(t *testing.T) {
	t.Parallel()
	g := &gallery{ledger: reportLedger()}
	g.view.Spec.Algorithm.Name = "random"
	for name, want := range map[string]string{"hypervolume": "one objective", "importance": "fewer than ten", "layers": "measured by evaluator"} {
		err := (&pictureFlag{name: name}).write(io.Discard, "svg", g, g.all)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	a := &app{Terminal: &cli.Terminal{Output: "svg"}}
	if err := (&pictureFlag{name: "bets"}).check(a); err == nil {
		t.Error("--picture bets is taken")
	}
	a.Output = "table"
	if err := (&pictureFlag{name: "best"}).check(a); err == nil {
		t.Error("--picture without a picture is taken")
	}
}
