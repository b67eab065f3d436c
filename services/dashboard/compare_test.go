package dashboard

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"apollo/events"
	"apollo/services/compare"
	"apollo/services/servicestest"
)

func TestCompareSetsStudiesSideBySide(t *testing.T) {
	t.Parallel()
	server, bus := site(t, 20)
	const again = "1badcafe" // the same study, run anew with another algorithm, shorter
	log := func(kind string, e events.Payload, id string) {
		data, err := events.Encode(id, "test", "demo", message(t, 1, accepted(spec())).Time, e)
		if err == nil {
			_, err = bus.Log().Append(t.Context(), events.Message{Subject: events.StudySubject("demo", again, kind), ID: id, Data: data}, events.Fence{})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	other := spec()
	other.Algorithm.Name = "other"
	log("accepted", events.StudyAccepted{Study: "demo", Run: again, Spec: *other, SpecSHA256: events.SpecSHA256(other)}, "again")
	p := proposal(other, 5)
	p.Run, p.Batch, p.FirstTrial = again, 0, 0
	log("proposed", p, "again-0")
	e := measured(5)
	e.Run, e.Batch, e.Trials[0].Trial = again, 0, 0
	m := events.Message{Subject: events.ResultSubject("fake", "demo", again, 0), ID: "again-r", Data: encoded(t, e)}
	if _, err := bus.Facts().Record(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	query := "?study=demo/" + servicestest.Run + "&study=demo/" + again
	var got compare.Report
	var body string
	for tries := 0; len(got.Studies) < 2 || got.Studies[1].Trials < 1; tries++ {
		_, body = get(t, server.URL+"/api/v1/compare"+query)
		_ = json.Unmarshal([]byte(body), &got) // until it is there
		if tries > 2000 {
			t.Fatalf("never: %s", body)
		}
	}
	conforms(t, server.URL, "GET", "/api/v1/compare", body)
	one, two := got.Studies[0], got.Studies[1]
	if one.Trials != 20 || one.Feasible != 14 || *one.Value != latency(0) || two.Trials != 1 || *two.Value != latency(5) || *got.Level != latency(5) {
		t.Errorf("%+v and %+v, level %v", one, two, *got.Level)
	}
	_, page := get(t, server.URL+"/compare"+query)
	for _, want := range []string{`class="line0"`, `class="line1"`, "demo/" + again, "<bdi>algorithm.name</bdi>", "<bdi class=\"why\">other</bdi>"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q:\n%s", want, page)
		}
	}
	for query, want := range map[string]int{
		"?study=demo": http.StatusBadRequest, "?study=demo&study=demo": http.StatusUnprocessableEntity, "?study=demo&study=none": http.StatusNotFound,
		"?study=demo&study=%3Cscript%3E": http.StatusNotFound, "?study=demo&run=x&study=demo": http.StatusBadRequest, "?" + strings.Repeat("study=demo&", 25): http.StatusBadRequest,
	} {
		if r, body := get(t, server.URL+"/api/v1/compare"+query); r.StatusCode != want {
			t.Errorf("%s: status %d, want %d: %s", query, r.StatusCode, want, body)
		}
		if _, body := get(t, server.URL+"/compare"+query); strings.Contains(body, "<script>") || !strings.Contains(body, `role="alert"`) {
			t.Errorf("%s: the page says not why, or has a text of a user as it is:\n%s", query, body)
		}
	}
}

// Trials that were measured anew are no longer kept, but a comparison counts what they cost.
func TestCompareCountsVoidedTrials(t *testing.T) {
	t.Parallel()
	s := &snapshot{spec: spec(), voided: map[int]bool{0: true, 2: true, 9: true}, counts: Counts{Counts: events.Counts{Trials: 5, Voided: 3}}}
	s.kept = []kept{{trial: 1, kind: kindFeasible, values: []float64{2, 5, 1}}, {trial: 3, kind: kindFeasible, values: []float64{1, 5, 1}}}
	one, err := s.compared()
	if err != nil {
		t.Fatal(err)
	}
	r, err := compare.Of([]*compare.Study{one, {Study: "other", Spec: spec()}})
	if err != nil {
		t.Fatal(err)
	}
	if got := &r.Studies[0]; got.Trials != 5 || got.Voided != 3 || got.FeasibleShare() != "100.0 %" || got.Curve[0].Trials != 2 || got.Curve[1].Trials != 4 {
		t.Errorf("%+v, want 5 trials, 3 of them voided, and the others feasible", got)
	}
}
