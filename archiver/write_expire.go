package archiver

import (
	"fmt"
	"time"
)

// expiry says that the files of a run were removed on purpose.
type expiry struct {
	Study  string    `json:"study"`
	Run    string    `json:"run"`
	Trials int64     `json:"trials"`
	At     time.Time `json:"at"`
}

// Expire removes the files of runs that EndedRuns lists from the log, given as study and run:
// all of them or none. Files that somebody has open stay readable for
// storage.KeepReplaced. The caller knows that the bus does not have the runs any
// more: they would be written again.
func (s *Store) Expire(runs ...[2]string) error {
	if s.dead != nil {
		return s.dead
	}
	r := &record{}
	for _, name := range runs {
		k := runKey{name[0], name[1]}
		run := s.idx.runs[k]
		switch {
		case run == nil:
			return fmt.Errorf("expire %s/%s: the trial log has no such run", k.study, k.run)
		case !run.isWhole() || s.WaitingOf(k.study, k.run) > 0:
			return fmt.Errorf("expire %s/%s: its trials are not all in the trial log", k.study, k.run)
		}
		r.Removed = append(r.Removed, run.files...)
		r.Expired = append(r.Expired, expiry{k.study, k.run, run.trials.count(), s.opts.Now().UTC()})
	}
	next, err := s.files.Stage(s.idx.generation, r.Removed, "", nil)
	if err == nil {
		r.Generation = next
		err = s.switchTo(next, r)
	}
	if err != nil {
		return fmt.Errorf("expire runs of the trial log: %w", err)
	}
	for _, name := range runs {
		if o := s.open[runKey{name[0], name[1]}]; o != nil { // it differed, or was extended
			o.seen, o.marks = nil, nil
		}
	}
	return nil
}
