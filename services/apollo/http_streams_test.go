package main

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"
	"time"

	"apollo/events"
	"apollo/events/membus"
)

// TestForecasts lets streams and a disk fill up, and looks at what /metrics says.
func TestForecasts(t *testing.T) {
	t.Parallel()
	bus := membus.New(membus.Config{}).Client("monitor")
	if err := bus.Provision(t.Context()); err != nil {
		t.Fatal(err)
	}
	m := newMonitor(bus, newMeters())
	began := time.Now().Add(-time.Hour)
	for _, s := range events.Topology() {
		for minute := range 60 {
			m.streams.note(s.Name, events.StreamInfo{Bytes: uint64(minute) << 20}, began.Add(time.Duration(minute)*time.Minute))
		}
	}
	m.archives.Note(events.Archiving{Worker: "w", Disk: &events.DiskRoom{FreeBytes: 7, TotalBytes: 9, FullInSeconds: new(60.0)}})
	page := httptest.NewRecorder()
	m.handler().ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	got := page.Body.String()
	for _, want := range []string{`apollo_archive_free_bytes\{worker="w"\} 7\n`, `apollo_archive_full_seconds\{worker="w"\} 60\n`} {
		if !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("/metrics has no %s", want)
		}
	}
	for _, s := range events.Topology() {
		info, err := bus.Log().Info(t.Context(), s.Subjects[0])
		if err != nil {
			t.Fatal(err)
		}
		want := info.MaxBytes > 0 && !s.Ring
		if has := regexp.MustCompile(`apollo_stream_full_seconds\{stream="` + s.Name + `"\} [0-9]`).MatchString(got); has != want {
			t.Errorf("/metrics says when %s is full: %t, want %t", s.Name, has, want)
		}
	}
}
