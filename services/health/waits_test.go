package health

import (
	"context"
	"iter"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"apollo/events"
	"apollo/events/membus"
)

// The monitor remembers runs that have to be driven and those that wait, as long
// as the log has them, and not what anybody says about others.
func TestTheMonitorForgetsRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := membus.New(membus.Config{}).Client("monitor")
		if err := bus.Provision(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w := NewWaits()
		var following sync.WaitGroup
		defer following.Wait()
		defer cancel()
		following.Go(func() { w.Follow(ctx, bus) })
		known := func() (out []string) {
			time.Sleep(2 * forgetEvery)
			w.mu.Lock()
			defer w.mu.Unlock()
			for key := range w.runs {
				out = append(out, key[1])
			}
			return out
		}
		log := func(kind string, e events.Payload) {
			t.Helper()
			data, err := events.Encode(kind, "test", "demo", time.Now(), e)
			if err != nil {
				t.Fatal(err)
			}
			subject := events.StudySubject("demo", "0badcafe", kind)
			if _, is := e.(events.ArchiveWaiting); is {
				subject = events.ArchiveSubject("demo", "0badcafe", kind)
			}
			if _, err := bus.Log().Append(t.Context(), events.Message{Subject: subject, ID: kind, Data: data}, events.Fence{}); err != nil {
				t.Fatal(err)
			}
		}
		w.Tick(events.Progress{Study: "demo", Run: "invented", State: "running"})
		if runs := known(); len(runs) > 0 {
			t.Errorf("it knows the runs %v of ticks alone", runs)
		}
		log("accepted", events.StudyAccepted{Study: "demo", Run: "0badcafe"})
		if runs := known(); len(runs) != 1 {
			t.Errorf("it knows %v, want the run that is driven", runs)
		}
		log("completed", events.StudyCompleted{Study: "demo", Run: "0badcafe"})
		if runs := known(); len(runs) > 0 {
			t.Errorf("it knows %v, and all have ended and are archived", runs)
		}
		differs := &events.Waiting{Code: events.WaitsArchiveDiffers, Message: "because", Hint: "do"}
		log("waiting", events.ArchiveWaiting{Study: "demo", Run: "0badcafe", Waiting: differs})
		if runs := known(); len(runs) != 1 {
			t.Errorf("it knows %v, want the run that waits", runs)
		}
		for _, filter := range []string{events.ArchiveSubject("demo", "*", "*"), events.RunFilter("demo", "*")} {
			if err := bus.Purge(t.Context(), filter); err != nil {
				t.Fatal(err)
			}
		}
		if runs := known(); len(runs) > 0 {
			t.Errorf("it knows %v, which were removed", runs)
		}
	})
}

// deaf is a bus whose user may read the log and hear no notices.
type deaf struct{ events.Bus }

func (deaf) Notices(context.Context, string) iter.Seq2[events.Message, error] {
	return func(yield func(events.Message, error) bool) { yield(events.Message{}, events.ErrDenied) }
}

// Who may not hear proposers and archivers, as an evaluator, does not say that they
// are missing.
func TestWhoMayNotHearMissesNobody(t *testing.T) {
	t.Parallel()
	for name, missing := range map[string]bool{"hears": true, "may not hear": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var bus events.Bus = membus.New(membus.Config{}).Client("monitor")
				if !missing {
					bus = deaf{bus}
				}
				ctx, cancel := context.WithCancel(t.Context())
				w, a := NewWaits(), NewArchivers()
				var following sync.WaitGroup
				defer following.Wait()
				defer cancel()
				following.Go(func() { w.Listen(ctx, bus) })
				following.Go(func() { a.Follow(ctx, bus) })
				w.Fold(events.StudyAccepted{Study: "demo", Run: "1"})
				time.Sleep(time.Minute)
				if got := a.Missing(); got != missing {
					t.Errorf("an archiver is missing: %t, want %t", got, missing)
				}
				if got := len(w.Faults()) > 0; got != missing {
					t.Errorf("%+v, want a fault: %t", w.List(), missing)
				}
			})
		})
	}
}
