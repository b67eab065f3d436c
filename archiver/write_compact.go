package archiver

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Compaction: docs/trial-log.md, Durability.
const (
	// compactFiles is how many small files of a closed run are merged.
	compactFiles = 16
	// compactRows bounds the file that a compaction writes, and its memory.
	compactRows = 4 * rowGroupRows
	// keepGeneration is how long readers can go on with the old files.
	keepGeneration = 10 * time.Minute
)

// retired is a generation that readers may still have open.
type retired struct {
	generation int
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
	next := s.idx.generation + 1
	temp := filepath.Join(s.root, tempPrefix+generationName(next)+tempSuffix)
	if err := os.RemoveAll(temp); err != nil {
		return err
	}
	removed := make([]string, len(small))
	for i, e := range small {
		removed[i] = e.Path
	}
	if err := s.linkGeneration(temp, removed); err != nil {
		return err
	}
	e := entryOf(k.study, k.run, rows)
	folder := filepath.Join(temp, filepath.FromSlash(runFolder(k.study, k.run)))
	name := freeName(folder, e)
	written, err := s.writeTemp(folder, &e, o, rows)
	if err != nil {
		return err
	}
	if err := os.Rename(written, filepath.Join(folder, name)); err != nil {
		return err
	}
	e.Path = runFolder(k.study, k.run) + "/" + name
	if err := syncFolder(folder); err != nil {
		return err
	}
	if err := os.Rename(temp, s.generation(next)); err != nil {
		return err
	}
	if err := syncFolder(s.root); err != nil {
		return err
	}
	return s.switchTo(next, &record{Generation: next, Removed: removed, Files: []fileEntry{e}})
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
	if err := s.pointCurrent(next); err != nil {
		return err
	}
	s.retired = append(s.retired, retired{old, s.opts.Now()})
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
	file, err := os.Open(s.path(e.Path))
	if err != nil {
		return err
	}
	defer file.Close()
	if err := checkSum(file, e.SHA256); err != nil {
		return err
	}
	f, err := openLog(file, e.Bytes, reading{vouched: true})
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

// linkGeneration shows the files of the current generation, without the
// removed ones, in a new folder. Files of other people come along.
func (s *Store) linkGeneration(to string, removed []string) error {
	from := s.generation(s.idx.generation)
	folders := []string{}
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		switch {
		case d.IsDir():
			folders = append(folders, target)
			return mkdirSync(target)
		case !d.Type().IsRegular(), isTemp(d.Name()), slices.Contains(removed, filepath.ToSlash(rel)):
			return nil
		}
		return linkOrCopy(path, target)
	})
	if err != nil {
		return err
	}
	for _, f := range folders {
		if err := syncFolder(f); err != nil {
			return err
		}
	}
	return nil
}

// linkOrCopy makes a second name for a file; some file systems have none.
func linkOrCopy(from, to string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	if err == nil {
		err = dst.Sync()
	}
	if cerr := dst.Close(); err == nil {
		err = cerr
	}
	return err
}

// Sweep removes generations that were replaced KeepGeneration ago.
func (s *Store) Sweep() error {
	if s.dead != nil {
		return s.dead
	}
	for len(s.retired) > 0 && s.opts.Now().Sub(s.retired[0].at) >= keepGeneration {
		old := s.generation(s.retired[0].generation)
		if err := s.rescue(old); err != nil {
			return fmt.Errorf("sweep %s: %w", old, err)
		}
		if err := os.RemoveAll(old); err != nil {
			return fmt.Errorf("sweep %s: %w", old, err)
		}
		s.retired = s.retired[1:]
	}
	return nil
}

// rescue takes files that other people put into an old generation over into
// the current one.
func (s *Store) rescue(old string) error {
	if _, err := os.Stat(old); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	strict := func(_ string, err error) error { return err }
	return s.eachFile(old, strict, func(rel, path string) error {
		if isTemp(filepath.Base(path)) || s.isOurs(rel, path) {
			return nil
		}
		target := s.path(rel)
		if _, err := os.Lstat(target); err == nil {
			return nil
		}
		if err := mkdirSync(filepath.Dir(target)); err != nil {
			return err
		}
		return linkOrCopy(path, target)
	})
}
