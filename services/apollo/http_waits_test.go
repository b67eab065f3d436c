package main

import (
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"apollo/events"
	"apollo/events/membus"
)

// What studies wait for is in /healthz, which stays 200, and in the metrics.
func TestHealthSaysWhatStudiesWaitFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := membus.New(membus.Config{}).Client("monitor")
		if err := client.Provision(t.Context()); err != nil {
			t.Fatal(err)
		}
		m := newMonitor(client, newAttemptCounter())
		get := func(path string) string {
			t.Helper()
			w := httptest.NewRecorder()
			m.handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", path, nil))
			if w.Code != 200 {
				t.Errorf("GET %s: %d", path, w.Code)
			}
			return w.Body.String()
		}
		const metric = `apollo_study_waiting{code="%",run="0badcafe",study="demo"} 1`
		says := func(code, text string) {
			t.Helper()
			health, metrics := get("/healthz"), get("/metrics")
			if code == "" {
				if health != "ok\n" || strings.Contains(metrics, "apollo_study_waiting{") {
					t.Errorf("nothing waits, and the health is %q", health)
				}
				return
			}
			if !strings.HasPrefix(health, "ok\nwaits: demo/0badcafe ("+code+"): "+text) {
				t.Errorf("the health is %q, want %s: %s", health, code, text)
			}
			if want := strings.ReplaceAll(metric, "%", code); !strings.Contains(metrics, want) {
				t.Errorf("no %s among the metrics", want)
			}
		}
		cause := func(code string) *events.Waiting { return &events.Waiting{Code: code, Message: "because", Hint: "do"} }
		const study, run = "demo", "0badcafe"
		tick := func(w *events.Waiting) {
			m.tick(events.Progress{Study: study, Run: run, State: "running", Waiting: w})
		}
		m.waits.fold(events.StudyAccepted{Study: study, Run: run})
		says("", "")
		m.waits.fold(events.StudyWaiting{Study: study, Run: run, Waiting: cause(events.WaitsNoEvaluator)})
		says(events.WaitsNoEvaluator, "because")
		tick(cause(events.WaitsStreamFull)) // cannot be in the log
		says(events.WaitsStreamFull, "because")
		tick(nil)
		says("", "")
		time.Sleep(2 * silentAfter)
		says(events.WaitsNoProposer, "nobody drives the study")
		tick(nil)
		m.waits.fold(events.StudyPaused{Study: study, Run: run, Command: "c1", Reason: "on request"})
		says("", "")
		m.waits.fold(events.StudyPaused{Study: study, Run: run, Reason: "20 trials in a row failed"})
		says(waitsPaused, "20 trials in a row failed")
		m.waits.fold(events.StudyResumed{Study: study, Run: run})
		m.waits.fold(events.StudyCompleted{Study: study, Run: run})
		m.waits.fold(events.ArchiveWaiting{Study: study, Run: run, Trials: 3, Waiting: cause(events.WaitsArchiveStuck)})
		says(events.WaitsArchiveStuck, "because")
		m.waits.fold(events.ArchiveFinal{Study: study, Run: run, Trials: 3})
		says("", "")
	})
}
