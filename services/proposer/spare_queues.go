package proposer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"apollo/events"
)

const (
	// lookForSpareEvery is how often a proposer looks for queues that nobody needs.
	lookForSpareEvery = 10 * time.Minute
	// spareFor is for how long nobody has to need one before it goes: clients that ask now
	// and then, and say nothing of themselves, are not seen at each look.
	spareFor = time.Hour
)

// watchQueues removes the queues of evaluators that nobody needs any more, until ctx ends.
// One that is removed while somebody begins to need it is made again: see lookForWork.
func (p *Proposer) watchQueues(ctx context.Context) {
	tick := time.NewTicker(lookForSpareEvery)
	defer tick.Stop()
	since, denied := map[string]time.Time{}, false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := p.removeSpare(ctx, since)
		switch {
		case errors.Is(err, events.ErrDenied):
			if !denied { // the operator may mend it, without a start of this process
				p.Logger.Warn("queues that nobody needs stay", "error", err, "hint", "`apollo auth permissions proposer` prints the permissions of this build")
			}
			denied = true
		case err != nil:
			p.Logger.Debug("look for queues that nobody needs", "error", err)
		default:
			denied = false
		}
	}
}

// removeSpare removes the queues that nobody has needed for long enough; since is since when.
func (p *Proposer) removeSpare(ctx context.Context, since map[string]time.Time) error {
	spare, err := p.spareQueues(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	maps.DeleteFunc(since, func(name string, _ time.Time) bool { return !spare[name] })
	for name := range spare {
		if since[name].IsZero() {
			since[name] = now
		}
		if now.Sub(since[name]) < spareFor {
			continue
		}
		if err := p.Bus.RemoveEvaluator(ctx, name); errors.Is(err, events.ErrDenied) {
			return err
		} else if err != nil {
			p.Logger.Warn("remove a queue that nobody needs", "evaluator", name, "error", err)
			continue
		}
		p.Logger.Info("the queue of an evaluator is removed: no study needs it, and nobody works for it", "evaluator", name)
	}
	return nil
}

// spareQueues finds the evaluators whose queue is empty, for which nobody works, and which
// no run names that has not ended.
func (p *Proposer) spareQueues(ctx context.Context) (map[string]bool, error) {
	names, err := p.Bus.Evaluators(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the queues: %w", err)
	}
	spare := map[string]bool{}
	for _, name := range names {
		if there, gone := p.roster.workers.Of(name, time.Now()); len(there)+len(gone) > 0 {
			continue
		}
		info, err := p.Bus.QueueInfo(ctx, "work."+name)
		if err != nil {
			return nil, err
		}
		if info == (events.QueueInfo{Known: true}) {
			spare[name] = true
		}
	}
	if len(spare) == 0 {
		return spare, nil
	}
	runs, err := openRuns(ctx, p.Bus.Log())
	for _, r := range runs {
		delete(spare, r.evaluator)
	}
	return spare, err
}
