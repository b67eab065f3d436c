package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"apollo/archiver"
	"apollo/events"
	"apollo/services/messages"
)

// Expiry chooses the archived runs that go: all of its conditions must hold.
type Expiry struct {
	// After is how long ago the archive of a run must have been completed; 0 is
	// no condition.
	After time.Duration
	// Labels are what the study must have.
	Labels map[string]string
	// Study is the only one that is meant; "" means all.
	Study string

	// read are the labels of the archived runs that a look has read: they stay as
	// they are, and each costs opening a file.
	read map[messages.RunKey]labels
}

// labels are those of a run that ended at a time: another end may be of another run
// with that name.
type labels struct {
	ended time.Time
	of    map[string]string
}

// Due is an archived run that an Expiry chooses.
type Due struct {
	archiver.EndedRun
	// Keep is why it stays all the same; "" when it may go.
	Keep string
	// isUnread: nobody knows whether it has the labels.
	isUnread bool
}

// Due returns the runs of a log that are chosen. One that is on the bus stays: it may
// be extended, and its files would be written again. So does one that a run on the
// bus transfers from, and one whose labels cannot be read. It is not safe for
// concurrent use; after an error the next look goes on from what was read.
func (x *Expiry) Due(ctx context.Context, log events.Log, files fs.FS, now time.Time) ([]Due, error) {
	ended, err := archiver.EndedRuns(files)
	if err != nil {
		return nil, err
	}
	x.forget(ended)
	var due []Due
	for i := range ended {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("read the labels of archived runs: %w", err)
		}
		chosen, err := x.chooses(&ended[i], files, now)
		switch {
		case errors.Is(err, archiver.ErrUnavailable):
			return nil, fmt.Errorf("read the labels of %s/%s: %w", ended[i].Study, ended[i].Run, err)
		case err != nil:
			due = append(due, Due{EndedRun: ended[i], Keep: fmt.Sprintf("its labels cannot be read: %v", err), isUnread: true})
		case chosen:
			due = append(due, Due{EndedRun: ended[i]})
		}
	}
	if len(due) == 0 {
		return nil, nil
	}
	uses, err := usesOf(ctx, log)
	if err != nil {
		return nil, err
	}
	for i := range due {
		if !due[i].isUnread {
			due[i].Keep = uses.of(due[i].Study, due[i].Run)
		}
	}
	return due, nil
}

// forget drops the labels of runs that are not there any more.
func (x *Expiry) forget(ended []archiver.EndedRun) {
	there := map[messages.RunKey]labels{}
	for i := range ended {
		key := messages.RunKey{Study: ended[i].Study, Run: ended[i].Run}
		if l, known := x.read[key]; known && l.ended.Equal(ended[i].Ended) {
			there[key] = l
		}
	}
	x.read = there
}

func (x *Expiry) chooses(r *archiver.EndedRun, files fs.FS, now time.Time) (bool, error) {
	switch {
	case x.Study != "" && r.Study != x.Study:
		return false, nil
	case x.After > 0 && (r.Ended.IsZero() || now.Sub(r.Ended) < x.After):
		return false, nil
	case len(x.Labels) == 0:
		return true, nil
	}
	run := messages.RunKey{Study: r.Study, Run: r.Run}
	l, known := x.read[run]
	if !known {
		spec, err := r.Spec(files)
		if err != nil {
			return false, err
		}
		l = labels{r.Ended, spec.Labels}
		x.read[run] = l
	}
	for key, want := range x.Labels {
		if have, ok := l.of[key]; !ok || have != want {
			return false, nil
		}
	}
	return true, nil
}

// uses is what runs on the bus need of the log.
type uses struct {
	onBus map[messages.RunKey]bool
	// sources are the runs that are transferred from, and by what study; named the
	// studies of which a run is going to choose one.
	sources map[messages.RunKey]string
	named   map[string]string
	// searching is a study that is going to search the whole log, "" for none.
	searching string
}

