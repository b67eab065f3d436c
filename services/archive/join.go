package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"

	"apollo/archiver"
	"apollo/events"
	"apollo/services/messages"
	"apollo/services/tracing"
)

// result archives one answer. It returns an error only when the archiver
// itself cannot go on.
func (w *archive) result(ctx context.Context, d delivery, logs <-chan delivery) error {
	if d.err != nil {
		return fmt.Errorf("follow the results: %w", d.err)
	}
	m := d.m
	if m.Seq <= w.seen {
		return w.checkRecreated(ctx)
	}
	if w.wanted(m) {
		if err := w.archiveResult(ctx, m, logs); err != nil {
			return err
		}
	}
	w.seen = m.Seq
	if m.Seq > w.at.Sequence {
		w.at.Sequence, w.at.Stored = m.Seq, m.Time.UTC()
	}
	if w.store.Due() {
		if err := w.commit(ctx); err != nil {
			return err
		}
	}
	return w.finish(ctx)
}

// checkRecreated ends the work with errWentBack when the stream of results was made anew
// while it was followed: its sequences count from 1 again.
func (w *archive) checkRecreated(ctx context.Context) error {
	before := w.at.Created
	var now time.Time
	err := w.retry(ctx, "look at the results", func(ctx context.Context) error {
		info, err := w.bus.Facts().Info(ctx, "result.>")
		now = info.Created.UTC()
		return err
	})
	if err == nil && !now.Equal(before) {
		err = fmt.Errorf("%w: the stream of results was made anew", errWentBack)
	}
	return err
}

func (w *archive) archiveResult(ctx context.Context, m events.Message, logs <-chan delivery) error {
	key, evaluator, batch, ok := parseResultSubject(m.Subject)
	if !ok {
		return w.deadLetter(ctx, m, errors.New("the subject names no batch"))
	}
	r, proposal, err := w.proposal(ctx, key, batch, logs)
	switch {
	case err != nil:
		return err
	case r != nil && r.spec.Evaluator.Name != evaluator:
		return w.deadLetter(ctx, m, fmt.Errorf("%s/%s asks the evaluator %s, not %s", key.Study, key.Run, r.spec.Evaluator.Name, evaluator))
	case r != nil && r.differs != "":
		return nil
	case proposal.TrialsProposed == nil && r != nil && (r.skip || r.done.has(batch)):
		answer := answerIn(m, batch)
		reopened, err := w.reopened(ctx, r, batch, logs)
		if err != nil {
			return err
		}
		if reopened {
			return w.archiveResult(ctx, m, logs)
		}
		if r.compare || !w.known(key, answer) {
			return nil // of a run that has ended
		}
		if err := w.reexamine(ctx, r); err != nil {
			return err
		}
		return w.archiveResult(ctx, m, logs)
	case proposal.TrialsProposed == nil:
		return w.deadLetter(ctx, m, fmt.Errorf("batch %d of %s/%s was never proposed", batch, key.Study, key.Run))
	}
	if !m.Time.After(proposal.at) {
		if stands, err := w.stillStored(ctx, m); err != nil || !stands {
			return err
		}
	}
	answer := answerIn(m, batch)
	want := expected(r, proposal.TrialsProposed)
	if err := w.identify(ctx, r, &want, answer, logs); err != nil {
		return err
	}
	if why := want.Refusal(answer); why != "" {
		// The proposer sees the same: it keeps a copy, and has the batch
		// measured anew.
		w.log.Debug("result refused", "subject", m.Subject, "sequence", m.Seq, "reason", why)
		return nil
	}
	rows := joinRows(r, proposal.TrialsProposed, answer, m)
	w.trace(ctx, m, key, proposal.TrialsProposed)
	if _, err := w.store.Append(rows...); err != nil {
		if archiver.IsStopped(err) {
			return err
		}
		if other, ok := errors.AsType[*archiver.DifferError](err); ok {
			return w.differs(ctx, r, m, other)
		}
		if err := w.deadLetter(ctx, m, err); err != nil {
			return err
		}
	}
	r.done.add(batch)
	delete(r.open, batch)
	w.open--
	return nil
}

