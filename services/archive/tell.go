package archive

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"apollo/archiver"
	"apollo/archiver/storage"
	"apollo/events"
	"apollo/services/messages"
	"apollo/services/pace"
)

// archiveRetryMax bounds the wait before the disk is tried again: people who
// made room see soon that it goes on.
const archiveRetryMax = 5 * time.Second

// standbyEvery is how often an archiver that stands by looks whether the other
// one is gone.
const standbyEvery = 2 * time.Second

// archivePresence is what an archiver says about itself every two seconds.
type archivePresence struct {
	bus events.Bus
	log *slog.Logger

	mu sync.Mutex // guards what follows
	is events.Archiving
	// standby: another archiver writes, and speaks for the log.
	standby bool
	// writing is since when a write goes on, opening since when the log is opened; zero
	// while none does.
	writing, opening time.Time
}

// silentAfter is how long a write may go on before it is told of. A store that gives no
// answer is given up for the first time after some 40 s.
const silentAfter = 10 * time.Second

// writes notes that a write goes on, until the function that it returns is called.
func (p *archivePresence) writes() (done func()) { return p.lasts(&p.writing) }

// opens notes that the log is being opened, until the function that it returns is called.
func (p *archivePresence) opens() (done func()) { return p.lasts(&p.opening) }

// lasts notes in at since when something goes on, until the function that it returns is
// called.
func (p *archivePresence) lasts(at *time.Time) (done func()) {
	note := func(since time.Time) {
		p.mu.Lock()
		defer p.mu.Unlock()
		*at = since
	}
	note(time.Now())
	return func() { note(time.Time{}) }
}

// says is what it says about itself at a moment. mu is held.
func (p *archivePresence) says(now time.Time) events.Archiving {
	is := p.is
	if lasts := now.Sub(p.writing); is.Waiting == nil && !p.writing.IsZero() && lasts >= silentAfter {
		is.Waiting = stuckArchive(is.Dir, fmt.Errorf("a write has had no answer for %s", lasts.Truncate(time.Second)))
	}
	if lasts := now.Sub(p.opening); is.Waiting == nil && !p.opening.IsZero() && lasts >= silentAfter {
		is.Waiting = &events.Waiting{
			Code:    events.WaitsArchiveStuck,
			Message: fmt.Sprintf("opening the log in %s has taken %s so far", is.Dir, lasts.Truncate(time.Second)),
			Hint:    "a long log takes a while to be read, and the archiver goes on by itself; if it does not end, look whether the storage there answers",
		}
	}
	return is
}

// stands notes whether this archiver only stands by, and logs that once.
func (p *archivePresence) stands(err error) {
	p.mu.Lock()
	before := p.standby
	p.standby = err != nil
	p.mu.Unlock()
	switch {
	case err != nil && !before:
		p.log.Warn("standing by: another archiver writes this trial log; if it works for another bus, name a log of our own with --archive", "cause", err)
	case err == nil && before:
		p.log.Info("the trial log is written here now")
	}
}

// quiet notes that another archiver writes, as was expected.
func (p *archivePresence) quiet() {
	p.mu.Lock()
	p.standby = true
	p.mu.Unlock()
}

