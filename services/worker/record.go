package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"apollo/evaluator"
	"apollo/events"
	"apollo/services/messages"
)

// An answer that cannot be stored now is tried again after these pauses.
const (
	firstStorePause = time.Second
	lastStorePause  = 10 * time.Second
)

// canBeStoredLater reports whether a message was not stored for a reason that passes.
func canBeStoredLater(err error) bool {
	return errors.Is(err, events.ErrFull) || errors.Is(err, events.ErrUnreachable)
}

// record stores the answer to a work item. While the stream is full, or the bus away, it
// keeps the answer, and the item with it: an evaluation may have taken hours, and is not
// made a second time because a disk was full for a minute.
func (e *Evaluator) record(ctx context.Context, msg *message.Message, work *events.BatchRequested, header map[string]string, result *events.BatchEvaluated) error {
	item := events.PresentItem{Study: work.Study, Run: work.Run, Batch: work.Batch}
	for pause := firstStorePause; ; pause = min(2*pause, lastStorePause) {
		stored := e.storing.begin(item, time.Now())
		err := messages.RecordResult(ctx, e.Bus, e.Logger, "evaluator/"+e.Name, header, result)
		if errors.Is(err, events.ErrTooLarge) || errors.Is(err, messages.ErrNoEvent) {
			err = fmt.Errorf("%w: %w", errPoison, err) // nor will it fit the next time
		}
		now := time.Now()
		stored(err, now, comesAgainBy(msg, now))
		if !canBeStoredLater(err) {
			return err
		}
		e.tellOutage(msg, err)
		e.hands.say(item, evaluator.Progress{Done: -1, Message: "measured, and not stored yet: " + err.Error()})
		wait := time.NewTimer(pause)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return err
		}
		if e.over(ctx, messages.RunKey{Study: work.Study, Run: work.Run}) {
			return nil
		}
	}
}

// tellOutage logs that an answer cannot be stored now.
func (e *Evaluator) tellOutage(msg *message.Message, err error) {
	subject := msg.Metadata.Get(events.MetaSubject)
	if errors.Is(err, events.ErrFull) {
		e.full.Failed(e.Logger.Error, "the stream is full: the study waits", "subject", subject, "error", err, "hint", messages.FullHint)
		return
	}
	e.away.Failed(e.Logger.Warn, "the bus cannot be reached: the work item will be tried again", "subject", subject, "error", err)
}
