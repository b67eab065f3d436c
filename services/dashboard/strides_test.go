package dashboard

import (
	"context"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"apollo/events"
	"apollo/events/membus"
	"apollo/services/client"
	"apollo/services/servicestest"
)

// watched is a watch of a run without trials, until the test ends.
func watched(t *testing.T) (*watch, *membus.Client) {
	t.Helper()
	bus := membus.New(membus.Config{}).Client("test")
	if err := bus.Provision(t.Context()); err != nil {
		t.Fatal(err)
	}
	publish(t, bus, 1, accepted(spec()))
	w := newWatch(&client.StudyView{Study: "demo", Run: servicestest.Run})
	ctx, stop := context.WithCancel(t.Context())
	var reading sync.WaitGroup
	reading.Go(func() { w.run(ctx, bus, "fake", nil) })
	t.Cleanup(func() {
		stop()
		reading.Wait()
	})
	return w, bus
}

func (w *watch) trials() int { return w.snapshot().counts.Trials }

func TestARunIsReadWhenSomebodyLooks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, bus := watched(t)
		w.ready(t.Context(), false)
		trial(t, bus, 0)
		time.Sleep(time.Hour)
		if n := w.trials(); n != 0 {
			t.Errorf("%d trials are read though nobody looks", n)
		}
		if w.ready(t.Context(), false); w.trials() != 1 {
			t.Errorf("%d trials for who opens the page, want 1", w.trials())
		}
		w.listeners.Add(1)
		w.rouse()
		time.Sleep(time.Minute)
		// Both streams are read at most once in leastPause, and a trial counts when it was read
		// in both. Fifty trials come in five seconds.
		const every = 100 * time.Millisecond
		most, steps, last := 2*(int(50*every/leastPause)+1), 0, 1
		for n := 1; n < 50; n++ {
			trial(t, bus, n)
			time.Sleep(every)
			synctest.Wait()
			if got := w.trials(); got != last {
				if n+1-got > 2*int(leastPause/every) {
					t.Errorf("%d of %d trials are read", got, n+1)
				}
				steps, last = steps+1, got
			}
		}
		if steps == 0 || steps > most {
			t.Errorf("trials were read at %d of 49 moments, want 1 to %d", steps, most)
		}
		if w.ready(t.Context(), true); w.trials() == 50 {
			t.Error("who follows a page has it read anew")
		}
		if w.ready(t.Context(), false); w.trials() != 50 {
			t.Errorf("%d trials for who opens the page, want 50", w.trials())
		}
	})
}

// One stream that is far ahead of the other loses nothing.
func TestAStreamThatLeadsWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, bus := watched(t)
		w.ready(t.Context(), false)
		const n = mostLead + 10
		for i := range n {
			m := events.Message{Subject: events.ResultSubject("fake", "demo", servicestest.Run, i), Data: encoded(t, measured(i))}
			if _, err := bus.Facts().Record(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		if w.ready(t.Context(), false); w.trials() != 0 {
			t.Errorf("%d trials are counted that nobody proposed", w.trials())
		}
		for i := range n {
			publish(t, bus, uint64(2+i), proposal(spec(), i))
		}
		if w.ready(t.Context(), false); w.trials() != n {
			t.Errorf("%d trials are counted, want %d", w.trials(), n)
		}
	})
}

// A page that is behind says so, and has what the events of the run say.
func TestAPageThatIsBehind(t *testing.T) {
	t.Parallel()
	f := folded(t, 20, inOrder(20))
	w := newWatch(&f.View)
	w.fold, w.caught, w.facts.left = *f, 2, 7
	s := w.snapshot()
	now := f.View
	now.State, now.Best = "completed", &events.BestTrial{Trial: 4711, Metrics: map[string]float64{"latency_s": 1e-6}}
	s.heard(now)
	p := s.page(url.Values{}, "")
	if p.Left != 7 || p.State != "completed" || p.Cards[0].Note != "trial 4711" {
		t.Errorf("left %d, %s, best %+v; want 7 batches, and what was heard", p.Left, p.State, p.Cards[0])
	}
	w.facts.left = 0
	if s = w.snapshot(); s.left != 0 {
		t.Errorf("%d batches are left", s.left)
	}
	if s.heard(now); s.view.State == "completed" {
		t.Error("a page that is not behind takes what was heard for what it has")
	}
}
