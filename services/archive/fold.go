package archive

import (
	"context"
	"fmt"
	"slices"
	"time"

	"apollo/archiver"
	"apollo/events"
	"apollo/optimizer/space"
	"apollo/services/messages"
)

// archiveRun is what the archiver knows of a run from the study log.
type archiveRun struct {
	key      messages.RunKey
	accepted time.Time
	spec     *events.Spec
	space    space.Space
	judge    *events.Judge
	workload string
	// identity is who measures, as the log says it; while it does not, the first
	// answer decides where binds is set: guessed.
	identity *events.Identity
	binds    bool
	guessed  bool
	// open are the proposed batches that have no result yet.
	open map[int]openBatch
	done batchSet
	// skip is set for a run that is wholly on disk: its proposals and results
	// are not looked at.
	skip bool
	// compare: its results may be in the log already, and are compared. differs
	// says why the run is not written any more.
	compare bool
	differs string
	ended   *ending
}

// openBatch is a proposed batch and when the log stored it.
type openBatch struct {
	*events.TrialsProposed
	at time.Time
}

// ending is how a run ended and what belongs to its answer.
type ending struct {
	state      string
	trials     int64
	lastResult uint64
}

// batchSet is a set of batch numbers that fills up from 0.
type batchSet struct {
	below int
	above map[int]bool
}

func (b *batchSet) add(n int) {
	if n < b.below {
		return
	}
	if b.above == nil {
		b.above = map[int]bool{}
	}
	b.above[n] = true
	for b.above[b.below] {
		delete(b.above, b.below)
		b.below++
	}
}

func (b *batchSet) has(n int) bool { return n < b.below || b.above[n] }

// logged folds one event of the study log. What cannot be folded goes to the
// dead-letter stream.
func (w *archive) logged(ctx context.Context, d delivery) error {
	if d.err != nil {
		return fmt.Errorf("follow the study log: %w", d.err)
	}
	study, run, kind, ok := events.ParseStudySubject(d.m.Subject)
	if !ok {
		return w.deadLetter(ctx, d.m, fmt.Errorf("the subject names no run"))
	}
	key := messages.RunKey{Study: study, Run: run}
	r := w.runs[key]
	w.logSeq = max(w.logSeq, d.m.Seq)
	switch kind {
	case "accepted", "bound", "extended":
	case "proposed":
		if r != nil && (r.skip || r.differs != "" || w.store.Stuck(study, run)) {
			return nil
		}
	default:
		if !events.EndsRun(kind) {
			return nil
		}
	}
	_, payload, err := events.Decode(d.m.Data)
	if err == nil && events.Kind(payload.EventType()) != kind {
		err = fmt.Errorf("a %s on a subject of %s", payload.EventType(), kind)
	}
	if err == nil && r == nil && kind != "accepted" {
		err = fmt.Errorf("the run was never accepted")
	}
	if err == nil {
		err = w.fold(d.m, key, r, payload)
	}
	if err != nil {
		return w.deadLetter(ctx, d.m, err)
	}
	if kind == "failed" {
		if err := w.awaitStoredResults(ctx, r); err != nil {
			return err
		}
	}
	return w.finish(ctx)
}

// awaitStoredResults makes a failed run wait for the results that are stored by now: its
// last event does not say which ones belong to it.
func (w *archive) awaitStoredResults(ctx context.Context, r *archiveRun) error {
	return w.retry(ctx, "look at the results", func(ctx context.Context) error {
		info, err := w.bus.Facts().Info(ctx, "result.>")
		if err == nil {
			r.ended.lastResult = info.Last
		}
		return err
	})
}

func (w *archive) fold(m events.Message, key messages.RunKey, r *archiveRun, payload events.Payload) error {
	switch e := payload.(type) {
	case events.StudyAccepted:
		if r != nil {
			return nil
		}
		return w.accept(m, key, &e)
	case events.StudyBound:
		if r.identity == nil || r.guessed {
			r.identity, r.guessed = &e.Identity, false
		}
	case events.TrialsProposed:
		return w.propose(r, openBatch{&e, m.Time})
	case events.StudyExtended:
		w.reopen(r)
	case events.StudyCompleted:
		w.end(r, archiver.StateCompleted, &e.Summary)
	case events.StudyStopped:
		w.end(r, archiver.StateStopped, &e.Summary)
	case events.StudyCancelled:
		w.end(r, archiver.StateCancelled, &e.Summary)
	case events.StudyFailed:
		w.end(r, archiver.StateFailed, &events.Summary{})
	}
	return nil
}

func (w *archive) accept(m events.Message, key messages.RunKey, e *events.StudyAccepted) error {
	if e.Study != key.Study || e.Run != key.Run || e.Spec.Study != key.Study {
		return fmt.Errorf("the subject is about %s/%s, the event about %s/%s", key.Study, key.Run, e.Study, e.Run)
	}
	r := &archiveRun{
		key: key, accepted: m.Time.UTC(), spec: &e.Spec, open: map[int]openBatch{},
		workload: archiver.WorkloadHash(e.Spec.Networks), identity: e.Pin(), binds: e.Binds,
	}
	var err error
	if r.space, err = e.Spec.Space(); err != nil {
		return err
	}
	if r.judge, err = events.NewJudge(&e.Spec); err != nil {
		return err
	}
	r.compare, r.differs = w.again, w.store.Differs(key.Study, key.Run)
	if state, trials := w.store.Closed(key.Study, key.Run); state != "" && w.store.Committed(key.Study, key.Run) == trials && !r.compare {
		r.skip = true
	} else if err := w.begin(r); err != nil {
		return err
	}
	if r.differs != "" {
		w.log.Error("a run is not written: the trial log has others of its trials", "study", key.Study, "run", key.Run, "error", r.differs)
		w.reminders = append(w.reminders, r)
	}
	w.runs[key] = r
	return nil
}