// maxSpans bounds the spans that wait for a commit; more answers have none.
const maxSpans = 2048

// trace begins the span of an answer, which ends when it is on disk.
func (w *archive) trace(ctx context.Context, m events.Message, key messages.RunKey, p *events.TrialsProposed) {
	if w.tracer == nil || len(w.spans) >= maxSpans {
		return
	}
	span := tracing.Begin(ctx, w.tracer, m.Header, "archive", trace.SpanKindConsumer, tracing.Batch(key.Study, key.Run, p.Batch, p.FirstTrial, len(p.Designs))...)
	if span.Recorded() {
		w.spans = append(w.spans, span)
	}
}

// reopened reports whether a run that is wholly on disk goes on: the follower of
// the log may be behind the results.
func (w *archive) reopened(ctx context.Context, r *archiveRun, batch int, logs <-chan delivery) (goesOn bool, err error) {
	if !r.skip {
		return false, nil
	}
	err = w.retry(ctx, "look whether a run goes on", func(ctx context.Context) error {
		for _, err := range w.bus.Log().Read(ctx, w.logSeq+1, events.StudySubject(r.key.Study, r.key.Run, "extended")) {
			if err != nil {
				return err
			}
			goesOn = true
		}
		return nil
	})
	if err != nil || !goesOn {
		return false, err
	}
	return true, w.await(ctx, r.key, batch, logs, func() bool { return !r.skip })
}

// stillStored reports whether a result is still among the facts. The proposer takes
// one away that was there before its batch was proposed, so that one which
// looks older than its batch has to be looked up.
func (w *archive) stillStored(ctx context.Context, m events.Message) (stands bool, err error) {
	err = w.retry(ctx, "look a result up", func(ctx context.Context) error {
		stands = false
		for now, err := range w.bus.Facts().Read(ctx, m.Seq, m.Subject) {
			if err != nil {
				return err
			}
			stands = stands || now.Seq == m.Seq
		}
		return nil
	})
	return stands, err
}

func parseResultSubject(subject string) (key messages.RunKey, evaluator string, batch int, ok bool) {
	batch, ok = events.BatchOfSubject(subject)
	t := strings.Split(subject, ".")
	if !ok || t[0] != "result" {
		return messages.RunKey{}, "", 0, false
	}
	return messages.RunKey{Study: t[2], Run: t[3]}, t[1], batch, true
}

// proposal returns what the study log says about a batch, nothing when it was
// never proposed, or is archived already. The proposal is in the log before
// its work is published, so it is there; only the follower may be behind.
func (w *archive) proposal(ctx context.Context, key messages.RunKey, batch int, logs <-chan delivery) (*archiveRun, openBatch, error) {
	err := w.await(ctx, key, batch, logs, func() bool {
		r := w.runs[key]
		return r != nil && (r.open[batch].TrialsProposed != nil || r.skip || r.differs != "" || r.done.has(batch))
	})
	r := w.runs[key]
	if err != nil || r == nil {
		return nil, openBatch{}, err
	}
	return r, r.open[batch], nil
}

// await folds the study log until known, or to its end where the follower has
// nothing new for a while.
func (w *archive) await(ctx context.Context, key messages.RunKey, batch int, logs <-chan delivery, known func() bool) error {
	timer := time.NewTimer(proposalWait)
	defer timer.Stop()
	for !known() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case d := <-logs:
			if err := w.logged(ctx, d); err != nil {
				return err
			}
			timer.Reset(proposalWait)
		case <-timer.C:
			return w.readLog(ctx, key, batch)
		}
	}
	return nil
}

// identify sees to it that want has the identity of the run, where it has one
// or this answer gives it one. The proposer says in the log who gave the first
// answer. Where it has not yet, because it ended just then, the first answer
// that is stored decides, as it will for the proposer.
func (w *archive) identify(ctx context.Context, r *archiveRun, want *events.Expected, answer *events.BatchEvaluated, logs <-chan delivery) error {
	if r.identity == nil && r.binds && want.Binds(answer) {
		err := w.await(ctx, r.key, want.Batch, logs, func() bool { return r.identity != nil })
		if err != nil {
			return err
		}
		if r.identity == nil {
			if err := w.firstIdentity(ctx, r); err != nil {
				return err
			}
		}
	}
	want.Identity = r.identity
	return nil
}

