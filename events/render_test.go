package events_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apollo/events"
)

func TestRender(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for _, p := range samples() {
		line := events.Render(p)
		if strings.Contains(line, p.EventType()) {
			t.Errorf("%T has no line of its own: %s", p, line)
		}
		b.WriteString(p.EventType() + "\n    " + line + "\n")
	}
	path := filepath.Join("testdata", "render.golden")
	if *rewrite {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRenderStaysOnOneLine(t *testing.T) {
	t.Parallel()
	got := events.Render(events.StudyFailed{Study: "demo", Run: "r", Reason: "a\nb\x1b[31m\u202e" + strings.Repeat("x", 5000)})
	if strings.ContainsAny(got, "\n\x1b\u202e") || len(got) > 1100 || !strings.HasPrefix(got, `demo/r failed: a b\x1b[31m\u202e`) {
		t.Errorf("Render() = %q", got)
	}
	if got := events.Render(nil); got != "no event" {
		t.Errorf("Render(nil) = %q", got)
	}
}
