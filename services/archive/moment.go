package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"apollo/archiver"
	"apollo/events"
	"apollo/services/client"
	"apollo/services/messages"
)

// The bus and the trial log may come back from different moments: one of them
// restored from an older copy, a block of a stream cut off. A trial that comes
// again is compared with the one in the log; what is the same costs nothing,
// what is not stops its run (docs/trial-log.md, Restored copies).

const (
	// moveEvery is how many ticks pass before the cursor's place is looked at
	// without a reason.
	moveEvery = 30
	// checkLimit bounds one look at the bus: what waits for the disk is not to
	// wait for it.
	checkLimit = time.Second
)

// errWentBack ends an archive's work: the bus is not the one that it was about.
var errWentBack = errors.New("the bus went back to an earlier moment")

// locate sets the place to go on from: the cursor, or the start when the results
// are not those that the cursor is about.
func (w *archive) locate(ctx context.Context) error {
	return w.retry(ctx, "look at the results", func(ctx context.Context) error {
		info, err := w.bus.Facts().Info(ctx, "result.>")
		if err != nil {
			return err
		}
		at := w.store.Position()
		why, err := w.moved(ctx, at, info)
		if err != nil {
			return err
		}
		if why != "" {
			w.store.FromStart()
			at = archiver.Position{Created: info.Created.UTC()}
		}
		if why != "" && w.store.Position().Sequence > 0 {
			w.log.Warn("the bus and the trial log are from different moments: all results are read again and compared", "cause", why)
		}
		w.at, w.again, w.until = at, at.Sequence == 0 && len(w.store.Runs()) > 0, info.Last
		w.seen = min(at.Sequence, w.store.ReadAfter())
		return nil
	})
}

// moved says why a place in the results is not the one that it was, "" when it
// is as far as anybody can know: a result that was removed leaves no trace.
func (w *archive) moved(ctx context.Context, at archiver.Position, info events.StreamInfo) (why string, err error) {
	switch {
	case !at.Created.Equal(info.Created):
		return "the stream of results was made anew", nil
	case at.Sequence > info.Last:
		return fmt.Sprintf("the results end at %d, the trial log has read up to %d", info.Last, at.Sequence), nil
	case at.Sequence == 0 || at.Stored.IsZero():
		return "", nil
	}
	for m, err := range w.bus.Facts().Read(ctx, at.Sequence, "result.>") {
		switch {
		case err != nil:
			return "", err
		case m.Seq == at.Sequence && !m.Time.Equal(at.Stored):
			return fmt.Sprintf("result %d was stored at %s, the trial log has read one of %s", m.Seq, m.Time.UTC().Format(time.RFC3339Nano), at.Stored.Format(time.RFC3339Nano)), nil
		case m.Time.Before(at.Stored):
			return fmt.Sprintf("result %d is older than %d was, which the trial log has read", m.Seq, at.Sequence), nil
		}
		break // only the first one is asked for
	}
	return "", nil
}

// checkBus looks whether the bus came back from an earlier moment while it was
// followed: its sequences count from there again, and nothing would be seen.
func (w *archive) checkBus(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	w.ticks++
	results, err := w.bus.Facts().Info(limited, "result.>")
	if err != nil {
		w.doubt = true
		return nil
	}
	logged, err := w.bus.Log().Info(limited, "study.>")
	if err != nil {
		w.doubt = true
		return nil
	}
	if logged.Last < w.logSeq {
		return fmt.Errorf("%w: the study log ends at %d, and %d was read", errWentBack, logged.Last, w.logSeq)
	}
	if err := w.passRemoved(limited, results); err != nil {
		w.doubt = true
		return nil
	}
	cheap := !w.doubt && w.ticks%moveEvery != 0
	if cheap && results.Last >= w.at.Sequence && results.Created.Equal(w.at.Created) {
		return nil
	}
	why, err := w.moved(limited, w.at, results)
	if err != nil {
		w.doubt = true
		return nil
	}
	w.doubt = false
	if why != "" {
		return fmt.Errorf("%w: %s", errWentBack, why)
	}
	return nil
}