// firstIdentity takes the identity of the run's first answer.
func (w *archive) firstIdentity(ctx context.Context, r *archiveRun) error {
	filter := fmt.Sprintf("result.%s.%s.%s.*", r.spec.Evaluator.Name, r.key.Study, r.key.Run)
	return w.retry(ctx, "look the first result up", func(ctx context.Context) error {
		for m, err := range w.bus.Facts().Read(ctx, 0, filter) {
			if err != nil {
				return err
			}
			batch, _ := events.BatchOfSubject(m.Subject)
			answer := answerIn(m, batch)
			identity := answer.Identity()
			// The proposer's own answers to batches that need no evaluation say
			// nothing about who measures.
			if len(answer.Trials) == 0 && answer.Worker == "" && identity == (events.Identity{}) {
				continue
			}
			question := events.Expected{Study: r.key.Study, Run: r.key.Run, Batch: batch, Trials: []int{0}}
			if question.Binds(answer) {
				r.identity, r.guessed = &identity, true
				return nil
			}
		}
		return nil
	})
}

// everyBatch asks readLog for all batches.
const everyBatch = -1

// readLog reads the run's log to its end, for one batch and the identity. The
// follower brings the same events later; they change nothing then.
func (w *archive) readLog(ctx context.Context, key messages.RunKey, batch int) error {
	return w.retry(ctx, "read the study log", func(ctx context.Context) error {
		var filters []string
		for _, kind := range []string{"accepted", "bound", "proposed"} {
			filters = append(filters, events.StudySubject(key.Study, key.Run, kind))
		}
		for m, err := range w.bus.Log().Read(ctx, 0, filters...) {
			if err != nil {
				return err
			}
			_, payload, err := events.Decode(m.Data)
			if err != nil {
				continue // the follower puts it into the dead-letter stream
			}
			if e, ok := payload.(events.TrialsProposed); ok && batch != everyBatch && e.Batch != batch {
				continue
			}
			if w.runs[key] == nil {
				if _, ok := payload.(events.StudyAccepted); !ok {
					continue
				}
			}
			if err := w.fold(m, key, w.runs[key], payload); err != nil {
				w.log.Debug("an event of the study log does not fit", "subject", m.Subject, "sequence", m.Seq, "error", err)
			}
		}
		return nil
	})
}

// answerIn returns the answer that a message holds; one that says nothing where
// it cannot be read.
func answerIn(m events.Message, batch int) *events.BatchEvaluated {
	_, payload, err := events.Decode(m.Data)
	answer, ok := payload.(events.BatchEvaluated)
	if err != nil || !ok {
		answer = events.BatchEvaluated{}
	}
	answer.Batch = batch
	return &answer
}

// joinRows makes the rows of a batch from its proposal and its answer. An
// answer that does not fit gives failed rows; the proposer, which sees the
// same, keeps the copy in the dead-letter stream.
func joinRows(r *archiveRun, p *events.TrialsProposed, answer *events.BatchEvaluated, m events.Message) []archiver.Row {
	rows, trace := answerRows(r, p, answer), traceID(m.Header)
	for i := range rows {
		rows[i].StreamSeq, rows[i].TraceID = m.Seq, trace
	}
	return rows
}

// Rows returns how to make the rows of a run's batches, for whoever drives a
// study without a bus. The error names the rule or constraint that is broken.
func Rows(spec *events.Spec, run string) (func(*events.TrialsProposed, *events.BatchEvaluated) []archiver.Row, error) {
	judge, err := events.NewJudge(spec)
	if err != nil {
		return nil, err
	}
	r := &archiveRun{key: messages.RunKey{Study: spec.Study, Run: run}, spec: spec, judge: judge, workload: archiver.WorkloadHash(spec.Networks)}
	return func(p *events.TrialsProposed, answer *events.BatchEvaluated) []archiver.Row {
		return answerRows(r, p, answer)
	}, nil
}

