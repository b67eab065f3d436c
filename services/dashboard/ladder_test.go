package dashboard

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"apollo/events"
	"apollo/services/certify"
	"apollo/services/servicestest"
)

// rung puts a study with a limit on the area, and its best, onto a bus.
func rung(t *testing.T, bus events.Bus, name string, limit, best, area float64, change func(*events.Spec)) {
	t.Helper()
	s := spec()
	s.Study = name
	for i := range s.Constraints {
		if s.Constraints[i].Metric == "area_mm2" {
			s.Constraints[i].Max = &limit
		}
	}
	if change != nil {
		change(s)
	}
	for i, e := range []events.Payload{
		events.StudyAccepted{Study: name, Run: servicestest.Run, Spec: *s, SpecSHA256: events.SpecSHA256(s)},
		events.StudyImproved{Study: name, Run: servicestest.Run, Best: events.BestTrial{Trial: 7, Metrics: map[string]float64{"latency_s": best, "area_mm2": area, "energy_j": 1}}},
	} {
		if best == 0 && i == 1 {
			continue
		}
		id := name + events.Kind(e.EventType())
		data, err := events.Encode(id, "test", name, message(t, 1, accepted(spec())).Time, e)
		if err == nil {
			m := events.Message{Subject: events.StudySubject(name, servicestest.Run, events.Kind(e.EventType())), ID: id, Data: data}
			_, err = bus.Log().Append(t.Context(), m, events.Fence{})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestLadderSaysWhatALimitIsWorth(t *testing.T) {
	t.Parallel()
	server, s, bus := siteOf(t, 0)
	var asked []float64
	s.Proven = func(_ context.Context, _ *events.Spec, metric string, limits []float64) []certify.Optimum {
		if asked = limits; metric != "area_mm2" {
			t.Errorf("asked for limits on %s", metric)
		}
		return []certify.Optimum{{Limit: 4}, {Limit: 5, Value: new(0.004)}, {Limit: 6, Value: new(0.003)}, {Limit: 8, Value: new(0.002)}}
	}
	rung(t, bus, "five", 5, 0.005, 4.5, nil)
	rung(t, bus, "six", 6, 0.006, 5.5, nil) // worse than what is known within its limit
	rung(t, bus, "eight", 8, 0.002, 5.8, nil)
	rung(t, bus, "none", 9, 0, 0, func(s *events.Spec) { s.Labels = map[string]string{"who": hostile} })
	rung(t, bus, "another", 6, 0.001, 5, func(s *events.Spec) { s.Evaluator.Name = "another" })
	var got LadderAnswer
	var body string
	names := func() (out []string) {
		for _, r := range got.Rungs {
			out = append(out, r.Study)
		}
		return out
	}
	want := []string{"five", "six", "eight", "none"}
	for tries := 0; !slices.Equal(slices.DeleteFunc(names(), func(n string) bool { return n == "demo" }), want); tries++ {
		_, body = get(t, server.URL+"/api/v1/ladder?study=six")
		_ = json.Unmarshal([]byte(body), &got) // until it is there
		if tries > 2000 {
			t.Fatalf("never: %s", body)
		}
	}
	conforms(t, server.URL, "GET", "/api/v1/ladder", body)
	got.Rungs = slices.DeleteFunc(got.Rungs, func(r Rung) bool { return r.Study == "demo" })
	// The best of eight takes 5.8, so that it holds under 6 as well.
	known := []float64{0.005, 0.002, 0.002, 0.002}
	for i, r := range got.Rungs {
		if r.Known == nil || *r.Known != known[i] {
			t.Errorf("%s: known %v, want %v", r.Study, r.Known, known[i])
		}
	}
	if s := got.Rungs[1].Slope; s == nil || *s != (0.002-0.005)/(6-5) {
		t.Errorf("slope at 6: %v, want -0.003", s)
	}
	if len(got.Proven) != 4 || got.Proven[0].Value != nil || got.Proven[1].Slope != nil || *got.Proven[3].Slope != (0.002-0.003)/2 || !slices.IsSorted(asked) {
		t.Errorf("proven %+v, asked for %v", got.Proven, asked)
	}
	_, page := get(t, server.URL+"/ladder?study=six&limit=area_mm2")
	for _, text := range []string{
		`<tr data-study="six" class="top">`, `id="known">2 ms<`, `id="price-below">−1 ms<`, "per mm²", "proven optimum", `class="line2"`,
		"another: latency against area", "optimal",
	} {
		if !strings.Contains(strings.ReplaceAll(page, "\u00a0", " "), text) {
			t.Errorf("the page has no %q:\n%s", text, page)
		}
	}
	for query, want := range map[string]int{
		"?study=nobody": http.StatusNotFound, "?study=six&limit=%3Cscript%3E": http.StatusNotFound, "?of=six": http.StatusBadRequest, "?study=six&limit=latency_s": http.StatusNotFound,
	} {
		if r, body := get(t, server.URL+"/api/v1/ladder"+query); r.StatusCode != want {
			t.Errorf("%s: status %d, want %d: %s", query, r.StatusCode, want, body)
		}
		if _, body := get(t, server.URL+"/ladder"+query); strings.Contains(body, "<script>") {
			t.Errorf("%s: a text of a user is in the page as it is", query)
		}
	}
}
