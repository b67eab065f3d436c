package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"apollo/events"
	"apollo/events/membus"
	"apollo/services/client"
	"apollo/services/health"
)

// What studies wait for is in /healthz and in the metrics. The page stays 200 where
// a user has to mend it, and is 503 where the operator has to.
func TestHealthSaysWhatStudiesWaitFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := membus.New(membus.Config{}).Client("monitor")
		if err := bus.Provision(t.Context()); err != nil {
			t.Fatal(err)
		}
		m := newMonitor(bus, newMeters())
		var code int // of the last page
		get := func(path string) string {
			t.Helper()
			w := httptest.NewRecorder()
			m.handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", path, nil))
			code = w.Code
			return w.Body.String()
		}
		const metric = `apollo_study_waiting{code="%",run="0badcafe",study="demo"} 1`
		says := func(cause, text string) {
			t.Helper()
			said, want := get("/healthz"), http.StatusOK
			if health.IsFault(cause) {
				want = http.StatusServiceUnavailable
			}
			if code != want {
				t.Errorf("the health has the status %d, want %d", code, want)
			}
			metrics := get("/metrics")
			if cause == "" {
				if said != "ok\n" || strings.Contains(metrics, "apollo_study_waiting{") {
					t.Errorf("nothing waits, and the health is %q", said)
				}
				return
			}
			head := "ok\n"
			if want != http.StatusOK {
				head = cause + ": demo: " + text
			}
			if !strings.HasPrefix(said, head) || !strings.Contains(said, "\nwaits: demo/0badcafe ("+cause+"): "+text) {
				t.Errorf("the health is %q, want %s: %s", said, cause, text)
			}
			if want := strings.ReplaceAll(metric, "%", cause); !strings.Contains(metrics, want) {
				t.Errorf("no %s among the metrics", want)
			}
		}
		cause := func(code string) *events.Waiting { return &events.Waiting{Code: code, Message: "because", Hint: "do"} }
		const study, run = "demo", "0badcafe"
		tick := func(w *events.Waiting) {
			m.tick(events.Progress{Study: study, Run: run, State: "running", Waiting: w})
		}
		m.waits.Fold(events.StudyAccepted{Study: study, Run: run})
		says("", "")
		m.waits.Fold(events.StudyWaiting{Study: study, Run: run, Waiting: cause(events.WaitsNoEvaluator)})
		says(events.WaitsNoEvaluator, "because")
		tick(cause(events.WaitsStreamFull)) // cannot be in the log
		says(events.WaitsStreamFull, "because")
		tick(nil)
		says("", "")
		time.Sleep(2 * client.SilentAfter)
		says(events.WaitsNoProposer, "nobody drives the study")
		tick(nil)
		m.waits.Fold(events.StudyPaused{Study: study, Run: run, Command: "c1", Reason: "on request"})
		says("", "")
		m.waits.Fold(events.StudyPaused{Study: study, Run: run, Reason: "20 trials in a row failed"})
		says(health.Paused, "20 trials in a row failed")
		m.waits.Fold(events.StudyResumed{Study: study, Run: run})
		m.waits.Fold(events.StudyCompleted{Study: study, Run: run})
		m.waits.Fold(events.ArchiveWaiting{Study: study, Run: run, Trials: 3, Waiting: cause(events.WaitsArchiveStuck)})
		says(events.WaitsArchiveStuck, "because")
		m.waits.Fold(events.ArchiveFinal{Study: study, Run: run, Trials: 3})
		says("", "")
		// What no archiver mends stays, whatever it tells of the files that it has.
		m.waits.Fold(events.ArchiveWaiting{Study: study, Run: run, Waiting: cause(events.WaitsArchiveDiffers)})
		m.waits.Fold(events.ArchivePart{Study: study, Run: run, Rows: 3})
		m.waits.Fold(events.ArchiveWaiting{Study: study, Run: run})
		says(events.WaitsArchiveDiffers, "because")
	})
}
