package main

import (
	"net/http/httptest"
	"strings"
	"testing"

	"apollo/events"
	"apollo/events/membus"
)

// Two processes of one name are two workers in the metrics, which count them
// together: a series is there once.
func TestMetricsOfWorkersOfOneName(t *testing.T) {
	t.Parallel()
	m := newMonitor(membus.New(membus.Config{}).Client("monitor"), newAttemptCounter())
	for _, process := range []string{"left", "right", "right"} {
		m.workers.note(events.Presence{Evaluator: "edge", Worker: "box/1", Process: process, Version: "1", Slots: 4, HandedBack: 3})
	}
	m.workers.note(events.Presence{Evaluator: "edge", Worker: "box/1", Process: "third", Version: "2", Slots: 1})
	w := httptest.NewRecorder()
	m.handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	for _, want := range []string{
		`apollo_evaluator_slots{evaluator="edge",program="",version="1",worker="box/1"} 8`,
		`apollo_evaluator_slots{evaluator="edge",program="",version="2",worker="box/1"} 1`,
		`apollo_evaluator_handed_back_total{evaluator="edge",worker="box/1"} 6`,
	} {
		if w.Code != 200 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("status %d without %s", w.Code, want)
		}
	}
	if n := len(m.workers.list()); n != 3 {
		t.Errorf("%d workers, want 3", n)
	}
}