func (w *archive) begin(r *archiveRun) error {
	return w.store.Begin(archiver.Run{Spec: r.spec, ID: r.key.Run, Accepted: r.accepted})
}

// propose notes a batch, unless all its trials are in the log already.
func (w *archive) propose(r *archiveRun, e openBatch) error {
	if _, known := r.open[e.Batch]; known || r.skip || r.differs != "" || r.done.has(e.Batch) {
		return nil
	}
	if err := checkProposal(r, e.TrialsProposed); err != nil {
		return err
	}
	for i := range e.Designs {
		if r.compare || !w.store.Has(r.key.Study, r.key.Run, int64(e.FirstTrial+i)) {
			r.open[e.Batch] = e
			w.open++
			return nil
		}
	}
	r.done.add(e.Batch)
	return nil
}

// checkProposal refuses what would not give rows of the study's columns.
func checkProposal(r *archiveRun, e *events.TrialsProposed) error {
	switch {
	case e.Study != r.key.Study || e.Run != r.key.Run:
		return fmt.Errorf("the subject is about %s/%s, the event about %s/%s", r.key.Study, r.key.Run, e.Study, e.Run)
	case e.Batch < 0 || e.FirstTrial < 0 || len(e.Designs) == 0:
		return fmt.Errorf("batch %d from trial %d has %d designs", e.Batch, e.FirstTrial, len(e.Designs))
	case len(e.Origins) > len(e.Designs) || len(e.Parents) > len(e.Designs):
		return fmt.Errorf("batch %d has %d designs, %d origins and %d parents", e.Batch, len(e.Designs), len(e.Origins), len(e.Parents))
	}
	var p space.Point
	for i, d := range e.Designs {
		var err error
		if p, err = r.space.PointOf(p, d); err != nil {
			return fmt.Errorf("design %d: %w", i, err)
		}
	}
	for _, t := range e.Reused {
		if t.Trial < e.FirstTrial || t.Trial >= e.FirstTrial+len(e.Designs) || len(t.Values) > len(r.spec.Metrics) {
			return fmt.Errorf("trial %d is reused in a batch of the trials from %d to %d", t.Trial, e.FirstTrial, e.FirstTrial+len(e.Designs)-1)
		}
	}
	return nil
}

// end notes that a run ended. It is finished when its last result is there.
func (w *archive) end(r *archiveRun, state string, s *events.Summary) {
	r.ended = &ending{state: state, trials: int64(s.Trials), lastResult: s.LastResult}
	if r.differs == "" && !slices.Contains(w.ended, r) {
		w.ended = append(w.ended, r)
	}
}

// reopen takes a run that ended back to work: it was extended.
func (w *archive) reopen(r *archiveRun) {
	r.ended = nil
	w.ended = slices.DeleteFunc(w.ended, func(o *archiveRun) bool { return o == r })
	if !r.skip {
		return
	}
	r.skip = false
	if err := w.begin(r); err != nil {
		w.log.Error("an extended run cannot be archived", "study", r.key.Study, "run", r.key.Run, "error", err)
	}
}

// finish closes the ended runs whose results have all been seen.
func (w *archive) finish(ctx context.Context) error {
	if w.again {
		return nil // nothing is said before everything is compared
	}
	for i := 0; i < len(w.ended); {
		r := w.ended[i]
		if !w.complete(r) {
			i++
			continue
		}
		w.ended = slices.Delete(w.ended, i, i+1)
		if err := w.close(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// complete reports whether nothing of the run's answer is still to come.
func (w *archive) complete(r *archiveRun) bool {
	if w.store.Stuck(r.key.Study, r.key.Run) || w.seen < w.at.Sequence && w.store.Behind(r.key.Study, r.key.Run) {
		return false
	}
	return w.at.Sequence >= r.ended.lastResult ||
		w.store.Waiting() == 0 && r.ended.trials > 0 && w.store.Committed(r.key.Study, r.key.Run) >= r.ended.trials
}

func (w *archive) close(ctx context.Context, r *archiveRun) error {
	if err := w.commit(ctx); err != nil {
		return err
	}
	study, run := r.key.Study, r.key.Run
	answered := r.ended.state == archiver.StateCompleted || r.ended.state == archiver.StateStopped
	if n := w.store.Committed(study, run); n < r.ended.trials && answered {
		return w.lacks(ctx, r, n)
	}
	err := w.persist(ctx, "close a run", func() error { return w.store.CloseRun(study, run, r.ended.state) })
	if err != nil {
		return err
	}
	if err := w.tellAgain(ctx, r); err != nil {
		return err
	}
	w.announce(ctx)
	w.open -= len(r.open)
	r.open, r.done, r.skip = map[int]openBatch{}, batchSet{}, true
	w.store.End(study, run)
	if _, err := w.store.Compact(study, run); err != nil {
		if archiver.IsStopped(err) {
			return err
		}
		w.log.Warn("compact the files of a run", "study", study, "run", run, "error", err)
	}
	return nil
}

// persist repeats a write to the log's directory until it succeeds, ctx ends,
// or the store is stopped.
func (w *archive) persist(ctx context.Context, what string, write func() error) error {
	wait := messages.Backoff{Most: archiveRetryMax}
	for {
		done := w.present.writes()
		err := write()
		done()
		if err == nil {
			w.goesOn()
		}
		if err == nil || archiver.IsStopped(err) {
			return err
		}
		w.log.Debug("write the trial log", "doing", what, "error", err)
		w.sayStuck(ctx, err)
		if err := wait.Wait(ctx); err != nil {
			return err
		}
	}
}