// usesOf reads what the log says of its runs, without their trials.
func usesOf(ctx context.Context, log events.Log) (*uses, error) {
	u := &uses{onBus: map[messages.RunKey]bool{}, sources: map[messages.RunKey]string{}, named: map[string]string{}}
	unpinned, over := map[messages.RunKey]*events.Spec{}, map[messages.RunKey]bool{}
	filters := append(events.BoundsOfRuns("*", "*"), events.StudySubject("*", "*", "started"))
	for m, err := range log.Read(ctx, 0, filters...) {
		if err != nil {
			return nil, fmt.Errorf("read the log: %w", err)
		}
		study, run, kind, ok := events.ParseStudySubject(m.Subject)
		if !ok {
			continue
		}
		key := messages.RunKey{Study: study, Run: run}
		u.onBus[key], over[key] = true, events.EndsRun(kind) || kind == "removed"
		_, payload, err := events.Decode(m.Data)
		if err != nil {
			return nil, fmt.Errorf("%s at sequence %d: %w", m.Subject, m.Seq, err)
		}
		switch e := payload.(type) {
		case events.StudyAccepted:
			if e.Spec.Transfer != nil {
				unpinned[key] = &e.Spec
			}
		case events.StudyStarted:
			delete(unpinned, key)
			for _, s := range e.Sources {
				u.sources[messages.RunKey{Study: s.Study, Run: s.Run}] = study
			}
		}
	}
	for key, spec := range unpinned {
		if over[key] { // it ended before it chose
			continue
		}
		for _, s := range spec.Transfer.Sources {
			switch {
			case s.Study != "":
				u.named[s.Study] = key.Study
			case s.Auto, s.Parquet != "":
				u.searching = max(u.searching, key.Study)
			}
		}
	}
	return u, nil
}

func (u *uses) of(study, run string) (why string) {
	key := messages.RunKey{Study: study, Run: run}
	switch {
	case u.onBus[key]:
		return "it is on the bus: `apollo study rm` or --retain takes it off first"
	case u.sources[key] != "":
		return fmt.Sprintf("study %s, which is on the bus, transfers from it", u.sources[key])
	case u.named[study] != "":
		return fmt.Sprintf("study %s is about to transfer from it", u.named[study])
	case u.searching != "":
		return fmt.Sprintf("study %s is about to search the archive", u.searching)
	}
	return ""
}

const (
	// expireEvery is how many ticks pass between two looks at what expires: ten
	// minutes, as with retention.
	expireEvery = 600
	// expireAtOnce bounds what goes at one look: on a disk each removal links all that
	// stays into a new generation.
	expireAtOnce = 64
)

// Expire removes those that may go from a log, all of them or none.
func Expire(store *archiver.Store, due []Due) error {
	var runs [][2]string
	for _, d := range due {
		if d.Keep == "" {
			runs = append(runs, [2]string{d.Study, d.Run})
		}
	}
	if len(runs) == 0 {
		return nil
	}
	return store.Expire(runs...)
}

// look is what a look at the log found due.
type look struct {
	due []Due
	err error
}

// lookTimeout bounds a look. The labels that it has read are known to the next one.
const lookTimeout = 5 * time.Minute

// lookForExpired begins to look what is to go by the operator's policy, beside the
// work: it may open a file of every archived run.
func (w *archive) lookForExpired(ctx context.Context, lookers *sync.WaitGroup) {
	if w.expiry == nil || w.looks != nil || w.ticks/expireEvery <= w.looked {
		return
	}
	w.looked = w.ticks / expireEvery
	found, files := make(chan look, 1), w.store.Files()
	w.looks = found
	lookers.Go(func() {
		limited, cancel := context.WithTimeout(ctx, lookTimeout)
		defer cancel()
		due, err := w.expiry.Due(limited, w.bus.Log(), files, time.Now())
		found <- look{due, err}
	})
}

// expire removes what a look found. What fails is tried at the next one.
func (w *archive) expire(l look) error {
	w.looks = nil
	for _, d := range l.due {
		if d.isUnread {
			w.log.Warn("an archived run does not expire", "study", d.Study, "run", d.Run, "error", d.Keep)
		}
	}
	due := slices.DeleteFunc(l.due, func(d Due) bool { return d.Keep != "" })
	due = due[:min(len(due), expireAtOnce)]
	err := l.err
	if err == nil {
		err = Expire(w.store, due)
	}
	if archiver.IsStopped(err) {
		return err
	}
	if err != nil {
		w.log.Warn("remove archived studies whose time is over: trying again later", "error", err)
		return nil
	}
	for _, d := range due {
		w.log.Info("an archived run expired: its Parquet files go", "study", d.Study, "run", d.Run, "trials", d.Trials, "archived", d.Ended)
	}
	return nil
}
