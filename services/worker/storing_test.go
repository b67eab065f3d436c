package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"apollo/evaluator"
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
	// An item that was not stored comes again until 30 s later.
	begin := func(batch, seconds int) func(error, time.Time) {
		done := s.begin(item(batch), at(seconds))
		return func(err error, now time.Time) { done(err, now, now.Add(30*time.Second)) }
	}
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
		s.begin(events.PresentItem{}, start)(err, start.Add(time.Second), start.Add(time.Minute))
		if got := s.stuck(start.Add(20*time.Second), func(events.PresentItem) bool { return true }); got != "" {
			t.Errorf("%v: %q, want nothing", err, got)
		}
	}
}

// An item that was given back is told until it has come again, however late that is, and
// not for longer.
func TestItemsGivenBackAreToldUntilTheyCome(t *testing.T) {
	t.Parallel()
	late, soon := events.NackDelay(9), time.Second
	for name, c := range map[string]struct {
		handBack bool
		delay    time.Duration
	}{"refused": {false, late}, "handed back": {true, soon}} {
		synctest.Test(t, func(t *testing.T) {
			var h heldItems
			msg := message.NewMessage("id", nil)
			msg.Metadata.Set(events.MetaSubject, events.WorkSubject("edge", "a", "00000001", 3))
			msg.Metadata.Set(events.MetaDeliveries, "9")
			done := h.hold(msg)
			if c.handBack {
				events.HandBack(msg, c.delay)
			}
			done(errors.New("no room"))
			time.Sleep(c.delay)
			if _, returned, _ := h.list(time.Now()); len(returned) != 1 || returned[0].Batch != 3 || returned[0].Error != "no room" {
				t.Errorf("%s, when it comes again: %+v, want batch 3 with its reason", name, returned)
			}
			time.Sleep(events.AckWait + time.Second)
			if _, returned, _ := h.list(time.Now()); len(returned) != 0 {
				t.Errorf("%s, after it came again: %+v, want nothing", name, returned)
			}
		})
	}
}

// A notice of presence fits in a message however many items wait for room.
func TestANoticeNamesTheLatestItemsGivenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var h heldItems
		for batch := range maxReturned + 10 {
			msg := message.NewMessage("id", nil)
			msg.Metadata.Set(events.MetaSubject, events.WorkSubject("edge", "a", "00000001", batch))
			msg.Metadata.Set(events.MetaDeliveries, "9")
			h.hold(msg)(errors.New("no room"))
			time.Sleep(time.Millisecond)
		}
		if _, returned, more := h.list(time.Now()); len(returned) != maxReturned || returned[0].Batch != 10 || more != 10 {
			t.Errorf("%d items from batch %d on and %d more, want the last %d and 10", len(returned), returned[0].Batch, more, maxReturned)
		}
	})
}

// As many items as a notice names, each with the longest text, fit in a message of the
// least size that a server is set to.
func TestNoticesFitInAMessage(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"€", "\x1b", "\xff", "<&>", `"\`} {
		var h heldItems
		e := &Evaluator{Name: "toy", Worker: "host/1"}
		long := strings.Repeat(word, 1<<10)
		for batch := range 2 * maxReturned {
			msg := message.NewMessage("", nil)
			msg.Metadata.Set(events.MetaSubject, events.WorkSubject("toy", "study", "00000001", batch))
			done := h.hold(msg)
			h.say(events.PresentItem{Study: "study", Run: "00000001", Batch: batch}, evaluator.Progress{Done: -1, Message: long})
			if batch >= maxReturned {
				done(errors.New(long))
			}
		}
		p := e.presence()
		p.Items, p.Returned, _ = h.list(time.Now())
		data, err := encodePresence(p)
		if err != nil || len(p.Items) != maxReturned || len(p.Returned) != maxReturned || len(data) > 1<<20 {
			t.Errorf("%q: %d items in hand and %d given back take %d bytes, error %v; want %d of each in at most %d", word, len(p.Items), len(p.Returned), len(data), err, maxReturned, 1<<20)
		}
		var read events.Presence
		if err := json.Unmarshal(data, &read); err != nil || len(read.Returned) != maxReturned || read.Returned[0].Error != p.Returned[0].Error {
			t.Errorf("%q: the notice reads as %d items given back, error %v", word, len(read.Returned), err)
		}
	}
}
