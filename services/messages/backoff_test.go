package messages

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestBackoff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for most, want := range map[time.Duration][]int{
			0:               {100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000},
			5 * time.Second: {100, 200, 400, 800, 1600, 3200, 5000, 5000},
		} {
			b := Backoff{Most: most}
			var got []int
			for range want {
				start := time.Now()
				if err := b.Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
				got = append(got, int(time.Since(start).Milliseconds()))
			}
			if !slices.Equal(got, want) {
				t.Errorf("at most %v: pauses of %v ms, want %v", most, got, want)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var b Backoff
		if err := b.Wait(ctx); !errors.Is(err, context.Canceled) || b.Pause() != RetryFirst {
			t.Errorf("Wait() = %v with the next pause %v, want an end at once and nothing doubled", err, b.Pause())
		}
	})
}
