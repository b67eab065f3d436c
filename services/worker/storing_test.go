package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"apollo/events"
)

// A worker says that its answers are not stored, while an attempt lasts and between two,
// until one is, or until the item does not come again: to measure another one for an hour
// is nothing that the server does.
func TestAnswersThatAreNotStored(t *testing.T) {
	t.Parallel()
	var s storing
	start := time.Unix(1e9, 0)
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	item := func(batch int) events.PresentItem { return events.PresentItem{Study: "a", Run: "b", Batch: batch} }
	begin := func(batch, seconds int) func(error, time.Time) { return s.begin(item(batch), at(seconds)) }
	var hands []int
	says := func(seconds int, want string) {
		t.Helper()
		got := s.stuck(at(seconds), func(i events.PresentItem) bool { return slices.Contains(hands, i.Batch) })
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("after %d s: %q, want %q", seconds, got, want)
		}
	}
	first, second := begin(1, 0), begin(2, 2)
	says(9, "")
	says(11, "has not said for 11s")
	first(errors.New("no reply"), at(30))
	says(31, "for 31s: no reply")
	second(errors.New("no reply"), at(32))
	says(40, "for 40s: no reply") // nothing is under way, and the items may come again
	hands = []int{5, 2}
	says(400, "for 6m40s: no reply") // one of them is in hand
	hands = []int{5}
	says(62, "for 1m2s: no reply")
	says(63, "") // somebody else has them
	hands = []int{2}
	says(64, "")
	third, fourth := begin(3, 71), begin(4, 71)
	says(82, "has not said for 11s")
	third(nil, at(83))
	says(92, "")
	says(93, "has not said for 10s") // the fourth waits all the same
	fourth(nil, at(94))
	says(1000, "")
	begin(6, 1000)(errors.New("no reply"), at(1020))
	hands = nil
	says(1021, "for 21s: no reply")
	begin(7, 1021)(nil, at(1022))
	hands = []int{6}
	says(2000, "")
}

// An answer that no attempt will store says nothing of the server.
func TestAnswersThatCannotBeStored(t *testing.T) {
	t.Parallel()
	start := time.Unix(1e9, 0)
	for _, err := range []error{fmt.Errorf("%w: it is too large", errPoison), context.Canceled} {
		var s storing
		s.begin(events.PresentItem{}, start)(err, start.Add(time.Second))
		if got := s.stuck(start.Add(20*time.Second), func(events.PresentItem) bool { return true }); got != "" {
			t.Errorf("%v: %q, want nothing", err, got)
		}
	}
}
