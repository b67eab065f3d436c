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
