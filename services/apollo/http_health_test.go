package main

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"apollo/events"
	"apollo/events/membus"
	"apollo/services/messages"
)

// page asks a monitor for a page.
func page(t *testing.T, m *monitor, path string) (status int, body string) {
	t.Helper()
	w := httptest.NewRecorder()
	m.handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", path, nil))
	return w.Code, w.Body.String()
}

// The pages tell the truth: no streams, an archiver with a full disk, one that is
// behind with a run, and that all is well again.
func TestHealthTellsTheTruth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := membus.New(membus.Config{}).Client("monitor")
		m := newMonitor(client, newMeters())
		says := func(path string, status int, text string) {
			t.Helper()
			got, body := page(t, m, path)
			if got != status || !strings.Contains(body, text) {
				t.Errorf("GET %s: %d %q, want %d with %q", path, got, body, status, text)
			}
		}
		faults := func(n string) {
			t.Helper()
			if _, body := page(t, m, "/metrics"); !strings.Contains(body, "\napollo_faults "+n+"\n") {
				t.Errorf("the metrics do not say %s faults", n)
			}
		}
		if err := client.Provision(t.Context()); err != nil {
			t.Fatal(err)
		}
		says("/healthz", 200, "ok")
		says("/readyz", 200, "ready")
		faults("0")
		full := &events.Waiting{Code: events.WaitsArchiveStuck, Message: "no space left on device", Hint: "make room"}
		m.archives.Note(events.Archiving{Worker: "box/1", Rows: 7, Waiting: full})
		says("/healthz", 503, "archiver box/1: no space left on device; make room")
		says("/readyz", 200, "ready")
		says("/metrics", 200, `apollo_archive_lag_trials{worker="box/1"} 7`)
		says("/metrics", 200, `apollo_archive_stuck{worker="box/1"} 1`)
		faults("1")
		m.archives.Note(events.Archiving{Worker: "box/1", Behind: []events.ArchiveWaiting{{Study: "demo", Run: "0badcafe", Waiting: full}}})
		says("/healthz", 503, "behind with run 0badcafe of demo")
		m.archives.Note(events.Archiving{Worker: "box/1"})
		says("/healthz", 200, "ok")
		says("/metrics", 200, `apollo_archive_stuck{worker="box/1"} 0`)
		time.Sleep(2 * events.AbsentAfter)
		if _, body := page(t, m, "/metrics"); strings.Contains(body, "apollo_archive_stuck{") {
			t.Error("an archiver that is gone is still among the metrics")
		}
		// A run that goes on, and no archiver for a while: faults. Two evaluators of
		// one name, and dead letters, are for somebody to look at.
		following, over := context.WithCancel(t.Context())
		var wait sync.WaitGroup
		wait.Go(func() { m.archives.Follow(following, client) })
		m.waits.Fold(events.StudyAccepted{Study: "demo", Run: "0badcafe"})
		m.tick(events.Progress{Study: "demo", Run: "0badcafe", State: "running"})
		says("/healthz", 200, "ok")
		time.Sleep(2 * events.AbsentAfter)
		m.tick(events.Progress{Study: "demo", Run: "0badcafe", State: "running"})
		says("/healthz", 503, "archivers: no archiver is there: trials are measured, and not written to the Parquet log (1 run)")
		m.waits.Fold(events.StudyCancelled{Study: "demo", Run: "0badcafe"})
		says("/healthz", 200, "ok")
		for _, p := range []events.Presence{{Evaluator: "edge", Worker: "a", Version: "1"}, {Evaluator: "edge", Worker: "b", Version: "2"}} {
			data, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			m.workers.Note(events.Message{Subject: events.PresenceSubject("edge"), Data: data, Time: time.Now()})
		}
		if err := messages.AppendDeadLetter(t.Context(), client, "demo", events.DeadLetter{Service: "proposer", Reason: "a test", Subject: "x"}, "letter"); err != nil {
			t.Fatal(err)
		}
		says("/healthz", 200, "warns: evaluators: 2 different evaluators serve the name edge")
		says("/healthz", 200, "warns: dead letters: proposer 1")
		faults("0")
		over()
		wait.Wait()
		// Nothing is served any more: the process is not ready.
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		w := httptest.NewRecorder()
		m.handler().ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/readyz", nil))
		if w.Code != 503 {
			t.Errorf("without an answer of the bus it is ready: %d", w.Code)
		}
	})
}

// Runs that have ended leave the metrics, however many there were.
func TestEndedRunsLeaveTheMetrics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMonitor(membus.New(membus.Config{}).Client("monitor"), newMeters())
		series := func() int {
			_, body := page(t, m, "/metrics")
			return len(regexp.MustCompile(`(?m)^apollo_study_`).FindAllString(body, -1))
		}
		for i := range 1000 {
			m.tick(events.Progress{Study: "demo", Run: string(rune('a'+i/26/26)) + string(rune('a'+i/26%26)) + string(rune('a'+i%26)), State: "running", Budget: 10})
		}
		if n := series(); n != 5000 {
			t.Errorf("%d series of 1000 runs, want 5 each", n)
		}
		time.Sleep(runStays + time.Second)
		m.tick(events.Progress{Study: "demo", Run: "zzz", State: "running", Budget: 10})
		if n := series(); n != 5 {
			t.Errorf("%d series of the run that is left, want 5", n)
		}
		m.runs.mu.Lock()
		defer m.runs.mu.Unlock()
		if n := len(m.runs.runs); n != 1 {
			t.Errorf("%d runs are remembered", n)
		}
	})
}

// What the services do is counted, with a bound on what programs may invent.
func TestMetersCount(t *testing.T) {
	t.Parallel()
	meters := newMeters()
	m := newMonitor(membus.New(membus.Config{}).Client("monitor"), meters)
	e := meters.of("edge")
	e.Taken(1, 2*time.Second)
	e.Taken(2, time.Hour)
	e.Attempted("", time.Millisecond)
	for i := range 2 * maxCodes {
		e.Attempted("code_"+string(rune('a'+i/26))+string(rune('a'+i%26)), time.Millisecond)
	}
	e.Answered(events.OutcomeMeasured)
	meters.suggested("random", time.Second)
	_, body := page(t, m, "/metrics")
	for _, want := range []string{
		`apollo_evaluator_redeliveries_total{evaluator="edge"} 1`,
		`apollo_evaluator_queue_wait_seconds_count{evaluator="edge"} 1`,
		`apollo_evaluator_attempts_total{evaluator="edge"} 129`,
		`apollo_evaluator_evaluation_seconds_count{evaluator="edge"} 129`,
		`apollo_evaluator_failed_attempts_total{code="other",evaluator="edge"} 64`,
		`apollo_evaluator_trials_total{evaluator="edge",outcome="measured"} 1`,
		`apollo_proposer_suggestion_seconds_sum{algorithm="random"} 1`,
	} {
		if !strings.Contains(body, "\n"+want+"\n") {
			t.Errorf("the metrics lack %s", want)
		}
	}
}
