package archive

import (
	"context"
	"errors"

	"apollo/archiver"
	"apollo/events"
	"apollo/services/messages"
)

// A run whose own folder takes nothing holds up no other
// (docs/decisions/0017): its results are skipped until what waits of it could be
// written, and are read again then.

const (
	// retryStuckEvery is how many ticks pass before the folders of stuck runs
	// are tried again: they carry no others with them.
	retryStuckEvery = 4
	// toldBehind bounds the runs that a notice of presence names.
	toldBehind = 64
)

// errGoesOn ends an archive's work: the results of a run that was stuck are to
// be read again.
var errGoesOn = errors.New("the trials of a run can be written again: its results are read from there on")

// wanted reports whether a result is to be archived: most of those that are
// read again are not.
func (w *archive) wanted(m events.Message) bool {
	key, _, _, ok := parseResultSubject(m.Subject)
	switch {
	case !ok:
		return m.Seq > w.at.Sequence
	case w.store.Stuck(key.Study, key.Run):
		return false
	}
	return m.Seq > w.at.Sequence || w.store.Misses(key.Study, key.Run, m.Seq)
}

// leaveBehind drops what is in memory of the runs that are stuck since the last
// commit: a run may be stuck for long.
func (w *archive) leaveBehind(ctx context.Context) {
	for _, s := range w.store.StuckRuns() {
		r := w.runs[messages.RunKey{Study: s.Study, Run: s.Run}]
		if r == nil || len(r.open) == 0 {
			continue
		}
		w.open -= len(r.open)
		r.open, r.done = map[int]openBatch{}, batchSet{}
	}
	w.tellStuck(ctx)
}

// retryStuck ends the work with errGoesOn when what waits of a stuck run could
// be written.
func (w *archive) retryStuck() error {
	if w.stuckTicks++; w.stuckTicks%retryStuckEvery != 0 {
		return nil
	}
	done := w.present.writes()
	wrote, err := w.store.Retry()
	done()
	switch {
	case err != nil && archiver.IsStopped(err):
		return err
	case err != nil: // of the log as a whole: the next commit waits for it
		w.log.Debug("write the trials of a run", "error", err)
	case wrote:
		return errGoesOn
	}
	return nil
}

// tellStuck tells of the runs that are stuck, each one once.
func (w *archive) tellStuck(ctx context.Context) {
	var behind []events.ArchiveWaiting
	for _, s := range w.store.StuckRuns() {
		key, cause := messages.RunKey{Study: s.Study, Run: s.Run}, stuckArchive(w.store.Place(), s.Err)
		behind = append(behind, events.ArchiveWaiting{Study: s.Study, Run: s.Run, Trials: s.Rows, Waiting: cause})
		if w.told[key] == cause.Message {
			continue
		}
		if w.appendWaiting(ctx, key, s.Rows, cause) == nil {
			w.told[key] = cause.Message
		}
	}
	w.present.behind(behind[:min(len(behind), toldBehind)])
}
