package proposer

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"apollo/events"
	"apollo/optimizer"
	"apollo/services/study"
)

// load folds everything that is stored about the run.
func (o *owner) load(ctx context.Context) error {
	o.machine, o.logSeq, o.nextSeq, o.resultSeq, o.said, o.provisioned, o.bytes = nil, 0, 0, 0, nil, false, 0
	if err := o.refresh(ctx); err != nil {
		return err
	}
	if o.machine == nil {
		return fmt.Errorf("the log of run %s holds no accepted event", o.key.Run)
	}
	for m, err := range o.proposer.Bus.Facts().Read(ctx, 0, o.resultFilter()) {
		if err != nil {
			return fmt.Errorf("read results: %w", err)
		}
		o.nextSeq = m.Seq + 1
		if err := o.fold(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// errHole ends a run whose log lacks an event in its middle. Every event names
// the one before it, so that no gap is taken for what was decided.
var errHole = errors.New("the server has lost a part of the run's log")

func (o *owner) resultFilter() string {
	return fmt.Sprintf("result.%s.%s.%s.*", o.spec.Evaluator.Name, o.key.Study, o.key.Run)
}

// refresh folds the events that were appended since the last one that was
// folded, by this owner before a restart or by another one.
func (o *owner) refresh(ctx context.Context) error {
	for m, err := range o.proposer.Bus.Log().Read(ctx, o.logSeq+1, events.RunFilter(o.key.Study, o.key.Run)) {
		if err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
		if m.After != nil && *m.After > o.logSeq {
			return fmt.Errorf("%w: %s at sequence %d follows one at %d that is not there; restore the server's store from a copy, or begin a fresh run",
				errHole, m.Subject, m.Seq, *m.After)
		}
		_, payload, err := events.Decode(m.Data)
		if err != nil {
			return fmt.Errorf("%s at sequence %d: %w", m.Subject, m.Seq, err)
		}
		if accepted, ok := payload.(events.StudyAccepted); ok && o.machine == nil {
			o.header = m.Header
			if err := o.open(ctx, &accepted); err != nil {
				return err
			}
		}
		if o.machine == nil {
			return fmt.Errorf("the log of run %s begins with %s", o.key.Run, payload.EventType())
		}
		if started, ok := payload.(events.StudyStarted); ok {
			err := o.checkPins(started.Sources)
			if err != nil && !o.relearned && searches(o.spec) {
				// Another owner searched the archive first: what it chose counts.
				o.relearned, o.machine, o.logSeq, o.bytes = true, nil, 0, 0
				return o.refresh(ctx)
			}
			if err != nil {
				return err
			}
		}
		switch e := payload.(type) {
		case events.StudyAccepted:
			o.wallSince = m.Time
		case events.StudyExtended:
			o.wallSince = m.Time
			if mistake := o.proposer.Quota.trials("", e.Trials); mistake != nil && !o.cancelling {
				return fmt.Errorf("%s: %s, then resume", mistake.Message, mistake.Hint)
			}
		}
		if waiting, ok := payload.(events.StudyWaiting); ok {
			o.foldWaiting(&waiting)
		}
		if o.verifies != nil {
			if err := o.verifies(m.Seq, payload); err != nil {
				return err
			}
		}
		if err := o.machine.Fold(payload); err != nil {
			return err
		}
		o.logSeq = m.Seq
		o.bytes += int64(len(m.Data))
		o.proposer.saw(m.Seq)
	}
	return nil
}

// open makes the machine of the run's specification.
func (o *owner) open(ctx context.Context, accepted *events.StudyAccepted) error {
	spec := &accepted.Spec
	o.proposer.belongs(o, accepted.Owner)
	// A run that is to be cancelled is one in any case, and does nothing.
	if err := events.CheckSpec(spec, o.proposer.Local || o.proposer.Files); err != nil && !o.cancelling {
		return err
	}
	if mistake := o.proposer.Quota.spec(spec); mistake != nil && !o.cancelling {
		return fmt.Errorf("%s: %s, then resume", mistake.Message, mistake.Hint)
	}
	o.spec = spec
	if err := o.proposer.Catalog.SameVersion(spec); err != nil && !o.cancelling {
		return err
	}
	algorithm, err := optimizer.New(spec.Algorithm.Name, spec.Algorithm.Options)
	if err != nil {
		return err
	}
	target, checker, err := targetOf(o.proposer.Catalog, spec)
	if err != nil {
		return err
	}
	target.Identity = cmp.Or(accepted.Pin(), &events.Identity{})
	template, _ := o.proposer.Catalog.Template(spec.Template)
	knowledge, err := o.learn(ctx, target)
	if err != nil {
		return err
	}
	inFlight, err := o.inFlight(ctx)
	if err != nil {
		return err
	}
	o.machine, err = study.New(study.Config{
		Spec: spec, Run: o.key.Run, Algorithm: algorithm, Checker: checker, Baseline: baselineOf(o.proposer.Catalog, spec),
		Features: template.Features, Knowledge: knowledge,
		InFlight: inFlight, FrontRoom: events.FrontRoom(o.proposer.Bus.MaxPayload()), MaxTrials: o.proposer.Quota.Trials,
	})
	return err
}

// workShare is the share of the queue of work that one study may fill: one of
// eight large ones at a time leaves room for all others.
const workShare = 8

// inFlight returns how many work items of the largest size fit into the
// study's share of the queue.
func (o *owner) inFlight(ctx context.Context) (int, error) {
	info, err := o.proposer.Bus.Log().Info(ctx, "work.>")
	if err != nil {
		return 0, fmt.Errorf("look at the queue of work: %w", err)
	}
	if info.MaxBytes == 0 {
		return 0, nil
	}
	item := events.SizesOf(o.spec).Of(events.SizeWork, o.spec.Budget.Batch)
	return max(1, int(info.MaxBytes/workShare)/item), nil
}
