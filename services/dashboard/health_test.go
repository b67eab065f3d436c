package dashboard

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"apollo/archiver"
	"apollo/events"
	"apollo/events/membus"
	"apollo/services/messages"
)

// denied is the bus of a user who may not read dead letters.
type denied struct{ *membus.Client }

func (b denied) Count(ctx context.Context, filter string) (map[string]uint64, error) {
	if strings.HasPrefix(filter, "dlq.") {
		return nil, fmt.Errorf("count %s: %w", filter, events.ErrDenied)
	}
	return b.Client.Count(ctx, filter)
}

func TestHealthSaysWhoIsThereAndWhatIsWrong(t *testing.T) {
	t.Parallel()
	server, s, bus := siteOf(t, 3)
	s.Place, s.Metrics = "here", "http://127.0.0.1:1/metrics"
	s.Holdings = func() ([]archiver.Holding, error) {
		return []archiver.Holding{{Study: "demo", Runs: 1, Files: 2, Rows: 3, Bytes: 4096}, {Study: "gone", Runs: 2, Files: 1, Rows: 1500, Bytes: 1024}}, nil
	}
	for _, d := range []events.DeadLetter{
		{Service: "proposer", Reason: hostile, Subject: "apollo.v1.cmd.study.submit.demo", Body: []byte("<b>" + hostile)},
		{Service: "queue", Reason: "five deliveries", Subject: "apollo.v1.work.x", Body: []byte{0xff, 0xfe, 0, 1, 2, 3, 4, 5}},
	} {
		if err := messages.AppendDeadLetter(t.Context(), bus, "demo", d, "letter-"+d.Service); err != nil {
			t.Fatal(err)
		}
	}
	ask := func() (a HealthAnswer) {
		_, body := get(t, server.URL+"/api/v1/health")
		if err := json.Unmarshal([]byte(body), &a); err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		return a
	}
	notice := func(subject string, v any) {
		b, err := json.Marshal(v)
		if err == nil {
			err = bus.Notify(t.Context(), subject, b)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	a := ask()
	for tries := 0; len(a.Workers) < 1 || len(a.Archivers) < 1; tries++ {
		if tries > 2000 {
			t.Fatalf("never heard of: %+v", a)
		}
		notice(events.PresenceSubject("fake"), events.Presence{Evaluator: "fake", Worker: "one/1", Version: "7", Slots: 3, Answered: 300, FailedAttempts: 17, UpSeconds: 60})
		notice(events.ArchivingSubject, events.Archiving{Worker: "two/2", Dir: hostile, Rows: 5, Waiting: &events.Waiting{Code: "archive_stuck", Message: "no space left", Hint: "make room"}})
		a = ask()
	}
	if a.LettersKept != 2 || len(a.Letters) != 2 || a.Letters[0].Service != "queue" || a.Letters[1].Reason != hostile || a.Letters[1].Body != nil {
		t.Errorf("letters %+v, want two, the newest first, without their messages", a.Letters)
	}
	if l := a.Log; l == nil || l.Rows != 1503 || l.Files != 3 || l.Runs != 3 || l.RemovedCount != 1 || len(l.Removed) != 1 || l.Removed[0].Study != "gone" {
		t.Errorf("log %+v", a.Log)
	}
	if len(a.Streams) != len(events.Topology()) || len(a.Unknown) > 0 {
		t.Errorf("streams %+v, unknown %v", a.Streams, a.Unknown)
	}
	_, page := get(t, server.URL+"/health")
	for _, want := range []string{"<strong class=\"bad\">1 problem</strong>, 1 to look at", "one/1", "0 of 3", "no space left", "proposer 1, queue 1", `data-removed="gone"`, ">1503<", "5/s", ">17<", `href="http://127.0.0.1:1/metrics"`, "The message is no text.", "&lt;b&gt;"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q:\n%s", want, page)
		}
	}
	if strings.Contains(page, "<script>") || strings.Contains(page, "<b>"+hostile) {
		t.Error("a text of a user is in the page as it is")
	}
}

func TestHealthWithoutTheRightToReadLetters(t *testing.T) {
	t.Parallel()
	_, bus := site(t, 1)
	s := &Server{Bus: denied{bus}, roles: newRoles()}
	a := s.health(t.Context())
	if a.Unknown["letters"] == "" || len(a.Unknown) != 1 {
		t.Errorf("unknown: %v, want the letters", a.Unknown)
	}
	for _, f := range a.Findings {
		if f.Check == "dead letters" && !f.OK {
			t.Errorf("what may not be read counts as a problem: %+v", f)
		}
	}
	w := httptest.NewRecorder()
	render(w, httptest.NewRequestWithContext(t.Context(), "GET", "/health", nil), parsePages(), "health", a.page(s.roles.since, s.roles.since))
	if body := w.Body.String(); !strings.Contains(body, `data-unknown="letters"`) || strings.Contains(body, "There is none.") {
		t.Errorf("the page does not say that the letters are not known:\n%s", body)
	}
}
