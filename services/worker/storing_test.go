package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// A worker says that its answers are not stored, while an attempt lasts and between two,
// until one is, or until the item does not come again.
func TestAnswersThatAreNotStored(t *testing.T) {
	t.Parallel()
	var s storing
	start := time.Unix(1e9, 0)
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	hands := 0
	says := func(seconds int, want string) {
		t.Helper()
		if got := s.stuck(at(seconds), hands); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("after %d s: %q, want %q", seconds, got, want)
		}
	}
	first, second := s.begin(at(0)), s.begin(at(2))
	says(9, "")
	says(11, "has not said for 11s")
	first(errors.New("no reply"), at(30))
	says(31, "for 31s: no reply")
	second(errors.New("no reply"), at(32))
	says(40, "for 40s: no reply") // nothing is under way, and the item may come again
	hands = 1
	says(400, "for 6m40s: no reply") // it is in hand
	hands = 0
	says(62, "for 1m2s: no reply")
	says(63, "") // somebody else has it
	hands = 1
	says(64, "")
	hands = 0
	third, fourth := s.begin(at(71)), s.begin(at(71))
	says(82, "has not said for 11s")
	third(nil, at(83))
	says(92, "")
	says(93, "has not said for 10s") // the fourth waits all the same
	fourth(nil, at(94))
	says(1000, "")
}

// An answer that no attempt will store says nothing of the server.
func TestAnswersThatCannotBeStored(t *testing.T) {
	t.Parallel()
	start := time.Unix(1e9, 0)
	for _, err := range []error{fmt.Errorf("%w: it is too large", errPoison), context.Canceled} {
		var s storing
		s.begin(start)(err, start.Add(time.Second))
		if got := s.stuck(start.Add(20*time.Second), 1); got != "" {
			t.Errorf("%v: %q, want nothing", err, got)
		}
	}
}
