// Package archive writes what was proposed and answered to the trial log.
package archive

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"apollo/archiver"
	"apollo/events"
	"apollo/services/messages"
	"apollo/services/tracing"
)

// Archiver writes the trials of all studies to the Parquet log of a directory
// or a bucket. It follows the results from its manifest's cursor, joins each
// with what the study's log says about the batch, and tells the world which
// files are on disk. One writes per log.
type Archiver struct {
	Bus events.Bus
	// Dir is the place of the log, as archiver.Open takes it: a data directory or
	// a URL. The log is in trials/ below it.
	Dir string
	// Worker identifies this process in its notices.
	Worker string
	Logger *slog.Logger
	// Plain is archiver.Options.Plain.
	Plain bool
	// Standby waits, without a word, for another archiver that owns the directory.
	Standby bool
	// Expiry chooses the archived runs whose files go; nil keeps them all.
	Expiry *Expiry
	// Tracer makes the spans of answers until they are on disk; nil makes none.
	Tracer trace.Tracer
	// Failpoint is called at the named points of archiver.Options, for crash
	// tests; nil does nothing. An error ends Run as a crash would.
	Failpoint func(point string) error

	// away and untold are what is logged of a bus that cannot be reached, and of
	// files that it cannot be told of.
	away, untold messages.Outage
}

const (
	// archiveTick is how often age, announcements and old generations are
	// looked at.
	archiveTick = time.Second
	// proposalWait is how long a result waits for the follower of the study
	// log before the log is read to its end.
	proposalWait = 500 * time.Millisecond
	// maxOpenBatches is how many proposals without a result are held before
	// results are preferred: docs/trial-log.md, Durability.
	maxOpenBatches = 4096
	// shutdownGrace bounds what is still told to the bus at the end.
	shutdownGrace = 3 * time.Second
)

// Run works until ctx ends, then commits what it has. A full disk does not end
// it: it says so and tries again. It returns archiver.ErrLocked when another
// archiver owns the directory, unless Standby waits for it; one that owns the bucket
// is waited for.
func (a *Archiver) Run(ctx context.Context) error {
	logger := a.Logger
	if logger == nil {
		logger = slog.Default()
	}
	present := &archivePresence{bus: a.Bus, log: logger, is: events.Archiving{Worker: a.Worker, Process: strings.ToLower(rand.Text()), Dir: a.Dir}}
	beats, quietly := context.WithCancel(ctx)
	var beating sync.WaitGroup
	defer beating.Wait()
	defer quietly()
	beating.Go(func() { present.beat(beats) })
	for {
		err := a.runStore(ctx, logger, present)
		if !errors.Is(err, archiver.ErrTaken) || ctx.Err() != nil {
			return err
		}
		logger.Warn("another archiver has taken the trial log over: standing by for it", "cause", err)
	}
}

// runStore works until ctx ends or the log is another archiver's.
func (a *Archiver) runStore(ctx context.Context, logger *slog.Logger, present *archivePresence) error {
	store, err := a.openStore(ctx, logger, present)
	if err != nil {
		return messages.Quiet(ctx, err)
	}
	told := map[messages.RunKey]string{}
	for {
		w := &archive{bus: a.Bus, store: store, log: logger, runs: map[messages.RunKey]*archiveRun{}, present: present, told: told, away: &a.away, untold: &a.untold, expiry: a.Expiry, tracer: a.Tracer}
		if err = w.run(ctx); !errors.Is(err, errWentBack) && !errors.Is(err, errGoesOn) {
			break
		}
		logger.Warn("the archiver begins anew", "cause", err)
	}
	if cerr := store.Close(); err == nil && cerr != nil {
		err = fmt.Errorf("close trial log: %w", cerr)
	}
	return err
}

