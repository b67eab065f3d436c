package services

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"apollo/archiver"
	"apollo/evaluator"
	"apollo/events"
	"apollo/optimizer"
	"apollo/services/study"
)

// load folds everything that is stored about the run.
func (o *owner) load(ctx context.Context) error {
	o.machine, o.logSeq, o.nextSeq = nil, 0, 0
	if err := o.refresh(ctx); err != nil {
		return err
	}
	if o.machine == nil {
		return fmt.Errorf("the log of run %s holds no accepted event", o.key.run)
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

func (o *owner) resultFilter() string {
	return fmt.Sprintf("result.%s.%s.%s.*", o.spec.Evaluator.Name, o.key.study, o.key.run)
}

// refresh folds the events that were appended since the last one that was
// folded, by this owner before a restart or by another one.
func (o *owner) refresh(ctx context.Context) error {
	for m, err := range o.proposer.Bus.Log().Read(ctx, o.logSeq+1, events.RunFilter(o.key.study, o.key.run)) {
		if err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
		_, payload, err := events.Decode(m.Data)
		if err != nil {
			return fmt.Errorf("%s at sequence %d: %w", m.Subject, m.Seq, err)
		}
		if accepted, ok := payload.(events.StudyAccepted); ok && o.machine == nil {
			o.header = m.Header
			if err := o.open(ctx, &accepted.Spec); err != nil {
				return err
			}
		}
		if o.machine == nil {
			return fmt.Errorf("the log of run %s begins with %s", o.key.run, payload.EventType())
		}
		if started, ok := payload.(events.StudyStarted); ok {
			if err := o.checkPins(started.Sources); err != nil {
				return err
			}
		}
		if err := o.machine.Fold(payload); err != nil {
			return err
		}
		o.logSeq = m.Seq
	}
	return nil
}

// open makes the machine of the run's specification.
func (o *owner) open(ctx context.Context, spec *events.Spec) error {
	o.spec = spec
	if err := o.proposer.Catalog.sameVersion(spec); err != nil && !o.cancelling {
		return err
	}
	algorithm, err := optimizer.New(spec.Algorithm.Name, spec.Algorithm.Options)
	if err != nil {
		return err
	}
	sp, err := spec.Space()
	if err != nil {
		return err
	}
	var checker evaluator.Checker
	template, _ := o.proposer.Catalog.Template(spec.Template)
	if spec.Template != "" {
		e, err := o.proposer.Catalog.Bind(spec.Template, sp.Params(), spec.Networks)
		if err != nil {
			return err
		}
		checker, _ = e.(evaluator.Checker)
	}
	knowledge, err := o.learn(ctx, checker)
	if err != nil {
		return err
	}
	o.machine, err = study.New(study.Config{Spec: spec, Run: o.key.run, Algorithm: algorithm, Checker: checker, Features: template.Features, Knowledge: knowledge})
	return err
}

// learn loads the study's sources and notes what was loaded.
func (o *owner) learn(ctx context.Context, checker evaluator.Checker) (study.Knowledge, error) {
	if o.cancelling || o.spec.Transfer == nil || len(o.spec.Transfer.Sources) == 0 {
		return study.Knowledge{}, nil
	}
	if o.proposer.Sources == nil {
		return study.Knowledge{}, errors.New("the study transfers from earlier ones, and this proposer has no trial logs")
	}
	pinned, err := o.pinned(ctx)
	if err != nil {
		return study.Knowledge{}, err
	}
	sources := make([]archiver.Source, len(o.spec.Transfer.Sources))
	for i, ref := range o.spec.Transfer.Sources {
		if ref.Study != "" && i < len(pinned) {
			ref.Run = pinned[i].Run // not a later run of the same study
		}
		if sources[i], err = o.proposer.Sources.Load(ctx, ref); err != nil {
			return study.Knowledge{}, err
		}
	}
	sp, err := o.spec.Space()
	if err != nil {
		return study.Knowledge{}, err
	}
	judge, err := events.NewJudge(o.spec)
	if err != nil {
		return study.Knowledge{}, err
	}
	knowledge, pins, err := study.Learn(o.spec, study.Legality(o.spec, sp, judge, checker), sources)
	o.pins = pins
	return knowledge, err
}

// pinned returns the sources that the run started with; nil when it did not
// start yet.
func (o *owner) pinned(ctx context.Context) ([]events.SourcePin, error) {
	for m, err := range o.proposer.Bus.Log().Read(ctx, 0, events.StudySubject(o.key.study, o.key.run, "started")) {
		if err != nil {
			return nil, fmt.Errorf("read the log: %w", err)
		}
		_, started, err := events.DecodeAs[events.StudyStarted](m.Data)
		return started.Sources, err
	}
	return nil, nil
}

// checkPins refuses to go on with other sources than the run began with: it
// would quietly become a different study.
func (o *owner) checkPins(pinned []events.SourcePin) error {
	if o.cancelling || slices.Equal(pinned, o.pins) {
		return nil
	}
	for i, p := range pinned {
		if i >= len(o.pins) || o.pins[i] != p {
			return fmt.Errorf("source %s (run %s, %d trials, %.12s) has changed or is missing since the study started: restore it, or start a fresh run",
				p.Study, p.Run, p.Trials, p.SHA256)
		}
	}
	return errors.New("the study has more sources now than when it started: restore them, or start a fresh run")
}
