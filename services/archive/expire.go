package archive

import (
	"context"
	"fmt"
	"io/fs"
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
}

// Due is an archived run that an Expiry chooses.
type Due struct {
	archiver.EndedRun
	// Keep is why it stays all the same; "" when it may go.
	Keep string
}

// Due returns the runs of a log that are chosen. One that is on the bus stays: it may
// be extended, and its files would be written again. So does one that a run on the
// bus transfers from.
func (x *Expiry) Due(ctx context.Context, log events.Log, files fs.FS, now time.Time) ([]Due, error) {
	ended, err := archiver.EndedRuns(files)
	if err != nil {
		return nil, err
	}
	var due []Due
	for i := range ended {
		chosen, err := x.chooses(&ended[i], files, now)
		if err != nil {
			return nil, fmt.Errorf("read the labels of %s/%s: %w", ended[i].Study, ended[i].Run, err)
		}
		if chosen {
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
		due[i].Keep = uses.of(due[i].Study, due[i].Run)
	}
	return due, nil
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
	spec, err := r.Spec(files)
	if err != nil {
		return false, err
	}
	for key, want := range x.Labels {
		if have, ok := spec.Labels[key]; !ok || have != want {
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
	unpinned := map[messages.RunKey]*events.Spec{}
	filters := append(events.BoundsOfRuns("*", "*"), events.StudySubject("*", "*", "started"))
	for m, err := range log.Read(ctx, 0, filters...) {
		if err != nil {
			return nil, fmt.Errorf("read the log: %w", err)
		}
		study, run, _, ok := events.ParseStudySubject(m.Subject)
		if !ok {
			continue
		}
		key := messages.RunKey{Study: study, Run: run}
		u.onBus[key] = true
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
	// expireAtOnce bounds one record of the manifest.
	expireAtOnce = 64
)

// Expire removes those that may go from a log, and returns them.
func Expire(store *archiver.Store, due []Due) (gone []Due, err error) {
	var runs [][2]string
	flush := func() error {
		if len(runs) == 0 {
			return nil
		}
		err := store.Expire(runs...)
		runs = runs[:0]
		return err
	}
	for _, d := range due {
		if d.Keep != "" {
			continue
		}
		if runs = append(runs, [2]string{d.Study, d.Run}); len(runs) == expireAtOnce {
			if err := flush(); err != nil {
				return gone, err
			}
		}
		gone = append(gone, d)
	}
	return gone, flush()
}

// expire removes what the operator's policy says. What fails is tried at the next
// look.
func (w *archive) expire(ctx context.Context) error {
	if w.expiry == nil || w.ticks%expireEvery != 0 {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	due, err := w.expiry.Due(limited, w.bus.Log(), w.store.Files(), time.Now())
	if err == nil {
		due, err = Expire(w.store, due)
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