// beat tells that the archiver is there, until ctx ends.
func (p *archivePresence) beat(ctx context.Context) {
	tell := time.NewTicker(events.PresentEvery)
	defer tell.Stop()
	var filling pace.Pace
	for {
		p.mu.Lock()
		p.is.Disk = diskOf(p.is.Dir, &filling, time.Now())
		data, err := json.Marshal(p.says(time.Now()))
		silent := p.standby
		p.mu.Unlock()
		if err == nil && !silent {
			err = p.bus.Notify(ctx, events.ArchivingSubject, data)
		}
		if err != nil {
			p.log.Debug("notice of presence", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tell.C:
		}
	}
}

// diskOf looks how full the disk of a log is, nil where nobody knows.
func diskOf(dir string, filling *pace.Pace, now time.Time) *events.DiskRoom {
	if storage.Remote(dir) {
		return nil
	}
	free, total, ok := diskRoom(strings.TrimPrefix(dir, "file://"))
	if !ok {
		return nil
	}
	room := &events.DiskRoom{FreeBytes: free, TotalBytes: total}
	filling.Note(now, float64(total-free))
	if left, ok := filling.FullIn(float64(total)); ok {
		room.FullInSeconds = new(left.Seconds())
	}
	return room
}

// waits notes why the disk takes nothing, nil when it does, and logs that once.
func (p *archivePresence) waits(w *events.Waiting, rows int, err error) {
	p.mu.Lock()
	before := p.is.Waiting
	p.is.Waiting, p.is.Rows = w, rows
	p.mu.Unlock()
	switch {
	case w == nil && before != nil:
		p.log.Info("the trial log is written again")
	case w != nil && (before == nil || before.Message != w.Message):
		p.log.Error("the trial log cannot be written: trying again until it can", "error", err, "rows_waiting", rows, "hint", w.Hint)
	}
}

// behind notes the runs whose trials cannot be written, and logs each once.
func (p *archivePresence) behind(runs []events.ArchiveWaiting) {
	p.mu.Lock()
	before := p.is.Behind
	p.is.Behind = runs
	p.mu.Unlock()
	for _, r := range runs {
		same := func(b events.ArchiveWaiting) bool {
			return b.Study == r.Study && b.Run == r.Run && b.Waiting.Message == r.Waiting.Message
		}
		if !slices.ContainsFunc(before, same) {
			p.log.Error("the trials of a run cannot be written: trying again until they can, and others go on",
				"study", r.Study, "run", r.Run, "error", r.Waiting.Message, "hint", r.Waiting.Hint)
		}
	}
}

// stuckArchive is an error of the disk as a cause. It names the folder and not
// the file, which has another name at every try.
func stuckArchive(dir string, err error) *events.Waiting {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		dir = e.Path
		if slash := strings.LastIndexAny(dir, `/\`); e.Op != "mkdir" && slash > 0 {
			dir = dir[:slash]
		}
		err = e.Err
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		err = errno
	}
	return &events.Waiting{
		Code: events.WaitsArchiveStuck, Message: fmt.Sprintf("the archiver cannot write in %s: %v", dir, err),
		Hint: "make room or mend the storage there; the archiver tries again by itself, and nothing is lost meanwhile",
	}
}

// openStore opens the trial log. A disk without room and a store that does not
// answer are waited for, and so is another archiver of the same bucket.
func (a *Archiver) openStore(ctx context.Context, logger *slog.Logger, present *archivePresence) (*archiver.Store, error) {
	wait, stand := messages.Backoff{Most: archiveRetryMax}, messages.Backoff{Most: standbyEvery}
	for {
		done := present.opens()
		store, err := archiver.Open(a.Dir, archiver.Options{Failpoint: a.Failpoint, Plain: a.Plain, Logger: logger})
		done()
		switch {
		case a.Standby && errors.Is(err, archiver.ErrLocked):
			present.quiet()
			if err := stand.Wait(ctx); err != nil {
				return nil, err
			}
			continue
		case errors.Is(err, archiver.ErrHeld), errors.Is(err, archiver.ErrTaken):
			present.stands(err)
			if err := stand.Wait(ctx); err != nil {
				return nil, err
			}
			continue
		case err == nil, !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) && !errors.Is(err, archiver.ErrUnavailable):
			present.waits(nil, 0, nil)
			present.stands(nil)
			return store, err
		}
		present.waits(stuckArchive(a.Dir, err), 0, err)
		if err := wait.Wait(ctx); err != nil {
			return nil, err
		}
	}
}

// sayStuck tells the runs whose rows wait why they do, each one once.
func (w *archive) sayStuck(ctx context.Context, err error) {
	cause := stuckArchive(w.store.Place(), err)
	w.stuck = true
	w.present.waits(cause, w.store.Waiting(), err)
	for _, key := range w.sortedRuns() {
		n := w.store.WaitingOf(key.Study, key.Run)
		if n == 0 || w.told[key] == cause.Message {
			continue
		}
		if w.appendWaiting(ctx, key, n, cause) != nil {
			return
		}
		w.told[key] = cause.Message
	}
}

// goesOn notes that the disk takes rows again.
func (w *archive) goesOn() {
	if w.stuck {
		w.stuck = false
		w.present.waits(nil, w.store.Waiting(), nil)
	}
}

// sayGoesOn takes back what sayStuck told.
func (w *archive) sayGoesOn(ctx context.Context) {
	for _, key := range w.sortedRuns() {
		if w.stuck || w.told[key] == "" || w.store.Stuck(key.Study, key.Run) {
			continue
		}
		if w.appendWaiting(ctx, key, 0, nil) != nil {
			return
		}
		delete(w.told, key)
	}
}

// appendWaiting appends why trials of a run wait. What cannot be said now is said at the
// next try: the disk does not wait for it.
func (w *archive) appendWaiting(ctx context.Context, key messages.RunKey, trials int, cause *events.Waiting) error {
	limited, cancel := context.WithTimeout(ctx, shutdownGrace)
	defer cancel()
	id := fmt.Sprintf("archive.%s.%s.waiting.%d", key.Study, key.Run, time.Now().UnixNano())
	m := events.Message{Subject: events.ArchiveSubject(key.Study, key.Run, "waiting"), ID: id}
	e := events.ArchiveWaiting{Study: key.Study, Run: key.Run, Trials: trials, Waiting: cause}
	err := messages.Append(limited, w.bus.Log(), m, "archiver", e, events.Fence{})
	if err != nil {
		w.log.Debug("say what the archiver waits for", "error", err)
	}
	return err
}

func (w *archive) sortedRuns() []messages.RunKey {
	return slices.SortedFunc(maps.Keys(w.runs), func(a, b messages.RunKey) int {
		return cmp.Or(cmp.Compare(a.Study, b.Study), cmp.Compare(a.Run, b.Run))
	})
}
