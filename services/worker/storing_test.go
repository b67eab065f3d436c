package worker

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// A worker says that its answers are not stored, while an attempt lasts and between two,
// until one is.
func TestAnswersThatAreNotStored(t *testing.T) {
	t.Parallel()
	var s storing
	start := time.Unix(1e9, 0)
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	says := func(seconds int, want string) {
		t.Helper()
		if got := s.stuck(at(seconds)); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("after %d s: %q, want %q", seconds, got, want)
		}
	}
	first, second := s.begin(at(0)), s.begin(at(2))
	says(9, "")
	says(11, "has not said for 11s")
	first(errors.New("no reply"), at(30))
	says(31, "for 31s: no reply")
	second(errors.New("no reply"), at(32))
	says(40, "for 40s: no reply") // nothing is under way
	third, fourth := s.begin(at(41)), s.begin(at(41))
	says(50, "for 50s")
	third(nil, at(51))
	says(60, "")
	says(61, "has not said for 10s") // the fourth waits all the same
	fourth(nil, at(62))
	says(1000, "")
}
