package messages

import (
	"context"
	"time"
)

const (
	// RetryFirst and retryMax bound the pause before the bus is tried again.
	RetryFirst = 100 * time.Millisecond
	retryMax   = 10 * time.Second
)

// Backoff is a pause between tries that doubles. The zero value begins at
// RetryFirst and grows up to 10 s.
type Backoff struct {
	// Most is the longest pause; 0 means 10 s.
	Most time.Duration
	now  time.Duration
}

// Pause returns the pause before the next try.
func (b *Backoff) Pause() time.Duration { return max(b.now, RetryFirst) }

// Grow doubles the pause.
func (b *Backoff) Grow() {
	most := b.Most
	if most == 0 {
		most = retryMax
	}
	b.now = min(2*b.Pause(), most)
}

// Wait lets the pause pass and doubles it. The error is that of ctx.
func (b *Backoff) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(b.Pause()):
		b.Grow()
		return nil
	}
}
