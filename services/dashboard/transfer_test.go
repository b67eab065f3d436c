package dashboard

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"apollo/events"
	"apollo/services/servicestest"
	"apollo/services/transfer"
)

func TestTransferSaysWhatSourcesBrought(t *testing.T) {
	t.Parallel()
	server, s, bus := siteOf(t, 0)
	if r, body := get(t, server.URL+"/api/v1/studies/demo/transfer"); r.StatusCode != http.StatusConflict {
		t.Errorf("without sources: status %d: %s", r.StatusCode, body)
	}
	if _, page := get(t, server.URL+"/studies/demo/transfer"); !strings.Contains(page, "learns from no other one") {
		t.Errorf("without sources the page says:\n%s", page)
	}
	var asked *events.Spec
	s.Candidates = func(_ context.Context, spec *events.Spec) ([]transfer.Candidate, error) {
		asked = spec
		return []transfer.Candidate{
			{Study: "older", Parameters: []transfer.Match{{Name: hostile, Use: "dropped", Note: hostile}, {Name: "x", Use: transfer.Mapped}}},
			{Study: "theirs", Refused: hostile},
		}, nil
	}
	publish(t, bus, 2, events.StudyStarted{Study: "demo", Run: servicestest.Run, Sources: []events.SourcePin{
		{Study: "older", Run: "1badcafe", Trials: 50, Use: "model", Quarantined: 3, LeftOut: []events.LeftOut{{Reason: "value", Rows: 3}}, Why: hostile},
	}})
	// Every third trial is of the control arm, every third a model's, the rest seeds.
	origins := func(i int) string {
		return []string{"control/random", "transfer:rgpe:older", fmt.Sprintf("seed:older/%d", i)}[i%3]
	}
	const n = 30
	for i := range n {
		p := proposal(spec(), i)
		p.Origins = []string{origins(i)}
		publish(t, bus, uint64(3+i), p)
		m := events.Message{Subject: events.ResultSubject("fake", "demo", servicestest.Run, i), ID: fmt.Sprint("r", i), Data: encoded(t, measured(i))}
		if _, err := bus.Facts().Record(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	var got transfer.Report
	var body string
	for tries := 0; got.Search.Trials+got.Control.Trials < n; tries++ {
		_, body = get(t, server.URL+"/api/v1/studies/demo/transfer")
		_ = json.Unmarshal([]byte(body), &got) // until it is there
		if tries > 2000 {
			t.Fatalf("never: %s", body)
		}
	}
	conforms(t, server.URL, "GET", "/api/v1/studies/{study}/transfer", body)
	best := [2]float64{1, 1}
	for i := range n {
		if i%10 != 9 && i%4 != 3 {
			arm := min(i%3, 1)
			best[arm] = min(best[arm], latency(i))
		}
	}
	if got.Control.Trials != n/3 || *got.Control.Best != best[0] || *got.Search.Best != best[1] || got.Saved == nil || got.Compared != n/3 || len(got.Credit) != 1 || got.Credit[0].Trials != 2*n/3 {
		t.Errorf("%+v", got)
	}
	_, page := get(t, server.URL+"/studies/demo/transfer?matched=yes")
	for _, want := range []string{
		`data-source="older"`, "3 rows", transfer.ReasonText("value"), `class="share line0"`, metricText(spec(), "latency_s", best[1]),
		"of 10</p>", "&lt;script&gt;", ">refused<", `class="line1"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q:\n%s", want, page)
		}
	}
	if strings.Contains(page, "<script>") {
		t.Error("a text of a user is in the page as it is")
	}
	if asked == nil || len(asked.Transfer.Sources) != 1 || asked.Transfer.Sources[0].Run != "1badcafe" {
		t.Errorf("what is matched was asked of %+v, want the source that the run began with", asked)
	}
	if _, page := get(t, server.URL+"/studies/demo"); !strings.Contains(page, `id="saved"`) || !strings.Contains(page, `/studies/demo/transfer?run=`) {
		t.Errorf("the page of the study does not lead to its sources:\n%s", page)
	}
}
