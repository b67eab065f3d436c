package proposer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"apollo/events"
)

// errLogWentBack ends an owner that knows more of its run than the log: the bus
// was restored from an older copy. It begins anew with what the log says.
var errLogWentBack = errors.New("the log went back to an earlier moment")

// watchForRollback watches the log from behind sequence last on, for as long as ctx lives.
// When the log went back to an earlier moment, runs that had ended may be open
// again: they are driven again.
func (p *Proposer) watchForRollback(ctx context.Context, last uint64) {
	look := time.NewTicker(roomEvery)
	defer look.Stop()
	for ctx.Err() == nil {
		watching, stop := context.WithCancel(ctx)
		from := last + 1
		p.wg.Go(func() { p.watch(watching, from) })
		p.wg.Go(func() { p.watchLetters(watching) })
		back := false
		for ctx.Err() == nil && !back {
			select {
			case <-ctx.Done():
			case <-look.C:
			}
			// First what was seen: what is stored while the log is asked is behind its answer.
			seen := p.highest.Swap(0)
			info, err := p.Bus.Log().Info(ctx, events.RunFilter("*", "*"))
			if err != nil {
				p.saw(seen)
				continue
			}
			back = info.Last < max(last, seen)
			last = info.Last
		}
		stop()
		if !back {
			return
		}
		p.Logger.Warn("the log went back to an earlier moment: its open runs are driven again", "last", last)
		runs, err := openRuns(ctx, p.Bus.Log())
		if err != nil {
			p.Logger.Error("look for open runs", "error", err)
		}
		for _, r := range runs {
			if p.drives(r.key.Study) {
				p.drive(ctx, r.key, r.who)
			}
		}
	}
}

// saw notes an event of the log that an owner has folded.
func (p *Proposer) saw(seq uint64) {
	for old := p.highest.Load(); seq > old && !p.highest.CompareAndSwap(old, seq); old = p.highest.Load() {
	}
}

// checkMoment looks whether the bus still has what this owner has folded.
func (o *owner) checkMoment(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, stuckBefore)
	defer cancel()
	logged, err := o.proposer.Bus.Log().Info(limited, events.RunFilter(o.key.Study, o.key.Run))
	if err != nil {
		return nil // it is looked at again
	}
	results, err := o.proposer.Bus.Facts().Info(limited, o.resultFilter())
	if err != nil {
		return nil
	}
	switch {
	case logged.Last < o.logSeq:
		return fmt.Errorf("%w: it ends at %d, and the run had an event at %d", errLogWentBack, logged.Last, o.logSeq)
	case results.Last < o.resultSeq:
		return fmt.Errorf("%w: the results end at %d, and the run had one at %d", errLogWentBack, results.Last, o.resultSeq)
	case time.Since(o.lastMove) < roomEvery:
		return nil
	}
	return o.checkLast(limited)
}

// checkLast reads the last event that this owner has folded once more.
func (o *owner) checkLast(ctx context.Context) error {
	for m, err := range o.proposer.Bus.Log().Read(ctx, o.logSeq, events.RunFilter(o.key.Study, o.key.Run)) {
		if err != nil {
			return nil
		}
		if m.Seq == o.logSeq {
			return nil
		}
		break // only the first one is asked for
	}
	return fmt.Errorf("%w: the run has no event at %d any more", errLogWentBack, o.logSeq)
}

// checkAnswer looks for the answer of a batch whose work is gone and of which
// this owner has not heard: the results went back to an earlier moment, and were
// as many as before by the time that anybody counted them, so that the answer
// lies before the place from where they are followed.
func (o *owner) checkAnswer(ctx context.Context, batch int) error {
	for m, err := range o.proposer.Bus.Facts().Read(ctx, 0, events.ResultSubject(o.spec.Evaluator.Name, o.key.Study, o.key.Run, batch)) {
		if err != nil {
			return nil // it is looked at again
		}
		return fmt.Errorf("%w: the answer of batch %d is at %d, and the run, which has heard of %d, has not heard of it", errLogWentBack, batch, m.Seq, o.resultSeq)
	}
	return nil
}
