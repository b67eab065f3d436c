package main

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"apollo/events"
	"apollo/events/membus"
)

// Two processes of one name are two workers in the metrics, which count them
// together: a series is there once.
func TestMetricsOfWorkersOfOneName(t *testing.T) {
	t.Parallel()
	m := newMonitor(membus.New(membus.Config{}).Client("monitor"), newMeters())
	note := func(p events.Presence) {
		data, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		m.workers.Note(events.Message{Subject: events.PresenceSubject("edge"), Data: data})
	}
	for _, process := range []string{"left", "right", "right"} {
		note(events.Presence{Evaluator: "edge", Worker: "box/1", Process: process, Version: "1", Slots: 4, HandedBack: 3})
	}
	note(events.Presence{Evaluator: "edge", Worker: "box/1", Process: "third", Version: "2", Slots: 1})
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
	if there, _ := m.workers.Of("", time.Now()); len(there) != 3 {
		t.Errorf("%d workers, want 3", len(there))
	}
}