// reusedIn returns the trials of a batch whose answer was known already.
func reusedIn(p *events.TrialsProposed) map[int]*events.TrialResult {
	reused := map[int]*events.TrialResult{}
	for i := range p.Reused {
		reused[p.Reused[i].Trial] = &p.Reused[i]
	}
	return reused
}

// expected returns what the answer to a batch must hold, but for its identity.
func expected(r *archiveRun, p *events.TrialsProposed) events.Expected {
	want := events.Expected{Study: r.key.Study, Run: r.key.Run, Batch: p.Batch, Derive: r.judge.Deriver(), Reports: r.spec.EarlyStop != nil, Stops: p.EarlyStop != nil}
	reused := reusedIn(p)
	want.Trials = make([]int, 0, len(p.Designs))
	for i := range p.Designs {
		if reused[p.FirstTrial+i] == nil {
			want.Trials = append(want.Trials, p.FirstTrial+i)
		}
	}
	for _, metric := range r.spec.Measured() {
		want.Metrics = append(want.Metrics, metric.Name)
	}
	return want
}

// answerRows makes the rows of a batch, from an answer that is not refused.
func answerRows(r *archiveRun, p *events.TrialsProposed, answer *events.BatchEvaluated) []archiver.Row {
	reused := reusedIn(p)
	results, _ := events.ValidateResult(expected(r, p), answer)
	rows := make([]archiver.Row, len(p.Designs))
	for i := range p.Designs {
		result, by, worker := reused[p.FirstTrial+i], events.Identity{}, ""
		if result == nil {
			result, by, worker = &results[0], answer.Identity(), answer.Worker
			results = results[1:]
		}
		joinRow(&rows[i], r, p, i, result)
		rows[i].EvaluatorVersion, rows[i].EvaluatorProgram, rows[i].Worker = by.Version, by.Program, worker
	}
	return rows
}

// workloadOf is the hash of what a design runs.
func (r *archiveRun) workloadOf(design events.Design) string {
	if r.spec.Search == "" {
		return r.workload
	}
	return archiver.WorkloadHash(r.spec.NetworksOf(design))
}

func joinRow(row *archiver.Row, r *archiveRun, p *events.TrialsProposed, i int, t *events.TrialResult) {
	design := p.Designs[i]
	judged := r.judge.Judge(design, t)
	*row = archiver.Row{
		Study: r.key.Study, Run: r.key.Run, Trial: int64(p.FirstTrial + i), Batch: int64(p.Batch),
		Design: design, Values: t.Values, Outcome: t.Outcome, Feasible: judged.Feasible, Reason: judged.Reason,
		Attempts: int64(t.Attempts), ObservedThrough: p.ObservedThrough,
		Evaluator:  r.spec.Evaluator.Name,
		DesignHash: archiver.DesignHash(r.spec.Parameters, design), WorkloadHash: r.workloadOf(design),
		Seconds: t.Seconds,
	}
	if i < len(p.Origins) {
		row.Origin = p.Origins[i]
	}
	if i < len(p.Parents) {
		for _, parent := range p.Parents[i] {
			row.Parents = append(row.Parents, int64(parent))
		}
	}
	if failed := t.LastFailure(); failed != nil {
		row.LastError = *failed
	}
	if t.Started != 0 {
		row.Start = time.UnixMicro(int64(t.Started)).UTC()
		row.End = row.Start.Add(time.Duration(math.Round(t.Seconds*1e6)) * time.Microsecond)
	}
	if len(t.Extra) > 0 {
		if extra, err := json.Marshal(t.Extra); err == nil {
			row.Extra = string(extra)
		}
	}
	if t.Intermediate != nil {
		if curve, err := json.Marshal(t.Intermediate); err == nil {
			row.Intermediate = string(curve)
		}
	}
}

// traceID returns the trace of a W3C traceparent header,
// "00-<trace>-<span>-<flags>", or "".
func traceID(header map[string]string) string {
	t := strings.Split(header[messages.TraceParent], "-")
	const digits = 32
	if len(t) != 4 || len(t[1]) != digits {
		return ""
	}
	return t[1]
}
