package archive

import (
	"strings"
	"testing"
	"time"

	"apollo/events"
)

// A store that gives no answer is told of before its client gives it up, and only while a
// write goes on.
func TestAWriteWithoutAnAnswerIsTold(t *testing.T) {
	t.Parallel()
	p := &archivePresence{is: events.Archiving{Dir: "s3://logs/lab"}}
	says := func(after time.Duration, want string) {
		t.Helper()
		is := p.says(time.Now().Add(after))
		if got := is.Waiting; (got != nil) != (want != "") || got != nil && (got.Code != events.WaitsArchiveStuck || !strings.Contains(got.Message, want)) {
			t.Errorf("after %s: %+v, want %q", after, got, want)
		}
	}
	says(time.Hour, "")
	done := p.writes()
	says(silentAfter-time.Second, "")
	says(silentAfter+time.Second/2, "in s3://logs/lab: a write has had no answer for 10s")
	p.is.Waiting = stuckArchive(p.is.Dir, events.ErrFull)
	says(time.Hour, events.ErrFull.Error()) // what is known says more
	p.is.Waiting = nil
	done()
	says(time.Hour, "")
}

// A log that takes long to be opened is read, and nothing is wrong with its storage yet.
func TestSlowOpening(t *testing.T) {
	t.Parallel()
	p := &archivePresence{is: events.Archiving{Dir: "s3://logs/lab"}}
	done := p.opens()
	if is := p.says(p.opening.Add(silentAfter - time.Second)); is.Waiting != nil {
		t.Errorf("got %q, want nothing yet", is.Waiting.Message)
	}
	is := p.says(p.opening.Add(silentAfter + 2*time.Second))
	if want := "opening the log in s3://logs/lab has taken 12s so far"; is.Waiting == nil || is.Waiting.Message != want {
		t.Fatalf("got %+v, want %q", is.Waiting, want)
	}
	if strings.Contains(is.Waiting.Hint, "make room") {
		t.Errorf("the hint is that of a full disk: %q", is.Waiting.Hint)
	}
	done()
	if is := p.says(time.Now().Add(time.Hour)); is.Waiting != nil {
		t.Errorf("got %q after it is open, want nothing", is.Waiting.Message)
	}
}