// archive is the archiver at work. Everything happens on one goroutine.
type archive struct {
	bus   events.Bus
	store *archiver.Store
	log   *slog.Logger
	runs  map[messages.RunKey]*archiveRun
	// at is the place in the results up to which everything is in the store,
	// on disk or waiting for a commit.
	at archiver.Position
	// seen is the last result that was read. It is before at where results of
	// runs that are behind are read again.
	seen uint64
	// again: all results are read again, and what the log has already is
	// compared. until is the last of them.
	again bool
	until uint64
	// logSeq is the last event of the study log that was seen.
	logSeq uint64
	// ticks counts, and doubt says that the bus may have been away: it may have
	// come back from another moment.
	ticks int
	doubt bool
	// stuckTicks counts for the runs that are stuck.
	stuckTicks int
	// open counts the proposals that wait for a result.
	open int
	// ended are the runs that wait for their last results, and reminders those
	// that differ, of which the bus may not know.
	ended     []*archiveRun
	reminders []*archiveRun
	present   *archivePresence
	expiry    *Expiry
	// looks gives what the look that is under way finds, nil while there is none;
	// looked counts those that were due.
	looks  <-chan look
	looked int
	tracer trace.Tracer
	// spans are those of the answers that wait for the commit.
	spans []tracing.Span
	// stuck: the disk takes nothing. told is why a run's rows wait, as it was
	// said last.
	stuck bool
	told  map[messages.RunKey]string
	// away and untold are the Archiver's.
	away, untold *messages.Outage
}

// delivery is a message of a followed stream, or why it ended.
type delivery struct {
	m   events.Message
	err error
}

func (w *archive) run(ctx context.Context) error {
	if err := w.bus.Ready(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("wait for the streams: %w", err)
	}
	if err := w.locate(ctx); err != nil {
		return messages.Quiet(ctx, err)
	}
	follow, cancel := context.WithCancel(ctx)
	results, logs := make(chan delivery, 64), make(chan delivery, 64)
	var followers sync.WaitGroup
	defer followers.Wait()
	defer cancel()
	followers.Go(func() { deliver(follow, w.bus.Log().Follow(follow, 0, "study.>"), logs) })
	if w.again || w.seen < w.at.Sequence {
		if err := w.readAgain(ctx, logs); err != nil {
			return w.shutDown(ctx, err)
		}
	}
	followers.Go(func() {
		deliver(follow, w.bus.Facts().Follow(follow, w.seen+1, "result.>"), results)
	})
	tick := time.NewTicker(archiveTick)
	defer tick.Stop()
	for {
		done, err := w.step(ctx, results, logs, tick.C)
		if done || err != nil {
			return w.shutDown(ctx, err)
		}
		w.lookForExpired(follow, &followers)
	}
}

// step waits for one thing to do and does it.
func (w *archive) step(ctx context.Context, results, logs <-chan delivery, tick <-chan time.Time) (done bool, err error) {
	if w.open >= maxOpenBatches {
		select {
		case d := <-results:
			return false, w.result(ctx, d, logs)
		default:
		}
	}
	select {
	case <-ctx.Done():
		return true, nil
	case d := <-logs:
		return false, w.logged(ctx, d)
	case d := <-results:
		return false, w.result(ctx, d, logs)
	case l := <-w.looks:
		return false, w.expire(l)
	case <-tick:
		return false, w.ticked(ctx)
	}
}

// deliver hands the messages of a stream on, in order, until ctx ends.
func deliver(ctx context.Context, from iter.Seq2[events.Message, error], to chan<- delivery) {
	for m, err := range from {
		select {
		case to <- delivery{m, err}:
		case <-ctx.Done():
			return
		}
	}
}

// ticked does what is due by time.
func (w *archive) ticked(ctx context.Context) error {
	if w.store.Due() {
		if err := w.commit(ctx); err != nil {
			return err
		}
	}
	if err := w.retryStuck(); err != nil {
		return err
	}
	if err := w.checkBus(ctx); err != nil {
		return err
	}
	w.tellStuck(ctx)
	w.remind(ctx)
	w.announce(ctx)
	if len(w.told) > 0 {
		w.sayGoesOn(ctx)
	}
	if err := w.store.Sweep(); err != nil {
		w.log.Warn("remove old files of the trial log", "error", err)
	}
	return w.finish(ctx)
}

