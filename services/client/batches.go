package client

import (
	"context"
	"fmt"

	"apollo/events"
)

// Batch is a proposed batch of a run with its answers.
type Batch struct {
	events.TrialsProposed
	// Answers[i] is that of Designs[i], nil while there is none; Known[i] says that
	// it was known when the batch was proposed.
	Answers []*events.TrialResult
	Known   []bool
	// Worker gave the other answers.
	Worker string
}

// ReadBatches reads the batches of a run that begin before a trial, in order, with
// their answers: the first one to each that the run takes. It applies the same
// checks as the proposer and the archiver.
func ReadBatches(ctx context.Context, bus events.Bus, view *StudyView, before int) ([]Batch, error) {
	judge, err := events.NewJudge(view.Spec)
	if err != nil {
		return nil, err
	}
	batches, err := readProposed(ctx, bus.Log(), view, before)
	if err != nil {
		return nil, err
	}
	open := 0
	for i := range batches {
		open += len(batches[i].missing())
	}
	if open == 0 {
		return batches, nil
	}
	filter := fmt.Sprintf("result.%s.%s.%s.*", view.Spec.Evaluator.Name, view.Study, view.Run)
	for m, err := range bus.Facts().Read(ctx, 0, filter) {
		if err != nil {
			return nil, fmt.Errorf("read the results: %w", err)
		}
		k, ok := events.BatchOfSubject(m.Subject)
		if !ok || k >= len(batches) {
			continue
		}
		if open -= batches[k].fold(m, view, judge); open == 0 {
			break
		}
	}
	return batches, nil
}

func readProposed(ctx context.Context, log events.Log, view *StudyView, before int) (batches []Batch, err error) {
	for m, err := range log.Read(ctx, 0, events.StudySubject(view.Study, view.Run, "proposed")) {
		if err != nil {
			return nil, fmt.Errorf("read the log: %w", err)
		}
		_, p, err := events.DecodeAs[events.TrialsProposed](m.Data)
		if err != nil {
			return nil, fmt.Errorf("%s at sequence %d: %w", m.Subject, m.Seq, err)
		}
		if p.FirstTrial >= before {
			break
		}
		b := Batch{TrialsProposed: p, Answers: make([]*events.TrialResult, len(p.Designs)), Known: make([]bool, len(p.Designs))}
		for i := range p.Reused {
			if at := p.Reused[i].Trial - p.FirstTrial; at >= 0 && at < len(b.Answers) {
				b.Answers[at], b.Known[at] = &p.Reused[i], true
			}
		}
		batches = append(batches, b)
	}
	return batches, nil
}

// missing are the trials of the batch that have no answer.
func (b *Batch) missing() []int {
	trials := []int{}
	for i := range b.Answers {
		if b.Answers[i] == nil {
			trials = append(trials, b.FirstTrial+i)
		}
	}
	return trials
}

// fold adds a stored answer, and returns how many trials it answers.
func (b *Batch) fold(m events.Message, view *StudyView, judge *events.Judge) (answered int) {
	// What does not decode fails its trials, as it does for the proposer.
	_, r, _ := events.DecodeAs[events.BatchEvaluated](m.Data)
	r.Batch = b.Batch
	want := events.ExpectedOf(&events.BatchRequested{
		Study: b.Study, Run: b.Run, Batch: b.Batch, Evaluator: view.Spec.Evaluator.Name, Metrics: view.Spec.Measured(), Trials: b.missing(),
	})
	want.Identity, want.Derive = view.Identity, judge.Deriver()
	trials, _ := events.ValidateResult(want, &r)
	for i := range trials {
		at := trials[i].Trial - b.FirstTrial
		if at >= 0 && at < len(b.Answers) && b.Answers[at] == nil {
			b.Answers[at], answered = &trials[i], answered+1
			b.Worker = r.Worker
		}
	}
	return answered
}
