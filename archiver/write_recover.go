package archiver

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"apollo/archiver/parquetcheck"
)

// recover brings the place into the state that the manifest tells of.
func (s *Store) recover() error {
	s.idx = newIndex()
	replaced := map[string]bool{}
	man, err := openManifest(s.files, func(r *record) error {
		if r.Snapshot != nil {
			clear(replaced) // they were gone
		}
		for _, path := range r.Removed {
			replaced[path] = true
		}
		for _, e := range r.Files {
			delete(replaced, e.Path)
		}
		return s.idx.apply(r)
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errManifest) {
		return err
	}
	if err == nil {
		if err = s.idx.lacksBegin(); err != nil {
			_ = man.close()
		}
	}
	if err == nil && s.idx.records == 0 {
		// A crash before the first record: nothing is known yet.
		_ = man.close()
		err = fs.ErrNotExist
	}
	if err != nil {
		if _, exists := s.files.Newest(); exists {
			s.opts.Logger.Info("the manifest is rebuilt from the files", "path", s.files.Path(ManifestName), "cause", err)
		}
		clear(replaced)
		if man, err = s.rebuild(); err != nil {
			return fmt.Errorf("rebuild the manifest: %w", err)
		}
	}
	s.man = man
	if s.files.Shared() {
		// After two nothing of an archiver before this one is stored.
		writer := newLogID()
		for range 2 {
			if err := s.record(&record{Writer: writer}); err != nil {
				return err
			}
		}
	}
	sizes, err := s.clean(replaced)
	if err != nil {
		return err
	}
	if err := s.files.Show(s.idx.generation); err != nil {
		return err
	}
	return s.heal(sizes)
}

// clean removes what no record speaks of, and moves unlisted files of ours
// away. It returns the sizes of the files that there are.
func (s *Store) clean(replaced map[string]bool) (map[string]int64, error) {
	older, err := s.files.Clean(s.idx.generation, s.ofOneRun)
	if err != nil {
		return nil, err
	}
	for _, n := range older {
		s.retired = append(s.retired, retired{generation: n, at: s.opts.Now()})
	}
	sizes := map[string]int64{}
	var old []string
	err = s.eachFile(s.idx.generation, func(rel, name string, size int64) error {
		_, listed := s.idx.files[rel]
		switch {
		case listed:
			sizes[rel] = size
			return nil
		case replaced[rel]:
			old = append(old, rel)
			return nil
		case !s.isOurs(rel, name):
			return nil
		}
		err := s.orphan(rel, name)
		if err != nil && s.ofOneRun(name, err) == nil {
			m := partName().FindStringSubmatch(rel)
			k := runKey{m[1], m[2]}
			s.leftover[k] = append(s.leftover[k], name)
			return nil
		}
		return err
	})
	if len(old) > 0 {
		s.retired = append(s.retired, retired{s.idx.generation, old, s.opts.Now()})
	}
	return sizes, err
}

// ofOneRun returns nil for an error of one file or folder of a run, which is
// logged and is no reason to write no other. A full disk is one.
func (s *Store) ofOneRun(name string, err error) error {
	if err == nil || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, ErrUnavailable) {
		return err
	}
	s.opts.Logger.Warn("a part of the trial log cannot be reached: the rest is gone on with", "path", s.files.Path(name), "error", err)
	return nil
}

// eachFile calls f for every regular file below a generation.
func (s *Store) eachFile(generation int, f func(rel, name string, size int64) error) error {
	folder := s.files.Folder(generation)
	return s.files.List(folder, s.ofOneRun, func(name string, size int64) error {
		return f(strings.TrimPrefix(name, folder+"/"), name, size)
	})
}

// isOurs reports whether this store wrote a file: it has such a name, and it
// carries this log's identity or cannot be read at all. What cannot be asked now
// is left where it is.
func (s *Store) isOurs(rel, name string) bool {
	if !partName().MatchString(rel) {
		return false
	}
	id, err := s.logIDOf(name)
	if errors.Is(err, ErrUnavailable) {
		return false
	}
	return err != nil || id == s.idx.log
}