// commit makes what waits durable. While the disk takes nothing it says so and
// tries again; nothing else is read meanwhile. Runs whose own folders take
// nothing are left behind.
func (w *archive) commit(ctx context.Context) error {
	err := w.persist(ctx, "commit", w.commitOnce)
	if err == nil {
		w.leaveBehind(ctx)
		w.announce(ctx)
	}
	return err
}

func (w *archive) commitOnce() error {
	w.store.Passed(w.seen)
	err := w.store.Commit(w.at)
	for _, span := range w.spans {
		span.End(err)
	}
	w.spans = w.spans[:0]
	if errors.Is(err, archiver.ErrBehind) {
		return nil
	}
	return err
}

// announce tells the world what is on disk. What cannot be told now stays and
// is told later: the log on disk does not wait for it.
func (w *archive) announce(ctx context.Context) {
	for _, n := range w.store.Unannounced() {
		if err := w.announceOne(ctx, n); err != nil {
			if ctx.Err() == nil {
				w.untold.Failed(w.log.Warn, "tell of archived files: trying again later", "error", err)
			}
			return
		}
		w.store.MarkAnnounced(n)
	}
	w.untold.Over(w.log.Info, "the archived files are told of")
}

func (w *archive) announceOne(ctx context.Context, n archiver.Announcement) error {
	for _, p := range n.Parts {
		id := fmt.Sprintf("archive.%s.%s.part.%.16s", p.Study, p.Run, p.SHA256)
		subject := events.ArchiveSubject(p.Study, p.Run, "part")
		if err := messages.Append(ctx, w.bus.Log(), events.Message{Subject: subject, ID: id}, "archiver", p, events.Fence{}); err != nil {
			return err
		}
	}
	if n.Ended == nil {
		return nil
	}
	f := n.Ended.Final
	if w.store.Differs(f.Study, f.Run) != "" {
		return nil // it ended in another history
	}
	id := fmt.Sprintf("archive.%s.%s.final.%s.%d", f.Study, f.Run, n.Ended.State, f.Trials)
	subject := events.ArchiveSubject(f.Study, f.Run, "final")
	err := messages.Append(ctx, w.bus.Log(), events.Message{Subject: subject, ID: id}, "archiver", f, events.Fence{})
	if err == nil {
		w.log.Info("run archived", "study", f.Study, "run", f.Run, "trials", f.Trials)
	}
	return err
}

// shutDown commits what waits, also when ctx is done, unless the store itself
// was stopped.
func (w *archive) shutDown(ctx context.Context, cause error) error {
	if cause != nil && archiver.IsStopped(cause) {
		return cause
	}
	if err := w.commitOnce(); err != nil {
		w.log.Error("commit at the end: the rows are read again at the next start", "error", err)
		return errors.Join(messages.Quiet(ctx, cause), err)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	w.announce(last)
	return messages.Quiet(ctx, cause)
}

// retry calls f until it does not fail for want of the bus.
func (w *archive) retry(ctx context.Context, what string, f func(context.Context) error) error {
	var wait messages.Backoff
	for {
		err := f(ctx)
		if err == nil || !errors.Is(err, events.ErrUnreachable) {
			if ctx.Err() == nil {
				w.away.Over(w.log.Info, "the bus can be reached again")
			}
			return err
		}
		w.away.Failed(w.log.Warn, "the bus cannot be reached: trying again", "doing", what, "error", err)
		if err := wait.Wait(ctx); err != nil {
			return err
		}
	}
}

// deadLetter puts a message aside that cannot be archived, with the reason.
func (w *archive) deadLetter(ctx context.Context, m events.Message, reason error) error {
	w.log.Warn("dead letter", "subject", m.Subject, "sequence", m.Seq, "error", reason)
	return messages.SetAside(ctx, w.bus, w.log, events.StudyOf(m.Subject), events.DeadLetter{
		Service: "archiver", Reason: reason.Error(), Subject: m.Subject, Sequence: m.Seq, Body: m.Data,
	}, fmt.Sprintf("dlq.archiver.%s.%d", m.Subject, m.Seq))
}