// passRemoved goes on to the last result where those up to it were removed: an
// ended run that waits for one of them would wait for ever.
func (w *archive) passRemoved(ctx context.Context, results events.StreamInfo) error {
	if len(w.ended) == 0 || w.seen >= results.Last || !results.Created.Equal(w.at.Created) {
		return nil
	}
	for m, err := range w.bus.Facts().Read(ctx, w.seen+1, "result.>") {
		if err != nil || m.Seq <= results.Last {
			return err
		}
		break
	}
	w.seen = results.Last
	w.at.Sequence, w.at.Stored = max(w.at.Sequence, w.seen), time.Time{}
	return nil
}

// readAgain reads the results that there are: all of them, which are compared
// with the log, or those that runs lack which are behind.
func (w *archive) readAgain(ctx context.Context, logs <-chan delivery) error {
	err := w.retry(ctx, "read the results again", func(ctx context.Context) error {
		for m, err := range w.bus.Facts().Read(ctx, w.seen+1, "result.>") {
			if err != nil {
				return err
			}
			if err := w.result(ctx, delivery{m: m}, logs); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	compared := w.again
	w.again = false
	w.at.Sequence = max(w.at.Sequence, w.until)
	w.seen = w.at.Sequence
	if compared {
		if err := w.missing(ctx); err != nil {
			return err
		}
	}
	return w.finish(ctx)
}

// missing says which runs of the trial log the bus does not know: they were
// removed there, or came after the moment that it was restored to.
func (w *archive) missing(ctx context.Context) error {
	return w.retry(ctx, "look for the runs of the trial log", func(ctx context.Context) error {
		known := map[[2]string]bool{}
		for m, err := range w.bus.Log().Read(ctx, 0, events.StudySubject("*", "*", "accepted")) {
			if err != nil {
				return err
			}
			if study, run, _, ok := events.ParseStudySubject(m.Subject); ok {
				known[[2]string{study, run}] = true
			}
		}
		for _, r := range w.store.Runs() {
			if !known[r] {
				w.log.Warn("the bus does not know a run of the trial log: it was removed there, or came after the moment of the bus; its files stay",
					"study", r[0], "run", r[1], "trials", w.store.Committed(r[0], r[1]))
			}
		}
		return nil
	})
}

// known reports whether the log has a trial of an answer already.
func (w *archive) known(key messages.RunKey, answer *events.BatchEvaluated) bool {
	return slices.ContainsFunc(answer.Trials, func(t events.TrialResult) bool {
		return w.store.Has(key.Study, key.Run, int64(t.Trial))
	})
}

// reexamine prepares a run whose results come a second time: what they say is
// compared with the log.
func (w *archive) reexamine(ctx context.Context, r *archiveRun) error {
	if r.compare {
		return nil
	}
	w.log.Warn("results of a run come again: they are compared with the trial log", "study", r.key.Study, "run", r.key.Run)
	r.compare, r.skip = true, false
	w.open -= len(r.open)
	r.open, r.done = map[int]openBatch{}, batchSet{}
	if err := w.begin(r); err != nil {
		return err
	}
	return w.readLog(ctx, r.key, everyBatch)
}

// differs stops a run whose trials are others on the bus than in the log.
func (w *archive) differs(ctx context.Context, r *archiveRun, m events.Message, e *archiver.DifferError) error {
	if err := w.persist(ctx, "note a difference", func() error { return w.store.Differ(e) }); err != nil {
		return err
	}
	w.log.Error("the trial log has another trial of this number: the run is not written any more", "study", e.Study, "run", e.Run, "error", e)
	w.dropRun(r, e.Error())
	if err := w.deadLetter(ctx, m, e); err != nil {
		return err
	}
	return w.retry(ctx, "say that a run differs", func(ctx context.Context) error { return w.sayDiffers(ctx, r) })
}

// sayDiffers pauses a run that is not written any more, and says so. The word is
// last: where it is, the run was paused.
func (w *archive) sayDiffers(ctx context.Context, r *archiveRun) error {
	if r.ended == nil {
		id := fmt.Sprintf("%s%s.%d", events.ArchivePause, r.key.Run, time.Now().UnixNano())
		pause := events.StudyControl{Study: r.key.Study, Run: r.key.Run, ID: id, Verb: "pause", Reason: r.differs}
		if err := client.Publish(ctx, w.bus, events.OwnedSubject(events.ArchiverOwner, events.ControlSubject(r.key.Study)), id, r.key.Study, pause, nil); err != nil {
			return err
		}
	}
	return w.appendWaiting(ctx, r.key, 0, &events.Waiting{Code: events.WaitsArchiveDiffers, Message: r.differs, Hint: events.ArchiveDiffersHint})
}

// remind tells of the runs that are not written any more, where the bus does not
// know: it came back from before it was told.
func (w *archive) remind(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, shutdownGrace)
	defer cancel()
	for ; len(w.reminders) > 0; w.reminders = w.reminders[1:] {
		key := w.reminders[0].key
		var known *events.ArchiveWaiting
		for m, err := range w.bus.Log().Read(limited, 0, events.ArchiveSubject(key.Study, key.Run, "*")) {
			if err != nil {
				return // at the next tick
			}
			if _, e, err := events.Decode(m.Data); err == nil {
				known = events.FoldArchiving(known, e)
			}
		}
		if known != nil && known.Waiting.Lasting() {
			continue
		}
		if w.sayDiffers(limited, w.reminders[0]) != nil {
			return
		}
	}
}

// tellAgain lets the bus hear again of a run whose files it has been told of,
// where it has forgotten that, or an older build did not tell it.
func (w *archive) tellAgain(ctx context.Context, r *archiveRun) error {
	if !r.compare && r.ended.state != archiver.StateFailed { // older builds told no end of a failed run
		return nil
	}
	told := false
	err := w.retry(ctx, "look for what the bus was told", func(ctx context.Context) error {
		for _, err := range w.bus.Log().Read(ctx, 0, events.ArchiveSubject(r.key.Study, r.key.Run, "final")) {
			if err != nil {
				return err
			}
			told = true
		}
		return nil
	})
	if err == nil && !told {
		w.store.Retell(r.key.Study, r.key.Run)
	}
	return err
}

// lacks says that an ended run has trials of which there is no result any more.
// It is not closed: nobody is to take it for whole.
func (w *archive) lacks(ctx context.Context, r *archiveRun, have int64) error {
	w.log.Error("trials of an ended run are not among the results", "study", r.key.Study, "run", r.key.Run, "have", have, "want", r.ended.trials)
	cause := &events.Waiting{
		Code:    events.WaitsTrialsMissing,
		Message: fmt.Sprintf("%d of %d trials of %s/%s are in the trial log, and the bus has no result of the others any more", have, r.ended.trials, r.key.Study, r.key.Run),
		Hint:    "restore the bus or the data directory from a newer copy, or run the study again: apollo run --fresh",
	}
	w.dropRun(r, cause.Message)
	w.store.End(r.key.Study, r.key.Run)
	return w.retry(ctx, "say that trials are missing", func(ctx context.Context) error {
		return w.appendWaiting(ctx, r.key, int(r.ended.trials-have), cause)
	})
}

// dropRun takes a run out of the archiver's work.
func (w *archive) dropRun(r *archiveRun, reason string) {
	w.open -= len(r.open)
	r.open, r.done, r.differs = map[int]openBatch{}, batchSet{}, reason
	w.ended = slices.DeleteFunc(w.ended, func(o *archiveRun) bool { return o == r })
}
