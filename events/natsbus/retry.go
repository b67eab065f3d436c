package natsbus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"apollo/events"
)

const (
	// firstAttempt bounds one question to the server, and each further one
	// takes half as long again, up to lastAttempt. A PubAck takes well below a
	// millisecond locally. Where the leader of a stream is gone the others elect
	// a new one after 4 to 9 s (nats-server, server/raft.go): the attempts end
	// after 2, 5, 9.5 and 16 s, so that one of them soon meets it, and a server
	// that is only slow has its time.
	firstAttempt = 2 * time.Second
	lastAttempt  = 10 * time.Second
	// firstPause and lastPause bound the growing pauses between attempts.
	firstPause = 20 * time.Millisecond
	lastPause  = time.Second
)

// backoff is a growing pause; the zero value starts at firstPause.
type backoff struct{ last time.Duration }

// wait pauses; it returns ctx's error when that ends first.
func (p *backoff) wait(ctx context.Context) error {
	p.last = min(max(2*p.last, firstPause), lastPause)
	t := time.NewTimer(p.last)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ask runs one question to the server until it is answered, with the bounds of
// ctx and Config.Patience. retried tells f that an earlier attempt may have
// had its effect.
func (b *Bus) ask(ctx context.Context, subject string, f func(ctx context.Context, retried bool) error) error {
	var pause backoff
	limit := firstAttempt
	end := time.Now().Add(b.conf.Patience)
	for retried := false; ; retried = true {
		err := b.attempt(ctx, subject, limit, func(ctx context.Context) error { return f(ctx, retried) })
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		switch c := classify(err); {
		case c == closed:
			return fmt.Errorf("the bus was closed: %w", err)
		case !c.retried():
			return err
		case time.Now().After(end):
			return fmt.Errorf("%w: %w", events.ErrUnreachable, err)
		}
		if err := pause.wait(ctx); err != nil {
			return err
		}
		limit = min(limit+limit/2, lastAttempt)
	}
}

// attempt puts the question once, for limit at most; a denial of the subject
// and a lost connection end it at once.
func (b *Bus) attempt(ctx context.Context, subject string, limit time.Duration, f func(ctx context.Context) error) error {
	limited, done := context.WithTimeout(ctx, min(limit, b.conf.Patience))
	defer done()
	asking, cancel := context.WithCancelCause(limited)
	defer cancel(nil)
	a := &attempt{subject: subject, cancel: cancel}
	b.mu.Lock()
	b.attempts[a] = true
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		delete(b.attempts, a)
		b.mu.Unlock()
	}()
	err := f(asking)
	// A lost connection may be told just before the limit is reached: what came
	// first is the reason, and never that we ourselves gave up.
	if err != nil && asking.Err() != nil && (limited.Err() == nil || errors.Is(err, context.Canceled)) {
		return context.Cause(asking)
	}
	return err
}
