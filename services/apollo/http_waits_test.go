package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"apollo/events"
	"apollo/events/membus"
)

// What studies wait for is in /healthz and in the metrics. The page stays 200 where
// a user has to mend it, and is 503 where the operator has to.
func TestHealthSaysWhatStudiesWaitFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := membus.New(membus.Config{}).Client("monitor")
		if err := client.Provision(t.Context()); err != nil {
			t.Fatal(err)
		}
		m := newMonitor(client, newMeters())
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
			health, want := get("/healthz"), http.StatusOK
			if slices.Contains(operators, cause) {
				want = http.StatusServiceUnavailable
			}
			if code != want {
				t.Errorf("the health has the status %d, want %d", code, want)
			}
			metrics := get("/metrics")
			if cause == "" {
				if health != "ok\n" || strings.Contains(metrics, "apollo_study_waiting{") {
					t.Errorf("nothing waits, and the health is %q", health)
				}
				return
			}
			head := "ok\n"
			if want != http.StatusOK {
				head = cause + ": " + text
			}
			if !strings.HasPrefix(health, head) || !strings.Contains(health, "\nwaits: demo/0badcafe ("+cause+"): "+text) {
				t.Errorf("the health is %q, want %s: %s", health, cause, text)
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
		// What no archiver mends stays, whatever it tells of the files that it has.
		m.waits.fold(events.ArchiveWaiting{Study: study, Run: run, Waiting: cause(events.WaitsArchiveDiffers)})
		m.waits.fold(events.ArchivePart{Study: study, Run: run, Rows: 3})
		m.waits.fold(events.ArchiveWaiting{Study: study, Run: run})
		says(events.WaitsArchiveDiffers, "because")
	})
}

// The monitor remembers runs that have to be driven and those that wait, as long
// as the log has them, and not what anybody says about others.
func TestTheMonitorForgetsRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := membus.New(membus.Config{}).Client("monitor")
		if err := bus.Provision(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w := newWaits()
		var following sync.WaitGroup
		defer following.Wait()
		defer cancel()
		following.Go(func() { w.follow(ctx, bus) })
		known := func() (out []string) {
			time.Sleep(2 * forgetEvery)
			w.mu.Lock()
			defer w.mu.Unlock()
			for key := range w.runs {
				out = append(out, key[1])
			}
			return out
		}
		log := func(kind string, e events.Payload) {
			t.Helper()
			data, err := events.Encode(kind, "test", "demo", time.Now(), e)
			if err != nil {
				t.Fatal(err)
			}
			subject := events.StudySubject("demo", "0badcafe", kind)
			if _, is := e.(events.ArchiveWaiting); is {
				subject = events.ArchiveSubject("demo", "0badcafe", kind)
			}
			if _, err := bus.Log().Append(t.Context(), events.Message{Subject: subject, ID: kind, Data: data}, events.Fence{}); err != nil {
				t.Fatal(err)
			}
		}
		w.tick(events.Progress{Study: "demo", Run: "invented", State: "running"})
		if runs := known(); len(runs) > 0 {
			t.Errorf("it knows the runs %v of ticks alone", runs)
		}
		log("accepted", events.StudyAccepted{Study: "demo", Run: "0badcafe"})
		if runs := known(); len(runs) != 1 {
			t.Errorf("it knows %v, want the run that is driven", runs)
		}
		log("completed", events.StudyCompleted{Study: "demo", Run: "0badcafe"})
		if runs := known(); len(runs) > 0 {
			t.Errorf("it knows %v, and all have ended and are archived", runs)
		}
		differs := &events.Waiting{Code: events.WaitsArchiveDiffers, Message: "because", Hint: "do"}
		log("waiting", events.ArchiveWaiting{Study: "demo", Run: "0badcafe", Waiting: differs})
		if runs := known(); len(runs) != 1 {
			t.Errorf("it knows %v, want the run that waits", runs)
		}
		for _, filter := range []string{events.ArchiveSubject("demo", "*", "*"), events.RunFilter("demo", "*")} {
			if err := bus.Purge(t.Context(), filter); err != nil {
				t.Fatal(err)
			}
		}
		if runs := known(); len(runs) > 0 {
			t.Errorf("it knows %v, which were removed", runs)
		}
	})
}
