package archive

import (
	"context"
	"iter"
	"slices"

	"apollo/archiver"
	"apollo/events"
	"apollo/services/client"
	"apollo/services/messages"
)

// Joined is a batch of a run with its trials as the log has them.
type Joined struct {
	Proposed *events.TrialsProposed
	// Rows are its trials; nil while it has no answer that counts.
	Rows []archiver.Row
}

// Read reads the batches of a run from the bus, as client.Batches does.
func Read(ctx context.Context, bus events.Bus, view *client.StudyView) iter.Seq2[Joined, error] {
	return func(yield func(Joined, error) bool) {
		judge, err := events.NewJudge(view.Spec)
		if err != nil {
			yield(Joined{}, err)
			return
		}
		r := &archiveRun{
			key: messages.RunKey{Study: view.Study, Run: view.Run}, spec: view.Spec, judge: judge, workload: archiver.WorkloadHash(view.Spec.Networks),
		}
		for b, err := range client.Batches(ctx, bus, view, events.MaxTrials) {
			if err != nil {
				yield(Joined{}, err)
				return
			}
			if !yield(Joined{&b.TrialsProposed, r.rowsOf(b)}, nil) {
				return
			}
		}
	}
}

// rowsOf makes the rows of a batch that has all its answers; nil for another one.
func (r *archiveRun) rowsOf(b *client.Batch) []archiver.Row {
	if slices.Contains(b.Answers, nil) {
		return nil
	}
	rows := make([]archiver.Row, len(b.Designs))
	for i := range b.Designs {
		joinRow(&rows[i], r, &b.TrialsProposed, i, b.Answers[i])
		if !b.Known[i] {
			rows[i].EvaluatorVersion, rows[i].EvaluatorProgram, rows[i].Worker = b.By.Version, b.By.Program, b.Worker
		}
		rows[i].StreamSeq, rows[i].TraceID = b.Stored.Seq, traceID(b.Stored.Header)
	}
	return rows
}
