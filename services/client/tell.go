package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"apollo/events"
)

// ErrTold says that a trial has an answer already: the first one counts.
var ErrTold = errors.New("the trial was told already")

// Tell records what a person, or a program of theirs, measured of the one trial
// of a batch (events.EvaluatorSpec.Manual). The answer is checked as an
// evaluator's is; what does not fit is an error and not recorded. worker says who
// tells. Errors: ErrTold, and the bus's.
func Tell(ctx context.Context, bus events.Bus, work *events.BatchRequested, derive *events.Deriver, worker string, answer events.TrialResult) error {
	r := events.BatchEvaluated{
		Study: work.Study, Run: work.Run, Batch: work.Batch, Evaluator: work.Evaluator, EvaluatorVersion: events.ManualIdentity().Version,
		Worker: worker, Trials: []events.TrialResult{answer},
	}
	want := events.ExpectedOf(work)
	want.Derive = derive
	r.Metrics = want.Metrics
	if _, problems := events.ValidateResult(want, &r); len(problems) > 0 {
		return errors.New(problems[0])
	}
	subject := events.ResultSubject(r.Evaluator, r.Study, r.Run, r.Batch)
	data, err := events.Encode(subject, "client", r.Study, time.Now(), r)
	if err != nil {
		return err
	}
	_, err = bus.Facts().Record(ctx, events.Message{Subject: subject, ID: subject, Data: data})
	if errors.Is(err, events.ErrExists) {
		return fmt.Errorf("%w: trial %d", ErrTold, answer.Trial)
	}
	return err
}
