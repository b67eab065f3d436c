package archiver

import (
	"cmp"
	"slices"
	"time"
)

// index is what the manifest says: the files of the log, run by run.
type index struct {
	log        string
	generation int
	position   Position
	// read is how far the results are on disk but for the runs behind.
	read   Position
	behind []behindRun
	files  map[string]fileEntry
	runs   map[runKey]*runIndex
	// order lists the runs in the order in which they first appear.
	order []runKey
	// expired are the runs whose files were removed on purpose.
	expired map[runKey]expiry
	// records counts manifest records; announced is how many of them the bus
	// knows of, persisted how many the manifest says it knows of.
	records, announced, persisted int
	// pending are the parts and closures that the bus may not know of.
	pending []pendingAnnouncement
}

type runKey struct{ study, run string }

// runIndex is what is known of a run.
type runIndex struct {
	trials spans
	closed *closure
	files  []string
	// differs says why the run is not gone on with; "" when it is.
	differs string
}

// isWhole reports whether the run ended and its files have as many trials as it had
// then: not one that lost a file, nor one that was extended and is not closed anew.
func (r *runIndex) isWhole() bool { return r.closed != nil && r.closed.Trials == r.trials.count() }

// pendingAnnouncement is what one record has to tell.
type pendingAnnouncement struct {
	record int
	files  []fileEntry
	closed *closure
}

func newIndex() *index {
	return &index{files: map[string]fileEntry{}, runs: map[runKey]*runIndex{}, expired: map[runKey]expiry{}}
}

func (x *index) run(k runKey) *runIndex {
	r := x.runs[k]
	if r == nil {
		r = &runIndex{}
		x.runs[k] = r
		x.order = append(x.order, k)
	}
	return r
}

// apply folds one record.
func (x *index) apply(r *record) error {
	if r.Snapshot != nil {
		x.restore(r)
		return nil
	}
	x.records++
	if r.Log != "" {
		x.log = r.Log
	}
	x.generation = r.Generation
	shrunk := x.remove(r.Removed)
	for _, e := range r.Files {
		x.files[e.Path] = e
		run := x.run(runKey{e.Study, e.Run})
		run.trials.merge(e.Trials)
		run.files = append(run.files, e.Path)
		delete(x.expired, runKey{e.Study, e.Run})
	}
	for _, k := range shrunk {
		x.recount(k)
	}
	for _, e := range r.Expired {
		x.expire(e)
	}
	if r.Position != nil {
		x.position, x.read, x.behind = *r.Position, *r.Position, r.Behind
	}
	if r.Read != nil {
		x.read = *r.Read
	}
	if r.Closed != nil {
		x.run(runKey{r.Closed.Study, r.Closed.Run}).closed = r.Closed
	}
	if d := r.Differs; d != nil {
		x.run(runKey{d.Study, d.Run}).differs = d.Reason
	}
	x.persisted = max(x.persisted, r.Announced)
	x.announced = max(x.announced, r.Announced)
	// A compaction says nothing new.
	if (len(r.Files) > 0 && len(r.Removed) == 0) || r.Closed != nil {
		x.pending = append(x.pending, pendingAnnouncement{record: x.records, files: r.Files, closed: r.Closed})
	}
	x.pending = slices.DeleteFunc(x.pending, func(p pendingAnnouncement) bool { return p.record <= x.announced })
	return nil
}

// remove takes files out and returns the runs that they were of.
func (x *index) remove(paths []string) (shrunk []runKey) {
	for _, path := range paths {
		e, ok := x.files[path]
		if !ok {
			continue
		}
		delete(x.files, path)
		k := runKey{e.Study, e.Run}
		run := x.run(k)
		run.files = slices.DeleteFunc(run.files, func(p string) bool { return p == path })
		if !slices.Contains(shrunk, k) {
			shrunk = append(shrunk, k)
		}
	}
	return shrunk
}

// recount takes the trials of a run from the files that it has: those of a file
// that was lost are to be written again.
func (x *index) recount(k runKey) {
	run := x.run(k)
	run.trials = nil
	for _, e := range x.sortedFiles(k) {
		run.trials.merge(e.Trials)
	}
}

// expire forgets a run but for that it was there.
func (x *index) expire(e expiry) {
	k := runKey{e.Study, e.Run}
	delete(x.runs, k)
	x.order = slices.DeleteFunc(x.order, func(o runKey) bool { return o == k })
	x.pending = slices.DeleteFunc(x.pending, func(p pendingAnnouncement) bool {
		return slices.ContainsFunc(p.files, func(f fileEntry) bool { return runKey{f.Study, f.Run} == k }) || p.closed != nil && runKey{p.closed.Study, p.closed.Run} == k
	})
	x.expired[k] = e
}

// expiredAt is when files of a study were last removed on purpose, zero for never.
func (x *index) expiredAt(study string) (at time.Time) {
	for k, e := range x.expired {
		if k.study == study && e.At.After(at) {
			at = e.At
		}
	}
	return at
}

// sortedFiles returns the entries of a run in the order of their first trial.
func (x *index) sortedFiles(k runKey) []fileEntry {
	var list []fileEntry
	for _, p := range x.run(k).files {
		list = append(list, x.files[p])
	}
	slices.SortFunc(list, func(a, b fileEntry) int {
		return cmp.Or(cmp.Compare(firstTrial(a), firstTrial(b)), cmp.Compare(a.Path, b.Path))
	})
	return list
}

func firstTrial(e fileEntry) int64 {
	if len(e.Trials) == 0 {
		return 0
	}
	return e.Trials[0].First
}
