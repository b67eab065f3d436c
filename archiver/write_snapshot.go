package archiver

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// snapshot is what a manifest says of its runs, beside the fields of a record: Log,
// Generation, all Files, Position, Read and Behind, and all that Expired. Everything in it
// was announced.
type snapshot struct {
	// Runs are in the order in which they first appeared.
	Runs []runState `json:"runs"`
}

// runState is what is known of a run without its files.
type runState struct {
	Study   string   `json:"study"`
	Run     string   `json:"run"`
	Closed  *closure `json:"closed,omitempty"`
	Differs string   `json:"differs,omitempty"`
}

// snapshot returns the index as one record.
func (x *index) snapshot() *record {
	r := &record{
		Version: snapshotVersion, Log: x.log, Generation: x.generation, Position: &x.position, Read: &x.read, Behind: x.behind,
		Snapshot: &snapshot{}, Announced: 1,
	}
	for _, k := range x.order {
		run := x.runs[k]
		r.Snapshot.Runs = append(r.Snapshot.Runs, runState{k.study, k.run, run.closed, run.differs})
		for _, path := range run.files {
			r.Files = append(r.Files, x.files[path])
		}
	}
	byName := func(a, b runKey) int { return cmp.Or(cmp.Compare(a.study, b.study), cmp.Compare(a.run, b.run)) }
	for _, k := range slices.SortedFunc(maps.Keys(x.expired), byName) {
		r.Expired = append(r.Expired, x.expired[k])
	}
	return r
}

// restore makes the index what a snapshot says.
func (x *index) restore(r *record) {
	*x = *newIndex()
	x.log, x.generation, x.records, x.announced, x.persisted = r.Log, r.Generation, 1, r.Announced, r.Announced
	x.position, x.read, x.behind = *r.Position, *r.Read, r.Behind
	for _, s := range r.Snapshot.Runs {
		run := x.run(runKey{s.Study, s.Run})
		run.closed, run.differs = s.Closed, s.Differs
	}
	for _, e := range r.Files {
		x.files[e.Path] = e
		run := x.run(runKey{e.Study, e.Run})
		run.trials.merge(e.Trials)
		run.files = append(run.files, e.Path)
	}
	for _, e := range r.Expired {
		x.expired[runKey{e.Study, e.Run}] = e
	}
}

// lacksBegin says that records are missing before the first one that there is: that has the
// identity of the log, or is before a snapshot, which has it.
func (x *index) lacksBegin() error {
	if x.records > 0 && x.log == "" {
		return fmt.Errorf("%w: it does not begin with the identity of the log", errManifest)
	}
	return nil
}

// shorten begins the manifest anew with what it comes to, where that is a quarter of it at
// most, so that what is written for it is a part of what was written anyway. It waits until
// all is told and nothing replaced is left: a snapshot does not speak of either.
func (s *Store) shorten() error {
	if s.forget {
		if err := s.man.journal.Forget(); err != nil {
			return err
		}
		s.forget = false
	}
	s.snapshotAt = max(s.snapshotAt, s.opts.SnapshotBytes)
	if s.man.bytes < s.snapshotAt || len(s.idx.pending) > 0 || len(s.retired) > 0 || len(s.leftover) > 0 || s.doubtful || !s.man.journal.CanRestart() {
		return nil
	}
	const share = 4
	r := s.idx.snapshot()
	line, err := manifestLine(r)
	if err != nil {
		return err
	}
	if len(line) > s.man.bytes/share {
		s.snapshotAt = share * len(line)
		return nil
	}
	if err := s.fail("snapshot.before"); err != nil {
		return err
	}
	if err := s.man.restart(line); err != nil {
		if errors.Is(err, ErrTaken) {
			s.dead = err
		}
		return err
	}
	s.forget, s.snapshotAt = true, share*len(line)
	if err := s.idx.apply(r); err != nil {
		return err
	}
	if err := s.fail("snapshot.after"); err != nil {
		return err
	}
	return s.shorten()
}

// restart makes a snapshot the manifest.
func (m *manifest) restart(line []byte) error {
	if err := m.journal.Restart(line); err != nil {
		return err
	}
	m.bytes = len(line)
	return nil
}
