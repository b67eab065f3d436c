package natsbus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"apollo/events"
)

const (
	// attemptTimeout bounds one question to the server. A PubAck takes well
	// below a millisecond locally; 5 s is what the client library takes too.
	attemptTimeout = 5 * time.Second
	// firstPause and lastPause bound the growing pauses between attempts.
	firstPause = 20 * time.Millisecond
	lastPause  = time.Second
)

// Codes of the server's errors (nats-server 2.15, server/errors.json).
const (
	codeWrongLastSequence      = 10071
	codeWrongLastSequenceConst = 10164 // the same on replicated streams
	codeStoreFailed            = 10077 // a stream at its limit
	codeStorageExceeded        = 10047 // no room for what a stream may grow to
	codeInsufficientResources  = 10023
	codeNoPeers                = 10005
	codeReplicasNotSupported   = 10074
	codeAccountResources       = 10002
	codeConsumerExistsOnWork   = 10100 // another consumer has that filter
	codeTooLarge               = 10054
	codeNoJetStream            = 10039
	codeNoMessage              = 10037
	codeNotAvailable           = 10008 // "temporarily unavailable", while it elects or recovers
)

// codeOf returns the server's error code, or 0.
func codeOf(err error) jetstream.ErrorCode {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		return api.ErrorCode
	}
	return 0
}

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

// lost reports whether err says nothing but that the server cannot be asked
// now, so that the same question may be put again.
func lost(err error) bool {
	for _, known := range []error{
		nats.ErrTimeout, nats.ErrNoResponders, nats.ErrDisconnected, nats.ErrReconnectBufExceeded,
		nats.ErrConnectionReconnecting, nats.ErrConnectionDraining, nats.ErrStaleConnection,
		jetstream.ErrNoStreamResponse, jetstream.ErrAsyncPublishTimeout, jetstream.ErrTooManyStalledMsgs,
		jetstream.ErrServerShutdown, context.DeadlineExceeded,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	return codeOf(err) == codeNotAvailable
}

// ask runs one question to the server until it is answered, with the bounds of
// ctx and Config.Patience. retried tells f that an earlier attempt may have
// had its effect.
func (b *Bus) ask(ctx context.Context, subject string, f func(ctx context.Context, retried bool) error) error {
	var pause backoff
	end := time.Now().Add(b.conf.Patience)
	for retried := false; ; retried = true {
		err := b.attempt(ctx, subject, retried, f)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, nats.ErrConnectionClosed):
			return fmt.Errorf("the bus was closed: %w", err)
		case !lost(err):
			return err
		case time.Now().After(end):
			return fmt.Errorf("%w: %w", events.ErrUnreachable, err)
		}
		if err := pause.wait(ctx); err != nil {
			return err
		}
	}
}

// attempt puts the question once; a denial of the subject and a lost connection
// end it at once.
func (b *Bus) attempt(ctx context.Context, subject string, retried bool, f func(ctx context.Context, retried bool) error) error {
	limited, done := context.WithTimeout(ctx, min(attemptTimeout, b.conf.Patience))
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
	err := f(asking, retried)
	if err != nil && asking.Err() != nil && limited.Err() == nil {
		return context.Cause(asking)
	}
	return err
}
