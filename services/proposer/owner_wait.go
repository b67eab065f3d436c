package proposer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"apollo/events"
	"apollo/services/messages"
	"apollo/services/study"
)

// stuck is since when, and why, an owner waits for the bus.
type stuck struct {
	since time.Time
	err   error
}

// retry calls f until it does not fail for want of the bus.
func (o *owner) retry(ctx context.Context, what string, f func(context.Context) error) error {
	return o.retryServing(ctx, what, nil, f)
}

// retryServing is retry that carries out requests between two tries: f must
// leave the machine as the log has it when it fails.
func (o *owner) retryServing(ctx context.Context, what string, requests <-chan ownerRequest, f func(context.Context) error) error {
	var wait messages.Backoff
	defer o.stuck.Store(nil)
	for {
		err := f(ctx)
		if err != nil {
			o.stuck.CompareAndSwap(nil, &stuck{time.Now(), err})
		}
		switch {
		case errors.Is(err, events.ErrFull):
			o.full.Failed(o.log.Error, "the stream is full: the study waits", "doing", what, "error", err, "hint", messages.FullHint)
		case errors.Is(err, events.ErrUnreachable):
			o.away.Failed(o.log.Warn, "the bus cannot be reached: trying again", "doing", what, "error", err)
		default:
			if ctx.Err() == nil {
				o.away.Over(o.log.Info, "the bus can be reached again")
				o.full.Over(o.log.Info, "the stream has room again")
			}
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case r := <-requests:
			r.reply <- o.request(r.ctx, r.control) //nolint:contextcheck // it ends with who asked
		case <-time.After(wait.Pause()):
			wait.Grow()
		}
		if s := o.stuck.Load(); requests != nil && s != nil && time.Since(s.since) >= stuckBefore {
			if err := o.appendWaiting(ctx, stuckWaiting(s.err)); err != nil {
				return err
			}
		}
	}
}

// giveUpStuck ends a wait with the reason for which the owner is stuck, once it
// has been so for patience, or has been loading the run all the time.
func (o *owner) giveUpStuck(waiting context.Context, cancel context.CancelCauseFunc) {
	began := time.Now()
	look := time.NewTicker(patience / 4)
	defer look.Stop()
	for {
		select {
		case <-waiting.Done():
			return
		case <-look.C:
		}
		if s := o.stuck.Load(); s != nil && time.Since(s.since) >= patience {
			cancel(fmt.Errorf("%w: %w", errStuck, s.err))
			return
		}
		if o.isLoading.Load() && time.Since(began) >= patience {
			cancel(errLoading)
			return
		}
	}
}

// checkRoom pauses a run whose answers cannot be stored: the evaluators hold
// them back, and without a word it would seem to hang.
func (o *owner) checkRoom(ctx context.Context) error {
	if state, _ := o.machine.State(); o.brief || state != study.Running {
		return nil
	}
	waits := false
	for range o.machine.Outstanding {
		waits = true
		break
	}
	if !waits {
		return nil
	}
	info, err := o.proposer.Bus.Facts().Info(ctx, o.resultFilter())
	if err != nil {
		o.roomless.Failed(o.log.Warn, "look for room for results", "error", err)
		return nil
	}
	o.roomless.Over(o.log.Info, "the room for results can be looked at again")
	if info.MaxBytes == 0 || info.Bytes+min(answerRoom, info.MaxBytes/16) < info.MaxBytes {
		return nil
	}
	return o.append(ctx, "paused", events.StudyPaused{
		Study: o.key.Study, Run: o.key.Run,
		Reason: fmt.Sprintf("the stream of results is full (%d of %d bytes): %s, then resume", info.Bytes, info.MaxBytes, messages.FullHint),
	})
}
