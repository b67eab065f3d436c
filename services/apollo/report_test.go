package main

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apollo/events"
	"apollo/services/cli"
	"apollo/services/client"
	"apollo/services/draw"
	"apollo/services/study"
)

// reportLedger is a log of six trials: three feasible, one over a limit, one that
// cannot run, and one without an answer.
func reportLedger() *ledger {
	spec := &events.Spec{
		Study: "six", Parameters: []events.Parameter{{Name: "cores", Values: []float64{1, 2, 4}}, {Name: "flow", Labels: []string{"ws", "os"}}, {Name: "same", Values: []float64{3}}},
		Metrics:     []events.Metric{{Name: "latency_s", Unit: "s"}, {Name: "area_mm2", Unit: "mm2"}},
		Objectives:  []events.Objective{{Metric: "latency_s", Goal: "minimize"}},
		Constraints: []events.Constraint{{Metric: "area_mm2", Max: new(5.0)}},
	}
	l := &ledger{view: &client.StudyView{Study: "six", Run: "00000001", Spec: spec, State: study.Running}}
	limit := &events.Reason{Code: events.ReasonConstraint}
	for i, row := range []struct {
		latency, area float64
		outcome       string
		reason        *events.Reason
		worker        string
	}{
		{3, 4, events.OutcomeMeasured, nil, "a"},
		{1, 6, events.OutcomeMeasured, limit, "b"},
		{math.NaN(), 2, events.OutcomeInfeasible, &events.Reason{Code: "memory"}, "a"},
		{4, 3, events.OutcomeMeasured, nil, "b"},
		{2, 5, events.OutcomeMeasured, nil, "a"},
		{0, 0, "", nil, ""},
	} {
		t := trial{number: i, design: events.Design{{Num: float64(int(1) << (i % 3))}, {Label: []string{"ws", "os"}[i%2]}, {Num: 3}}, worker: row.worker}
		if row.outcome != "" {
			t.result = &events.TrialResult{Trial: i, Outcome: row.outcome, Values: events.Numbers{row.latency, row.area}, Reason: row.reason}
			t.judgement = events.Judgement{Feasible: row.reason == nil, Reason: row.reason}
			l.counts.Add(row.outcome, row.reason == nil, false, false)
		}
		l.trials = append(l.trials, t)
	}
	return l
}

// Every picture holds the points of the log, no more and no fewer.
func TestPicturesHoldTheLog(t *testing.T) {
	t.Parallel()
	l := reportLedger()
	picture := func(of func(*gallery) painter) drawing {
		d, _ := shown(t, &gallery{ledger: l}, of)
		return d
	}
	points := func(d drawing) map[string][][2]float64 {
		all := map[string][][2]float64{}
		for _, s := range d.(*draw.Chart).Series {
			for i := range s.X {
				all[s.Name] = append(all[s.Name], [2]float64{s.X[i], s.Y[i]})
			}
		}
		return all
	}
	for name, test := range map[string]struct {
		chart drawing
		want  map[string][][2]float64
	}{
		"best": {picture(bestSoFar), map[string][][2]float64{
			"feasible": {{0, 3}, {3, 4}, {4, 2}}, "not feasible": {{1, 1}}, "best so far": {{0, 3}, {4, 2}, {4, 2}},
		}},
		"plane": {picture(plane), map[string][][2]float64{"feasible": {{4, 3}, {3, 4}, {5, 2}}, "limit on area": {{6, 1}}}},
		"causes": {picture(causes), map[string][][2]float64{
			"limit on area": {{0, 0}, {1, 1}, {5, 1}}, "memory": {{0, 0}, {2, 1}, {5, 1}},
		}},
		"work": {picture(work), map[string][][2]float64{"a": {{0, 1}, {2, 2}, {4, 3}}, "b": {{1, 1}, {3, 2}}}},
	} {
		if test.chart == nil {
			t.Fatalf("%s: there is no picture", name)
		}
		got := points(test.chart)
		if len(got) != len(test.want) {
			t.Errorf("%s: the picture shows %v, want %v", name, got, test.want)
		}
		for series, want := range test.want {
			if len(got[series]) != len(want) {
				t.Errorf("%s: %s has the points %v, want %v", name, series, got[series], want)
				continue
			}
			for i := range want {
				if got[series][i] != want[i] {
					t.Errorf("%s: %s has the points %v, want %v", name, series, got[series], want)
				}
			}
		}
	}
	p, _ := picture(coordinates).(*draw.Parallel)
	if p == nil || len(p.Columns) != 3 { // what is the same in all is left out
		t.Fatalf("the parameters are %+v, want two and the objective", p)
	}
	// Best first: trials 4, 0 and 3.
	for i, want := range [][]float64{{1, 0, 0}, {0, 0, 1}, {2, 3, 4}} {
		for k, v := range want {
			if p.Columns[i].Values[k] != v {
				t.Errorf("%s has the values %v, want %v", p.Columns[i].Name, p.Columns[i].Values, want)
			}
		}
	}
}

