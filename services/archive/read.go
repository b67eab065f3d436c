package archive

import (
	"context"
	"fmt"
	"iter"

	"apollo/archiver"
	"apollo/events"
	"apollo/services/messages"
)

// Joined is a batch of a run with its trials as the log has them.
type Joined struct {
	Proposed *events.TrialsProposed
	// Rows are its trials; nil while it has no answer that counts.
	Rows []archiver.Row
}

// Read reads the batches of a run from the bus, in their order. It holds the answers
// that came before those of earlier batches: as many as a run has in flight.
func Read(ctx context.Context, bus events.Bus, spec *events.Spec, run string, identity *events.Identity) iter.Seq2[Joined, error] {
	return func(yield func(Joined, error) bool) {
		judge, err := events.NewJudge(spec)
		if err != nil {
			yield(Joined{}, err)
			return
		}
		r := &archiveRun{
			key: messages.RunKey{Study: spec.Study, Run: run}, spec: spec, judge: judge,
			workload: archiver.WorkloadHash(spec.Networks), identity: identity,
		}
		results, stop := iter.Pull2(bus.Facts().Read(ctx, 0, fmt.Sprintf("result.%s.%s.%s.*", spec.Evaluator.Name, spec.Study, run)))
		defer stop()
		answers := map[int]events.Message{}
		for m, err := range bus.Log().Read(ctx, 0, events.StudySubject(spec.Study, run, "proposed")) {
			if err != nil {
				yield(Joined{}, fmt.Errorf("read the log: %w", err))
				return
			}
			_, p, err := events.DecodeAs[events.TrialsProposed](m.Data)
			if err != nil {
				yield(Joined{}, fmt.Errorf("%s at sequence %d: %w", m.Subject, m.Seq, err))
				return
			}
			// Trials that were measured elsewhere have no answer here: to look for one
			// would read all the others.
			if len(expected(r, &p).Trials) > 0 {
				if err := answerOf(p.Batch, answers, results); err != nil {
					yield(Joined{}, err)
					return
				}
			}
			if !yield(Joined{&p, r.joined(&p, answers)}, nil) {
				return
			}
		}
	}
}

// answerOf reads results until that of a batch is among the answers.
func answerOf(batch int, answers map[int]events.Message, results func() (events.Message, error, bool)) error {
	for _, there := answers[batch]; !there; _, there = answers[batch] {
		m, err, more := results()
		if err != nil {
			return fmt.Errorf("read the results: %w", err)
		}
		if !more {
			return nil
		}
		if of, ok := events.BatchOfSubject(m.Subject); ok {
			answers[of] = m
		}
	}
	return nil
}

// joined makes the rows of a batch of its answer, nil where none counts.
func (r *archiveRun) joined(p *events.TrialsProposed, answers map[int]events.Message) []archiver.Row {
	m, there := answers[p.Batch]
	delete(answers, p.Batch)
	answer := answerIn(m, p.Batch)
	want := expected(r, p)
	want.Identity = r.identity
	switch {
	case !there && len(want.Trials) > 0, there && want.Refusal(answer) != "":
		return nil
	case !there:
		return answerRows(r, p, nil)
	}
	return joinRows(r, p, answer, m)
}
