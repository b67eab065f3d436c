package messages

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"apollo/events"
)

func TestAWorkerIsFreeAsLongAsItSaysSo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var workers Workers
		p := events.Presence{Evaluator: "toy", Worker: "host/1", Slots: 2}
		busy := []events.PresentItem{{Study: "other", Run: "1", Batch: 1}, {Study: "other", Run: "1", Batch: 2}}
		say := func(items []events.PresentItem) {
			p.Items = items
			data, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := workers.Note(events.Message{Subject: events.PresenceSubject("toy"), Data: data}); !ok {
				t.Fatal("not taken down")
			}
		}
		began := time.Now()
		want := func(after time.Time, is time.Duration) {
			t.Helper()
			if got := workers.FreeFor(&p, after); got != is {
				t.Errorf("%s after %s: free for %s, want %s", time.Since(began), after.Sub(began), got, is)
			}
		}
		want(began, 0) // never heard of
		time.Sleep(time.Minute)
		say(nil)
		want(began, 0) // it has just come
		for range 5 {
			time.Sleep(events.PresentEvery)
			say(busy[:1])
		}
		want(began, 5*events.PresentEvery)
		want(time.Now().Add(-events.PresentEvery), events.PresentEvery)
		time.Sleep(events.AbsentAfter - 1) // silent: it may have been killed
		want(began, 5*events.PresentEvery)
		want(time.Now(), 0)
		say(busy)
		want(began, 0)
		time.Sleep(events.PresentEvery)
		say(nil)
		want(began, 0)
		time.Sleep(events.PresentEvery)
		say(nil)
		want(began, events.PresentEvery)
		time.Sleep(events.AbsentAfter) // away in between
		say(nil)
		want(began, 0)
	})
}
