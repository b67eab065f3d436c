package proposer

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"apollo/events"
)

// deniedBus has one queue, which nobody needs, and allows nothing until it is told to.
type deniedBus struct {
	events.Bus
	allowed atomic.Bool
	removed []string
}

type emptyLog struct{ events.Log }

func (b *deniedBus) Log() events.Log { return emptyLog{} }

func (emptyLog) Read(context.Context, uint64, ...string) iter.Seq2[events.Message, error] {
	return func(func(events.Message, error) bool) {}
}

func (b *deniedBus) Evaluators(context.Context) ([]string, error) {
	if !b.allowed.Load() {
		return nil, fmt.Errorf("list: %w", events.ErrDenied)
	}
	return []string{"edge"}, nil
}

func (b *deniedBus) QueueInfo(context.Context, string) (events.QueueInfo, error) {
	return events.QueueInfo{Known: true}, nil
}

func (b *deniedBus) RemoveEvaluator(_ context.Context, name string) error {
	b.removed = append(b.removed, name)
	return nil
}

// A proposer that may not list the queues says so once, and goes on when it may.
func TestSpareQueuesGoOnceAllowed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus, said := &deniedBus{}, &strings.Builder{}
		p := &Proposer{Bus: bus, Logger: slog.New(slog.NewTextHandler(said, nil))}
		ctx, cancel := context.WithTimeout(t.Context(), 5*spareFor)
		defer cancel()
		time.AfterFunc(2*spareFor+time.Second, func() { bus.allowed.Store(true) })
		p.watchQueues(ctx)
		if n := strings.Count(said.String(), "queues that nobody needs stay"); n != 1 || !slices.Contains(bus.removed, "edge") {
			t.Errorf("it says %d times that it may not, and removed %v; want once, and edge:\n%s", n, bus.removed, said)
		}
	})
}
