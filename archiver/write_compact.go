package archiver

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"apollo/archiver/storage"
)

// Compaction: docs/trial-log.md, Durability.
const (
	// compactFiles is how many small files of a closed run are merged.
	compactFiles = 16
	// compactRows bounds the file that a compaction writes, and its memory.
	compactRows = 4 * rowGroupRows
)

// retired is what was replaced and readers may still have open: a generation,
// or files of the current one.
type retired struct {
	generation int
	files      []string
	at         time.Time
}

// Compact merges the small files of a closed run when there are at least
// CompactFiles of them. Readers see the old files or the new one, never both.
// It reports whether it did anything.
func (s *Store) Compact(study, run string) (bool, error) {
	if s.dead != nil {
		return false, s.dead
	}
	k := runKey{study, run}
	if s.idx.run(k).closed == nil {
		return false, nil
	}
	small := s.smallFiles(k)
	if len(small) < compactFiles {
		return false, nil
	}
	if err := s.compact(k, small); err != nil {
		return false, fmt.Errorf("compact %s/%s: %w", study, run, err)
	}
	return true, nil
}

func (s *Store) smallFiles(k runKey) []fileEntry {
	var small []fileEntry
	var rows int64
	for _, e := range s.idx.sortedFiles(k) {
		if e.Rows < FlushRows && rows+e.Rows <= compactRows {
			small = append(small, e)
			rows += e.Rows
		}
	}
	return small
}

func (s *Store) compact(k runKey, small []fileEntry) error {
	rows, o, err := s.readParts(small)
	if err != nil {
		return err
	}
	removed := make([]string, len(small))
	for i, e := range small {
		removed[i] = e.Path
	}
	e := entryOf(k.study, k.run, rows)
	content, err := s.encode(&e, o, rows)
	if err != nil {
		return err
	}
	next := 0
	err = s.underFreeName(&e, func(rel string) error {
		next, err = s.files.Stage(s.idx.generation, removed, rel, content)
		return err
	})
	if err == nil {
		err = s.switchTo(next, &record{Generation: next, Removed: removed, Files: []fileEntry{e}})
	}
	if err != nil && s.dead == nil && s.files.Shared() { // elsewhere a generation is not seen before Show
		s.leave(k, s.name(e.Path))
	}
	return err
}

// switchTo records a generation that is whole on disk, then shows it. A crash
// in between is finished by Open.
func (s *Store) switchTo(next int, r *record) error {
	if err := s.fail("compact.before"); err != nil {
		return err
	}
	old := s.idx.generation
	if err := s.record(r); err != nil {
		return err
	}
	if err := s.fail("compact.after"); err != nil {
		return err
	}
	if err := s.files.Show(next); err != nil {
		return err
	}
	s.retired = append(s.retired, retired{old, r.Removed, s.opts.Now()})
	return nil
}

// readParts decodes whole files of one run, in the order of their trials.
func (s *Store) readParts(files []fileEntry) ([]*Row, *openRun, error) {
	var rows []*Row
	o := &openRun{}
	for _, e := range files {
		if err := s.readPart(e, o, &rows); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", e.Path, err)
		}
	}
	slices.SortFunc(rows, func(a, b *Row) int { return a.Key().Compare(b.Key()) })
	rows = slices.CompactFunc(rows, func(a, b *Row) bool { return a.Trial == b.Trial })
	return rows, o, nil
}

func (s *Store) readPart(e fileEntry, o *openRun, rows *[]*Row) error {
	file, size, closeFile, err := openAt(s.files.Files(), s.name(e.Path))
	if err != nil {
		return err
	}
	defer closeFile()
	if err := checkSum(file, e.SHA256); err != nil {
		return err
	}
	f, err := openLog(file, size, reading{vouched: true})
	if err != nil {
		return err
	}
	if o.cols == nil {
		o.cols, o.meta = f.cols, map[string]string{}
		for _, kv := range f.pf.Metadata().KeyValueMetadata {
			o.meta[kv.Key] = kv.Value
		}
	}
	r := f.rows(false)
	defer r.close()
	for {
		row := &Row{}
		if err := r.next(row); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		*rows = append(*rows, row)
	}
}

// Sweep removes what was replaced some time ago, and what failed commits left, and shortens
// the manifest.
// Files that other people put into an old generation go over into the current one.
func (s *Store) Sweep() error {
	if s.dead != nil {
		return s.dead
	}
	if s.files.Shared() { // elsewhere they are gone, or the folder of their run takes nothing
		for k := range s.leftover {
			if err := s.removeLeftover(k); err != nil {
				return fmt.Errorf("sweep the trial log: %w", err)
			}
		}
	}
	keep := func(name, rel string) bool { return !s.isOurs(rel, name) }
	for len(s.retired) > 0 && s.opts.Now().Sub(s.retired[0].at) >= storage.KeepReplaced {
		old := s.retired[0]
		if err := s.files.Discard(old.generation, s.idx.generation, old.files, keep); err != nil {
			return fmt.Errorf("sweep the trial log: %w", err)
		}
		s.retired = s.retired[1:]
	}
	if err := s.shorten(); err != nil {
		return fmt.Errorf("shorten the manifest of the trial log: %w", err)
	}
	return nil
}
