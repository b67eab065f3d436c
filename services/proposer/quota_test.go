package proposer

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"apollo/events"
)

// A request that takes too long to check is refused, and holds up no other one.
func TestARequestThatTakesLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := Quota{RequestTime: time.Second}
		end := make(chan struct{})
		mistake := q.soon(t.Context(), func() { <-end })
		if mistake == nil || !strings.Contains(mistake.Message, QuotaRequestTime) {
			t.Errorf("%v, want a refusal that names %s", mistake, QuotaRequestTime)
		}
		close(end)
		if mistake := q.soon(t.Context(), func() {}); mistake != nil {
			t.Errorf("a quick one is refused: %v", mistake)
		}
		waits := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		if mistake, err := q.fork(t.Context(), waits); err != nil || mistake == nil || mistake.Pointer != "/spec/fork" {
			t.Errorf("%v, %v, want a refusal of the fork", mistake, err)
		}
		broken := errors.New("a bus broke")
		if mistake, err := q.fork(t.Context(), func(context.Context) error { return broken }); mistake != nil || !errors.Is(err, broken) {
			t.Errorf("%v, %v, want what broke", mistake, err)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if mistake, err := q.fork(ended, waits); mistake != nil || !errors.Is(err, context.Canceled) {
			t.Errorf("%v, %v, want that a proposer that ends refuses nothing", mistake, err)
		}
	})
}

// What a log says may be any number.
func TestInFlightOfAnyNumber(t *testing.T) {
	t.Parallel()
	q := Quota{InFlight: 1 << 16}
	for _, b := range []events.Budget{{Batch: math.MaxInt, Parallelism: 2}, {Batch: 1 << 32, Parallelism: 1 << 32}, {Batch: 1, Parallelism: math.MaxInt}} {
		if q.spec(&events.Spec{Budget: b}) == nil {
			t.Errorf("batches of %d and a parallelism of %d are let through", b.Batch, b.Parallelism)
		}
	}
	if mistake := q.spec(&events.Spec{Budget: events.Budget{Batch: 1 << 8, Parallelism: 1 << 8}}); mistake != nil {
		t.Error(mistake)
	}
}