// A fidelity that does not count is no reason: nothing failed.
func TestReasonsLeaveLowFidelityOut(t *testing.T) {
	t.Parallel()
	l := reportLedger()
	spec := l.view.Spec
	spec.Fidelity = &events.Fidelity{Parameter: "cores"}
	c, err := newTally(spec)
	if err != nil {
		t.Fatal(err)
	}
	b := &client.Batch{Known: make([]bool, 3)}
	for i, cores := range []float64{1, 4, 2} { // the last one also breaks the limit
		b.Designs = append(b.Designs, events.Design{{Num: cores}, {Label: "ws"}, {Num: 3}})
		b.Answers = append(b.Answers, &events.TrialResult{Trial: i, Outcome: events.OutcomeMeasured, Values: events.Numbers{1, float64(2 + 2*i)}})
	}
	l.trials = nil
	l.add(b, c.add(b))
	if got := c.counts(); got.LowFidelity != 2 || got.Feasible != 1 {
		t.Errorf("counts = %+v, want two of low fidelity, and one feasible", got)
	}
	if diff := cmp.Diff([]reasonCount{{events.ReasonConstraint, 1}}, c.reasons(false)); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
	d, _ := shown(t, &gallery{ledger: l}, causes)
	if s := d.(*draw.Chart).Series; len(s) != 1 || s[0].Name != "limit on area" {
		t.Errorf("the reasons are %+v, want the limit alone", s)
	}
}

// A campaign says the share of feasible trials among those that could be feasible.
func TestCampaignShares(t *testing.T) {
	t.Parallel()
	c := &campaignJSON{Metric: "latency_s", Unit: "s", Studies: []campaignStudy{{Study: "one", State: "completed", Trials: 50, Feasible: 15, Voided: 10, LowFidelity: 20}}}
	var text strings.Builder
	c.table().Text(&text, cli.Paint{})
	if !strings.Contains(text.String(), " 75.0 % ") {
		t.Errorf("want 15 of 20 trials:\n%s", text.String())
	}
}

// A report is one file that asks for nothing, also of names that are markup.
func TestReportIsWhole(t *testing.T) {
	t.Parallel()
	l := reportLedger()
	l.trials[0].worker = "<script>alert(1)</script>"
	l.view.Best = &events.BestTrial{Trial: 4, Design: map[string]any{"cores": 2.0, "flow": "ws", "same": 3.0}, Metrics: map[string]float64{"latency_s": 2, "area_mm2": 5}}
	page, err := (&app{Terminal: &cli.Terminal{}}).reportPage(&gallery{ledger: l}, l.all)
	if err != nil {
		t.Fatal(err)
	}
	text := string(page)
	for _, never := range []string{"<script", "src=", "@import", "url(", "NaN"} {
		if strings.Contains(text, never) {
			t.Errorf("the report holds %q", never)
		}
	}
	if strings.Contains(strings.ReplaceAll(text, `xmlns="http://www.w3.org/2000/svg"`, ""), "://") {
		t.Error("the report names an address")
	}
	if n := strings.Count(text, "<svg"); n != 5 {
		t.Errorf("%d pictures, want 5", n)
	}
	if !bytes.Contains(page, []byte("trial 4")) {
		t.Error("the best trial is not there")
	}
}

// A run without an answer yet has a report too.
func TestReportOfNothing(t *testing.T) {
	t.Parallel()
	l := reportLedger()
	l.trials, l.counts = l.trials[5:], events.Counts{}
	page, err := (&app{Terminal: &cli.Terminal{}}).reportPage(&gallery{ledger: l}, l.all)
	if err != nil || !strings.Contains(string(page), "no trial is feasible") {
		t.Errorf("%v: %s", err, page)
	}
}

// Counts of very many trials are thinned: those that are left are exact, and the last one
// is there.
func TestCountsOfManyTrials(t *testing.T) {
	t.Parallel()
	const n = 100_001
	c := work(nil)
	for i := range n {
		c.add(&trial{number: 2 * i, result: &events.TrialResult{}, worker: "a"})
	}
	d, _ := c.done()
	s := d.(*draw.Chart).Series[0]
	if len(s.X) > mostCounts {
		t.Errorf("%d counts of %d trials, want %d at most", len(s.X), n, mostCounts)
	}
	for i := range s.X {
		if s.X[i] != 2*(s.Y[i]-1) {
			t.Fatalf("trial %g is count %g", s.X[i], s.Y[i])
		}
	}
	if last := len(s.X) - 1; s.Y[last] != n {
		t.Errorf("the last count is %g, want %d", s.Y[last], n)
	}
}

// A picture across the parameters has the best and the worst of very many trials.
func TestParametersOfManyTrials(t *testing.T) {
	t.Parallel()
	l := reportLedger()
	c := coordinates(&gallery{ledger: l})
	for i := range 2 * mostRows {
		c.add(&trial{
			number: i, design: events.Design{{Num: float64(int(1) << (i % 3))}, {Label: "ws"}, {Num: 3}},
			result: &events.TrialResult{Values: events.Numbers{float64(2*mostRows - i), 1}}, judgement: events.Judgement{Feasible: true},
		})
	}
	d, note := c.done()
	p := d.(*draw.Parallel)
	values := p.Columns[len(p.Columns)-1].Values
	if len(values) != mostRows || values[0] != 1 || values[mostRows-1] != 2*mostRows || len(p.Best) != mostRows/10 {
		t.Errorf("%d rows from %g to %g, %d of them the best", len(values), values[0], values[len(values)-1], len(p.Best))
	}
	if !strings.Contains(note, "Of 6000 feasible trials 3000 are shown") {
		t.Errorf("the caption says %q", note)
	}
}
