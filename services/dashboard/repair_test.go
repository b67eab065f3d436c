package dashboard

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"apollo/events"
	"apollo/optimizer/space"
	"apollo/services/inspect"
	"apollo/services/messages"
	"apollo/services/servicestest"
	"apollo/services/studyfile"
)

// edgeStudy is a study on a template of this build under which its baseline is over the
// area, and the baseline.
func edgeStudy(t *testing.T) (*events.Spec, events.Design) {
	t.Helper()
	const text = `{"apiVersion": "apollo/v1", "kind": "Study", "metadata": {"name": "edge"}, "spec": {
		"space": {"template": "edge"}, "workload": {"networks": [{"name": "mobilenet_v2"}]},
		"objectives": [{"metric": "latency", "goal": "minimize"}], "constraints": [{"metric": "area", "max": "6 mm2"}],
		"algorithm": {"name": "random"}, "budget": {"trials": 10}}}`
	doc, err := studyfile.Parse("edge", []byte(text), inspect.Builtins().Study(), studyfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	base := inspect.BaselineOf(t.Context(), doc.Spec)
	limit := 0.97 * base.Metrics["area_mm2"]
	doc.Spec.Constraints[0].Max = &limit
	return doc.Spec, base.Design
}

// failing puts a trial that cannot run onto a bus.
func failing(t *testing.T, bus events.Bus, s *events.Spec, n int, design events.Design) {
	t.Helper()
	p := events.TrialsProposed{Study: s.Study, Run: servicestest.Run, Batch: n, FirstTrial: n, Designs: []events.Design{design}, Origins: []string{"random"}}
	id := fmt.Sprint("edge", n)
	data, err := events.Encode(id, "test", s.Study, message(t, uint64(n+2), p).Time, p)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bus.Log().Append(t.Context(), events.Message{Subject: events.StudySubject(s.Study, servicestest.Run, "proposed"), ID: id, Data: data}, events.Fence{}); err != nil {
		t.Fatal(err)
	}
	e := events.BatchEvaluated{
		Study: s.Study, Run: servicestest.Run, Batch: n, Evaluator: s.Evaluator.Name, EvaluatorVersion: s.Evaluator.Version,
		Trials: []events.TrialResult{{Trial: n, Outcome: events.OutcomeInfeasible, Reason: &events.Reason{Code: "no_room", Message: "no room"}}},
	}
	for _, metric := range s.Measured() {
		e.Metrics = append(e.Metrics, metric.Name)
	}
	m := events.Message{Subject: events.ResultSubject(s.Evaluator.Name, s.Study, servicestest.Run, n), ID: "r" + id, Data: encoded(t, e)}
	if _, err := bus.Facts().Record(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

// A cause has the repair of one example, whatever fails after it, and the page of that
// trial takes it from there.
func TestTheRepairOfACauseIsLookedForOnce(t *testing.T) {
	t.Parallel()
	server, s, bus := siteOf(t, 0)
	edge, design := edgeStudy(t)
	rung(t, bus, edge.Study, 1, 0, 0, func(s *events.Spec) { *s = *edge })
	failing(t, bus, edge, 0, design)
	address := server.URL + "/studies/edge?repairs=yes"
	repair := regexp.MustCompile(`smallest repair of <a href="[^"]*">trial (\d+)</a>: <bdi>([^<]*)</bdi>`)
	page := func(last int) []string {
		t.Helper()
		for range 1000 { // it is read as it comes
			if _, body := get(t, address); strings.Contains(body, fmt.Sprintf(`">trial %d</a><div`, last)) && !strings.Contains(body, `id="looking"`) {
				return repair.FindStringSubmatch(body)
			}
		}
		t.Fatalf("the page does not come to trial %d", last)
		return nil
	}
	first := page(0)
	if len(first) != 3 || first[1] != "0" || !strings.Contains(first[2], "→") {
		t.Fatalf("the repair is %q, want one of trial 0", first)
	}
	other := slices.Clone(design)
	for i, p := range edge.Parameters {
		if k := slices.Index(p.Values, other[i].Num); k > 0 {
			other[i] = space.Value{Num: p.Values[k-1]}
		}
	}
	failing(t, bus, edge, 1, other)
	if second := page(1); !slices.Equal(first, second) {
		t.Errorf("once trial 1 failed too the repair is %q, want %q still", second, first)
	}
	var known *repairs
	s.mu.Lock()
	for key, w := range s.watches {
		if key.Study == edge.Study {
			known = w.repairs
		}
	}
	s.mu.Unlock()
	if _, body := get(t, server.URL+"/studies/edge/trials/0?around=yes"); !strings.Contains(body, `id="repair"`) || !strings.Contains(body, first[2]) {
		t.Errorf("the page of trial 0 lacks the repair %q", first[2])
	}
	known.mu.Lock()
	defer known.mu.Unlock()
	if len(known.found) != 1 {
		t.Errorf("%d designs were looked at, want trial 0's alone", len(known.found))
	}
}

// A page does not wait for repairs that take long: it says how many are looked for, and has
// them when they are found.
func TestAPageDoesNotWaitForRepairs(t *testing.T) {
	t.Parallel()
	server, s, bus := siteOf(t, 0)
	edge, design := edgeStudy(t)
	rung(t, bus, edge.Study, 1, 0, 0, func(s *events.Spec) { *s = *edge })
	failing(t, bus, edge, 0, design)
	address := server.URL + "/studies/edge"
	// A busy list of studies may not know this one yet.
	for r, _ := get(t, address); r.StatusCode != http.StatusOK; r, _ = get(t, address) {
		time.Sleep(time.Millisecond)
	}
	s.mu.Lock()
	known := s.watches[messages.RunKey{Study: edge.Study, Run: servicestest.Run}].repairs
	s.mu.Unlock()
	known.turn <- struct{}{} // somebody looks for another one
	if _, body := get(t, address+"?repairs=yes"); !strings.Contains(body, "One repair is still looked for.") || strings.Contains(body, "smallest repair of") {
		t.Errorf("the page does not say that a repair is looked for:\n%s", body)
	}
	<-known.turn
	for range 1000 {
		if _, body := get(t, address+"?repairs=yes"); strings.Contains(body, "smallest repair of") && !strings.Contains(body, `id="looking"`) {
			return
		}
	}
	t.Error("the repair is never found")
}

// Who waits for another's search takes no room of those who evaluate, and may go.
func TestWaitingForARepairTakesNoRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &Server{eyes: make(chan struct{}, looking)}
		shot := &snapshot{repairs: newRepairs(nil)}
		shot.repairs.turn <- struct{}{}
		ctx, leave := context.WithCancel(t.Context())
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
		done := make(chan error)
		go func() {
			_, err := s.repairOf(r, shot, nil)
			done <- err
		}()
		synctest.Wait()
		if n := len(s.eyes); n != 0 {
			t.Errorf("%d tokens are taken by who waits", n)
		}
		leave()
		if err := <-done; err == nil {
			t.Error("a client that is gone gets a repair")
		}
	})
}

