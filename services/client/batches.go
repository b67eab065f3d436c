package client

import (
	"context"
	"fmt"
	"iter"

	"apollo/events"
)

// Batch is a proposed batch of a run with its answers.
type Batch struct {
	events.TrialsProposed
	// Answers[i] is that of Designs[i], nil while there is none; Known[i] says that
	// it was known when the batch was proposed.
	Answers []*events.TrialResult
	Known   []bool
	// Worker gave the other answers, as an evaluator of a Version; Stored is the message
	// with them.
	Worker, Version string
	Stored          events.Message
}

// ReadBatches reads the batches of a run that begin before a trial into memory: see
// Batches.
func ReadBatches(ctx context.Context, bus events.Bus, view *StudyView, before int) (batches []Batch, err error) {
	for b, err := range Batches(ctx, bus, view, before) {
		if err != nil {
			return nil, err
		}
		batches = append(batches, *b)
	}
	return batches, nil
}

// Batches yields the batches of a run that begin before a trial, in order, with their
// answers: the first one to each that the run takes. It applies the same checks as the
// proposer and the archiver, and holds the answers that came before those of earlier
// batches: as many as a run has in flight.
func Batches(ctx context.Context, bus events.Bus, view *StudyView, before int) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		judge, err := events.NewJudge(view.Spec)
		if err != nil {
			yield(nil, err)
			return
		}
		filter := fmt.Sprintf("result.%s.%s.%s.*", view.Spec.Evaluator.Name, view.Study, view.Run)
		next, stop := iter.Pull2(bus.Facts().Read(ctx, 0, filter))
		defer stop()
		r := results{next: next, ahead: map[int][]events.Message{}}
		for m, err := range bus.Log().Read(ctx, 0, events.StudySubject(view.Study, view.Run, "proposed")) {
			if err != nil {
				yield(nil, fmt.Errorf("read the log: %w", err))
				return
			}
			_, p, err := events.DecodeAs[events.TrialsProposed](m.Data)
			if err != nil {
				yield(nil, fmt.Errorf("%s at sequence %d: %w", m.Subject, m.Seq, err))
				return
			}
			if p.FirstTrial >= before {
				return
			}
			b := newBatch(&p)
			// Trials that were measured elsewhere have no answer here: to look for one
			// would read all the others.
			for open := len(b.missing()); open > 0; {
				answer, more, err := r.of(p.Batch)
				if err != nil {
					yield(nil, fmt.Errorf("read the results: %w", err))
					return
				}
				if !more {
					break
				}
				open -= b.fold(answer, view, judge)
			}
			if !yield(b, nil) {
				return
			}
		}
	}
}

// results hands out the stored results of a run, batch by batch.
type results struct {
	next func() (events.Message, error, bool)
	// ahead are those that were read before their batch's turn, done is the last batch
	// that had its.
	ahead map[int][]events.Message
	done  int
}

// of returns the next result of a batch; false when there is no other one.
func (r *results) of(batch int) (m events.Message, more bool, err error) {
	if batch != r.done {
		delete(r.ahead, r.done)
		r.done = batch
	}
	if list := r.ahead[batch]; len(list) > 0 {
		r.ahead[batch] = list[1:]
		return list[0], true, nil
	}
	for {
		m, err, more = r.next()
		if err != nil || !more {
			return m, false, err
		}
		switch of, ok := events.BatchOfSubject(m.Subject); {
		case !ok || of < batch: // its turn is over
		case of == batch:
			return m, true, nil
		default:
			r.ahead[of] = append(r.ahead[of], m)
		}
	}
}

func newBatch(p *events.TrialsProposed) *Batch {
	b := &Batch{TrialsProposed: *p, Answers: make([]*events.TrialResult, len(p.Designs)), Known: make([]bool, len(p.Designs))}
	for i := range p.Reused {
		if at := p.Reused[i].Trial - p.FirstTrial; at >= 0 && at < len(b.Answers) {
			b.Answers[at], b.Known[at] = &p.Reused[i], true
		}
	}
	return b
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
			b.Worker, b.Version, b.Stored = r.Worker, r.EvaluatorVersion, m
		}
	}
	return answered
}
