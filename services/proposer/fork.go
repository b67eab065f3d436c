package proposer

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"apollo/events"
	"apollo/services/client"
	"apollo/services/study"
)

// errForkGone says that the run a study was forked from has left the bus.
var errForkGone = errors.New("the run that the study was forked from is not there any more")

// share gives the machine the trials that a fork begins with, where it needs them.
func (o *owner) share(ctx context.Context) error {
	if !o.machine.LacksShared() {
		return nil
	}
	batches, err := o.shared(ctx, o.spec.Fork)
	if err == nil {
		o.machine.Share(batches)
	}
	return err
}

func (o *owner) shared(ctx context.Context, f *events.Fork) ([]study.Shared, error) {
	view, err := client.ReadStudy(ctx, o.proposer.Bus.Log(), f.Study, f.Run)
	if errors.Is(err, client.ErrNoStudy) {
		return nil, fmt.Errorf("%w: study %s, run %s was removed", errForkGone, f.Study, f.Run)
	}
	if err != nil {
		return nil, err
	}
	batches, err := client.ReadBatches(ctx, o.proposer.Bus, view, f.Trials)
	if err != nil {
		return nil, err
	}
	out := make([]study.Shared, len(batches))
	for i := range batches {
		b := &batches[i]
		out[i] = study.Shared{TrialsProposed: b.TrialsProposed, Answers: make([]events.TrialResult, len(b.Answers))}
		for k, answer := range b.Answers {
			if answer == nil && b.FirstTrial+k < f.Trials {
				return nil, fmt.Errorf("trial %d of study %s, run %s has no answer", b.FirstTrial+k, f.Study, f.Run)
			}
			if answer != nil {
				out[i].Answers[k] = *answer
			}
		}
	}
	return out, nil
}

// checkFork refuses a fork of what is not there, of trials that cannot be this
// study's, and one by another program; of is the other run, nil where there is none.
func (p *Proposer) checkFork(ctx context.Context, spec *events.Spec, request *events.StudyRequested) (of *client.StudyView, mistake *events.Mistake, err error) {
	if spec.Fork == nil {
		return nil, nil, nil
	}
	if mistake, err = CheckFork(ctx, p.Bus, spec); mistake != nil || err != nil {
		return nil, mistake, err
	}
	if of, err = client.ReadStudy(ctx, p.Bus.Log(), spec.Fork.Study, spec.Fork.Run); err != nil {
		return nil, nil, err
	}
	return of, checkForked(of, request), nil
}

// CheckFork says why a study cannot share what its Fork names; nil where it can.
func CheckFork(ctx context.Context, bus events.Bus, spec *events.Spec) (*events.Mistake, error) {
	f := spec.Fork
	view, err := client.ReadStudy(ctx, bus.Log(), f.Study, f.Run)
	switch {
	case errors.Is(err, client.ErrNoStudy):
		return &events.Mistake{
			Pointer: "/spec/fork/study", Code: "source", Message: fmt.Sprintf("study %q, run %s is not in the log: it never was, or it was removed", f.Study, f.Run),
			Hint: "`apollo study ls --all` lists the runs; trials that are in the archive alone can be sources of transfer",
		}, nil
	case err != nil:
		return nil, err
	case view.Err != nil:
		return &events.Mistake{Pointer: "/spec/fork/study", Code: "source", Message: fmt.Sprintf("study %q cannot be read: %v", f.Study, view.Err)}, nil
	}
	if m := checkMeasurement(view, spec); m != nil {
		return m, nil
	}
	return CheckShared(ctx, bus, view, f.Trials)
}

// CheckShared says why the first trials of a run cannot be shared; nil where all of
// them have an answer.
func CheckShared(ctx context.Context, bus events.Bus, of *client.StudyView, trials int) (*events.Mistake, error) {
	batches, err := client.ReadBatches(ctx, bus, of, trials)
	if err != nil {
		return nil, err
	}
	have := answered(batches)
	if have >= trials {
		return nil, nil //nolint:nilnil // nothing is wrong
	}
	return &events.Mistake{
		Pointer: "/spec/fork/trials", Code: "out_of_range",
		Message: fmt.Sprintf("%d trials are to be shared, and study %q, run %s, has an answer to the first %d", trials, of.Study, of.Run, have),
		Hint:    fmt.Sprintf("share at most %d, or wait until it has more", have),
	}, nil
}

// checkMeasurement says why trials of a run cannot be a study's; nil where they can.
func checkMeasurement(of *client.StudyView, spec *events.Spec) *events.Mistake {
	if d := events.DiffMeasurement(of.Spec, spec); len(d) > 0 {
		return &events.Mistake{
			Pointer: "/spec/fork", Code: "contradicts",
			Message: fmt.Sprintf("trials of study %q are no trials of this one, which measures something else:\n  %s", of.Study, strings.Join(d, "\n  ")),
			Hint:    "strategy, seed, budget, limits and rules of a fork may differ; from other studies it learns by transfer",
		}
	}
	grown := *spec
	grown.Budget.Batch = max(spec.Budget.Batch, of.Spec.Budget.Batch)
	return events.CheckSizes(&grown, events.MaxEventBytes)
}

// checkForked refuses a program that is not the one whose trials are shared.
func checkForked(of *client.StudyView, request *events.StudyRequested) *events.Mistake {
	if of == nil || of.Identity == nil || request.Program == nil {
		return nil
	}
	if asked := (events.Identity{Version: request.EvaluatorVersion, Program: request.Program.Digest()}); asked != *of.Identity {
		return &events.Mistake{
			Pointer: "/data/program", Code: "contradicts",
			Message: fmt.Sprintf("the trials of study %q were measured by %s, and this study would be by %s: they do not belong into one study", of.Study, of.Identity, asked),
			Hint:    "put the program back as it was",
		}
	}
	return nil
}

// answered returns how many trials of a run have an answer, up to the first that
// has none.
func answered(batches []client.Batch) (n int) {
	for i := range batches {
		for k := range batches[i].Answers {
			if batches[i].Answers[k] == nil {
				return n
			}
			n++
		}
	}
	return n
}