func TestARepairSaysWhatWasNotLookedAt(t *testing.T) {
	t.Parallel()
	p := space.Param{Name: "cores", Values: []float64{1, 2}}
	s := &snapshot{params: []space.Param{p}}
	step := []inspect.Step{{Param: p, From: p.Value(0), To: p.Value(1)}}
	for _, c := range []struct {
		steps []inspect.Step
		whole bool
		want  string
	}{
		{nil, true, "none of one or two parameters by one level"},
		{nil, false, "none found by one level: not every pair of changes was looked at"},
		{step, true, "cores 1 → 2"},
		{step, false, "cores 1 → 2 (not every pair of changes was looked at)"},
	} {
		if got := s.repairText(c.steps, c.whole); got.text != c.want || len(got.words) != 2*len(c.steps) {
			t.Errorf("repairText(%d steps, %t) = %+v, want %q", len(c.steps), c.whole, got, c.want)
		}
	}
}

// What is known of a design's single changes is shown while its repair is still looked for.
func TestTheChangesDoNotWaitForTheRepair(t *testing.T) {
	t.Parallel()
	edge, design := edgeStudy(t)
	f := &Fold{}
	if err := f.Event(message(t, 1, accepted(edge))); err != nil {
		t.Fatal(err)
	}
	f.proposed[0] = &events.TrialsProposed{Designs: []events.Design{design}, Origins: []string{"random"}}
	e := events.BatchEvaluated{Trials: []events.TrialResult{{Outcome: events.OutcomeInfeasible, Reason: &events.Reason{Code: "no_room"}}}}
	e.Evaluator, e.EvaluatorVersion = edge.Evaluator.Name, edge.Evaluator.Version
	for _, metric := range edge.Measured() {
		e.Metrics = append(e.Metrics, metric.Name)
	}
	f.Answer(0, &e)
	w := watch{fold: *f}
	shot := w.snapshot()
	synctest.Test(t, func(t *testing.T) {
		s := &Server{eyes: make(chan struct{}, looking), index: &index{}}
		shot.repairs = newRepairs(nil)
		shot.repairs.turn <- struct{}{} // somebody looks for another one
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		levels, _ := shot.changed(shot.trial(0), nil)
		p := shot.designPage(shot.trial(0), levels, false, nil)
		if !s.examine(r, p, shot, shot.trial(0), levels) || p.More == "" || p.Repair != nil {
			t.Errorf("the page asks at %q, and its repair is %v; want one that is still looked for", p.More, p.Repair)
		}
		if p.NearbyTitle == "" || len(p.Slices) == 0 {
			t.Errorf("the page has the changes %q and %d slices, want both", p.NearbyTitle, len(p.Slices))
		}
	})
}
