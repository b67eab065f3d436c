package proposer

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"apollo/events"
)

// askedBus counts how often it is asked about a queue; each answer takes a while.
type askedBus struct {
	events.Bus
	asked int
}

func (b *askedBus) QueueInfo(ctx context.Context, _ string) (events.QueueInfo, error) {
	b.asked++
	select {
	case <-time.After(10 * time.Millisecond):
		return events.QueueInfo{Asking: b.asked}, nil
	case <-ctx.Done():
		return events.QueueInfo{}, ctx.Err()
	}
}

// However many runs look at a queue, the bus is asked once a second for each evaluator;
// that one of them ends is nothing that the others hear.
func TestRunsShareALookAtTheQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus, looks := &askedBus{}, newQueueLooks()
		ended, end := context.WithCancel(t.Context())
		end()
		if _, err := looks.look(ended, bus, "edge"); !errors.Is(err, context.Canceled) {
			t.Errorf("a run that ended: %v", err)
		}
		bus.asked = 0
		for second := range 3 {
			var runs sync.WaitGroup
			for range 100 {
				runs.Go(func() {
					if info, err := looks.look(t.Context(), bus, "edge"); err != nil || info.Asking != second+1 {
						t.Errorf("second %d: %+v, %v", second, info, err)
					}
				})
			}
			runs.Wait()
			time.Sleep(lookForCauseEvery)
		}
		if _, err := looks.look(t.Context(), bus, "other"); err != nil || bus.asked != 4 {
			t.Errorf("the bus was asked %d times (%v), want 3 times for one evaluator and once for the other", bus.asked, err)
		}
		if len(looks.of) != 1 {
			t.Errorf("%d looks are kept, want that of the last second", len(looks.of))
		}
	})
}

// silentBus never answers.
type silentBus struct{ events.Bus }

func (silentBus) QueueInfo(ctx context.Context, _ string) (events.QueueInfo, error) {
	<-ctx.Done()
	return events.QueueInfo{}, ctx.Err()
}

// A run waits no longer for a bus that does not answer where other runs ask it too, be it
// about the same evaluator or about others.
func TestALookEndsThoughTheBusIsSilent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		looks := newQueueLooks()
		var runs sync.WaitGroup
		for run := range 30 {
			runs.Go(func() {
				time.Sleep(time.Duration(run) * lookForCauseEvery / 20)
				start := time.Now()
				_, err := looks.look(t.Context(), silentBus{}, string(rune('a'+run%10)))
				if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took > lookForCauseEvery {
					t.Errorf("run %d waited for %v: %v", run, took, err)
				}
			})
		}
		runs.Wait()
	})
}
