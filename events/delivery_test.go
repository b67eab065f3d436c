package events_test

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"apollo/events"
)

func TestNackDelay(t *testing.T) {
	t.Parallel()
	want := map[uint64]time.Duration{
		0: time.Second, 1: time.Second, 2: 2 * time.Second, 3: 4 * time.Second,
		9: 256 * time.Second, 10: 5 * time.Minute, 99: 5 * time.Minute, 1 << 63: 5 * time.Minute,
	}
	for n, delay := range want {
		if got := events.NackDelay(n); got != delay {
			t.Errorf("NackDelay(%d) = %v, want %v", n, got, delay)
		}
	}
}

func TestStudyOf(t *testing.T) {
	t.Parallel()
	for _, subject := range []string{
		events.SubmitSubject("demo"), events.ControlSubject("demo"), events.StudySubject("demo", "r", "started"),
		events.RejectedSubject("demo"), events.WorkSubject("edge", "demo", "r", 3), events.ResultSubject("edge", "demo", "r", 3),
		events.ArchiveSubject("demo", "r", "part"), events.DeadLetterSubject("queue", "demo"), events.ProgressSubject("demo", "r"),
	} {
		if got := events.StudyOf(subject); got != "demo" {
			t.Errorf("StudyOf(%q) = %q, want demo", subject, got)
		}
	}
	for _, subject := range []string{"", "work", "work.edge", "study.*.r.x", "elsewhere.demo"} {
		if got := events.StudyOf(subject); got != "unknown" {
			t.Errorf("StudyOf(%q) = %q, want unknown", subject, got)
		}
	}
}

func TestStreamOf(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"study.demo.*.*": "APOLLO_LOG", "study.>": "APOLLO_LOG", "rejected.x": "APOLLO_LOG", "cmd.>": "APOLLO_CMD",
		"work.edge.>": "APOLLO_WORK", "result.*.demo.*.*": "APOLLO_RESULT", "dlq.>": "APOLLO_DLQ",
		">": "", "*.>": "", "": "", "tick.demo.r": "", "study.demo": "",
	}
	for filter, want := range tests {
		if got, ok := events.StreamOf(events.Topology(), filter); ok != (want != "") || ok && got.Name != want {
			t.Errorf("StreamOf(%q) = %q, %v, want %q", filter, got.Name, ok, want)
		}
	}
}

// TestOverlap compares with what it means: some subject matches both.
func TestOverlap(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	filter := func() string {
		var tokens []string
		for range 1 + r.IntN(4) {
			tokens = append(tokens, []string{"a", "b", "*", "*"}[r.IntN(4)])
		}
		if r.IntN(3) == 0 {
			tokens[len(tokens)-1] = ">"
		}
		return strings.Join(tokens, ".")
	}
	var subjects []string
	for n, row := 1, []string{"a", "b"}; n <= 5; n++ {
		subjects = append(subjects, row...)
		var longer []string
		for _, s := range row {
			longer = append(longer, s+".a", s+".b")
		}
		row = longer
	}
	for range 3000 {
		f, g := filter(), filter()
		want := false
		for _, s := range subjects {
			want = want || events.MatchSubject(f, s) && events.MatchSubject(g, s)
		}
		if got := events.Overlap(f, g); got != want {
			t.Fatalf("Overlap(%q, %q) = %v, want %v", f, g, got, want)
		}
	}
}

func TestIsSubject(t *testing.T) {
	t.Parallel()
	for subject, want := range map[string]bool{
		"study.demo.r.started": true, "x": true, "": false, ".": false, "a..b": false, "a.": false, ".a": false,
		"a.*": false, "a.>": false, "a b": false, "a\tb": false, "a\r\nPUB x 0": false, "a.\x00": false,
	} {
		if got := events.IsSubject(subject); got != want {
			t.Errorf("IsSubject(%q) = %v, want %v", subject, got, want)
		}
	}
}

func TestUndeliverable(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	original := events.Message{Subject: events.WorkSubject("edge", "demo", "r", 3), Seq: 7, ID: "x", Time: at, Data: []byte("body")}
	m, err := events.Undeliverable(original, 100, "why", at, events.DefaultPayload)
	if err != nil {
		t.Fatal(err)
	}
	if m.Subject != events.DeadLetterSubject(events.QueueService, "demo") || m.ID == "" {
		t.Errorf("letter %+v", m)
	}
	again, err := events.Undeliverable(original, 101, "why", at, events.DefaultPayload)
	if err != nil || again.ID != m.ID {
		t.Errorf("the same message has letters %q and %q, %v", m.ID, again.ID, err)
	}
	var e events.Envelope
	var d events.DeadLetter
	if err := json.Unmarshal(m.Data, &e); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(e.Data, &d); err != nil {
		t.Fatal(err)
	}
	if e.Type != d.EventType() || d.Subject != original.Subject || d.Sequence != 7 || d.Deliveries != 100 || d.Reason != "why" || string(d.Body) != "body" {
		t.Errorf("letter says %+v", d)
	}
}

func TestWhatEndsARun(t *testing.T) {
	t.Parallel()
	ends := map[string]bool{"stopped": true, "completed": true, "cancelled": true, "failed": true}
	for _, info := range events.Types() {
		kind := events.Kind(info.Type)
		if strings.HasPrefix(info.Type, "apollo.study.") && events.EndsRun(kind) != ends[kind] {
			t.Errorf("EndsRun(%q) = %v", kind, events.EndsRun(kind))
		}
	}
}