func (s *Store) logIDOf(name string) (string, error) {
	file, size, closeFile, err := openAt(s.files.Files(), name)
	if err != nil {
		return "", err
	}
	defer closeFile()
	pf, err := parquetcheck.OpenGuarded(file, size)
	if err != nil {
		return "", err
	}
	id, _ := pf.Lookup(metaLog)
	return id, nil
}

// orphan moves a file out of the readers' sight, and keeps it.
func (s *Store) orphan(rel, name string) error {
	to, err := s.files.SetAside(name, rel)
	if err == nil {
		s.opts.Logger.Info("a file that was never committed is set aside", "path", rel, "to", to)
	}
	return err
}

// heal looks for listed files that are gone or have another size. Their trials
// come back from the stream of results: the cursor goes to its start, and what
// is still there is not written twice.
func (s *Store) heal(sizes map[string]int64) error {
	var lost []string
	files := s.files.Files()
	for path, e := range s.idx.files {
		size, listed := sizes[path]
		if !listed {
			info, err := fs.Stat(files, s.name(path))
			switch {
			case errors.Is(err, fs.ErrNotExist):
				lost = append(lost, path)
				continue
			case err != nil:
				// Nobody knows whether it is gone.
				if err := s.ofOneRun(s.name(path), err); err != nil {
					return err
				}
				continue
			}
			size = info.Size()
		}
		if size == e.Bytes {
			continue
		}
		lost = append(lost, path)
		if err := s.orphan(path, s.name(path)); err != nil {
			return err
		}
	}
	if len(lost) == 0 {
		return nil
	}
	slices.Sort(lost)
	for _, path := range lost {
		s.opts.Logger.Warn("a file of the trial log is gone or damaged: its trials are read again", "path", path)
	}
	return s.record(&record{Removed: lost, Position: &Position{Created: s.idx.position.Created}})
}

// rebuild writes a new manifest from the files of the current generation. The
// cursor starts at the beginning: a file alone does not prove that the files
// of other runs before it were made as well.
func (s *Store) rebuild() (*manifest, error) {
	s.idx = newIndex()
	first := record{}
	first.Generation, _ = s.files.Newest()
	err := s.eachFile(first.Generation, func(rel, name string, size int64) error {
		if !partName().MatchString(rel) {
			return nil
		}
		e, id, err := s.readEntry(rel, name)
		switch {
		case errors.Is(err, ErrUnavailable):
			return err
		case err != nil:
			s.opts.Logger.Warn("a file cannot be read and is not taken into the manifest", "path", rel, "err", err)
		case first.Log == "":
			first.Log = id
			fallthrough
		case id == first.Log:
			first.Files = append(first.Files, e)
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if first.Log == "" {
		first.Log = newLogID()
	}
	// What the files hold was told when they were written.
	first.Announced = 1
	man, err := createManifest(s.files, &first)
	if err != nil {
		return nil, err
	}
	return man, s.idx.apply(&first)
}

// readEntry describes a part file by its own content.
func (s *Store) readEntry(rel, name string) (fileEntry, string, error) {
	file, size, closeFile, err := openAt(s.files.Files(), name)
	if err != nil {
		return fileEntry{}, "", err
	}
	defer closeFile()
	sum, err := sumOf(file)
	if err != nil {
		return fileEntry{}, "", err
	}
	f, err := openLog(file, size, reading{})
	if err != nil {
		return fileEntry{}, "", err
	}
	m := partName().FindStringSubmatch(rel)
	e := fileEntry{Path: rel, Study: m[1], Run: m[2], Bytes: size, SHA256: sum}
	e.FirstSeq, _ = strconv.ParseUint(m[3], 10, 64)
	e.LastSeq, _ = strconv.ParseUint(m[4], 10, 64)
	rows := f.rows(true)
	defer rows.close()
	for row := (Row{}); ; {
		err := rows.next(&row)
		if errors.Is(err, io.EOF) {
			return e, f.logID, nil
		}
		if err != nil {
			return e, "", err
		}
		if row.Study != e.Study || row.Run != e.Run {
			return e, "", parquetcheck.Corrupt("a trial of %s/%s in the folder of %s/%s", row.Study, row.Run, e.Study, e.Run)
		}
		e.Trials.insert(row.Trial)
		e.Rows++
	}
}
