package archiver

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"apollo/archiver/parquetcheck"
)

// recover brings the directory into the state that the manifest tells of.
func (s *Store) recover() error {
	path := filepath.Join(s.root, filepath.Base(ManifestName))
	s.idx = newIndex()
	man, err := openManifest(path, s.idx.apply)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errManifest) {
		return err
	}
	if err == nil && s.idx.records == 0 {
		// A crash before the first record: nothing is known yet.
		_ = man.close()
		err = fs.ErrNotExist
	}
	if err != nil {
		if _, serr := os.Lstat(s.generation(s.newestGeneration())); serr == nil {
			s.opts.Logger.Info("the manifest is rebuilt from the files", "path", path, "cause", err)
		}
		if man, err = s.rebuild(path); err != nil {
			return fmt.Errorf("rebuild the manifest: %w", err)
		}
	}
	s.man = man
	if err := mkdirSync(s.generation(s.idx.generation)); err != nil {
		return err
	}
	if err := s.clean(); err != nil {
		return err
	}
	if err := s.pointCurrent(s.idx.generation); err != nil {
		return err
	}
	return s.heal()
}

// clean removes what no record speaks of: temporary files and folders,
// generations that were never recorded, and moves unlisted files of ours away.
func (s *Store) clean() error {
	entries, err := os.ReadDir(s.root)
	if err != nil {
		return err
	}
	for _, e := range entries {
		n, isGeneration := generationOf(e.Name())
		switch {
		case isTemp(e.Name()), isGeneration && n > s.idx.generation:
			if err := os.RemoveAll(filepath.Join(s.root, e.Name())); err != nil {
				return err
			}
		case isGeneration && n < s.idx.generation:
			s.retired = append(s.retired, retired{n, s.opts.Now()})
		}
	}
	return s.eachFile(s.generation(s.idx.generation), s.ofOneRun, func(rel, path string) error {
		if isTemp(filepath.Base(path)) {
			return s.ofOneRun(path, os.Remove(path))
		}
		if _, listed := s.idx.files[rel]; listed || !s.isOurs(rel, path) {
			return nil
		}
		err := s.orphan(rel, path)
		if err != nil && s.ofOneRun(path, err) == nil {
			m := partName().FindStringSubmatch(rel)
			k := runKey{m[1], m[2]}
			s.leftover[k] = append(s.leftover[k], path)
			return nil
		}
		return err
	})
}

// ofOneRun returns nil for an error of one file or folder of a run, which is
// logged and is no reason to write no other. A full disk is one.
func (s *Store) ofOneRun(path string, err error) error {
	if err == nil || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return err
	}
	s.opts.Logger.Warn("a part of the trial log cannot be reached: the rest is gone on with", "path", path, "error", err)
	return nil
}

func generationOf(name string) (int, bool) {
	digits, ok := strings.CutPrefix(name, "gen-")
	n, err := strconv.Atoi(digits)
	return n, ok && err == nil && n > 0
}

// eachFile calls f for every regular file below a generation, and unreadable
// for what is below it and cannot be read.
func (s *Store) eachFile(generation string, unreadable func(path string, err error) error, f func(rel, path string) error) error {
	return filepath.WalkDir(generation, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && path == generation:
			return err
		case err != nil:
			return unreadable(path, err)
		}
		if !d.Type().IsRegular() {
			return nil
		}
		rel, err := filepath.Rel(generation, path)
		if err != nil {
			return err
		}
		return f(filepath.ToSlash(rel), path)
	})
}

// isOurs reports whether this store wrote a file: it has such a name, and it
// carries this directory's identity or cannot be read at all.
func (s *Store) isOurs(rel, path string) bool {
	if !partName().MatchString(rel) {
		return false
	}
	id, err := fileLogID(path)
	return err != nil || id == s.idx.log
}

func fileLogID(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	pf, err := parquetcheck.OpenGuarded(file, info.Size())
	if err != nil {
		return "", err
	}
	id, _ := pf.Lookup(metaLog)
	return id, nil
}

// orphan moves a file out of the readers' sight, and keeps it.
func (s *Store) orphan(rel, path string) error {
	folder := filepath.Join(s.root, orphanFolder)
	if err := mkdirSync(folder); err != nil {
		return err
	}
	base := strings.ReplaceAll(rel, "/", "__")
	name := base
	for i := 1; ; i++ {
		if _, err := os.Lstat(filepath.Join(folder, name)); errors.Is(err, fs.ErrNotExist) {
			break
		}
		name = fmt.Sprintf("%s.%d", base, i)
	}
	s.opts.Logger.Info("a file that was never committed is set aside", "path", rel, "to", "trials/"+orphanFolder+"/"+name)
	if err := os.Rename(path, filepath.Join(folder, name)); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// pointCurrent makes the link show a generation, in one step.
func (s *Store) pointCurrent(generation int) error {
	link, target := filepath.Join(s.root, currentLink), generationName(generation)
	if old, err := os.Readlink(link); err == nil && old == target {
		return nil
	}
	temp := filepath.Join(s.root, tempPrefix+currentLink+tempSuffix)
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(target, temp); err != nil {
		return err
	}
	if err := os.Rename(temp, link); err != nil {
		return err
	}
	return syncFolder(s.root)
}

// heal looks for listed files that are gone or have another size. Their trials
// come back from the stream of results: the cursor goes to its start, and what
// is still there is not written twice.
func (s *Store) heal() error {
	var lost []string
	for path, e := range s.idx.files {
		info, err := os.Stat(s.path(path))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			lost = append(lost, path)
		case err != nil:
			// Nobody knows whether it is gone.
			if err := s.ofOneRun(s.path(path), err); err != nil {
				return err
			}
		case info.Size() != e.Bytes:
			lost = append(lost, path)
			if err := s.orphan(path, s.path(path)); err != nil {
				return err
			}
		}
	}
	if len(lost) == 0 {
		return nil
	}
	slices.Sort(lost)
	for _, path := range lost {
		s.opts.Logger.Warn("a file of the trial log is gone or damaged: its trials are read again", "path", path)
	}
	if err := s.record(&record{Removed: lost, Position: &Position{Created: s.idx.position.Created}}); err != nil {
		return err
	}
	for k, r := range s.idx.runs {
		r.trials = nil
		for _, e := range s.idx.sortedFiles(k) {
			r.trials.merge(e.Trials)
		}
	}
	return nil
}

// rebuild writes a new manifest from the files of the current generation. The
// cursor starts at the beginning: a file alone does not prove that the files
// of other runs before it were renamed as well.
func (s *Store) rebuild(path string) (*manifest, error) {
	if err := os.Rename(path, freeBackup(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	s.idx = newIndex()
	first := record{Generation: s.newestGeneration()}
	err := s.eachFile(s.generation(first.Generation), s.ofOneRun, func(rel, file string) error {
		if !partName().MatchString(rel) {
			return nil
		}
		e, id, err := readEntry(rel, file)
		switch {
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
	// The new manifest appears whole or not at all.
	temp := filepath.Join(s.root, tempPrefix+"manifest"+tempSuffix)
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	man, err := createManifest(temp)
	if err != nil {
		return nil, err
	}
	// What the files hold was told when they were written.
	first.Announced = 1
	if err := man.append(&first); err != nil {
		_ = man.close()
		return nil, err
	}
	if err := os.Rename(temp, path); err != nil {
		_ = man.close()
		return nil, err
	}
	if err := syncFolder(s.root); err != nil {
		_ = man.close()
		return nil, err
	}
	return man, s.idx.apply(&first)
}

func freeBackup(path string) string {
	for i := 1; ; i++ {
		name := fmt.Sprintf("%s.damaged-%d", path, i)
		if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			return name
		}
	}
}

// newestGeneration returns what current points to, or the highest one.
func (s *Store) newestGeneration() int {
	if target, err := os.Readlink(filepath.Join(s.root, currentLink)); err == nil {
		if n, ok := generationOf(target); ok {
			return n
		}
	}
	newest := 1
	entries, err := os.ReadDir(s.root)
	if err != nil {
		return newest
	}
	for _, e := range entries {
		if n, ok := generationOf(e.Name()); ok {
			newest = max(newest, n)
		}
	}
	return newest
}

// readEntry describes a part file by its own content.
func readEntry(rel, path string) (fileEntry, string, error) {
	file, err := os.Open(path)
	if err != nil {
		return fileEntry{}, "", err
	}
	defer file.Close()
	h := sha256.New()
	size, err := io.Copy(h, file)
	if err != nil {
		return fileEntry{}, "", err
	}
	f, err := openLog(file, size, reading{})
	if err != nil {
		return fileEntry{}, "", err
	}
	m := partName().FindStringSubmatch(rel)
	e := fileEntry{Path: rel, Study: m[1], Run: m[2], Bytes: size, SHA256: hex.EncodeToString(h.Sum(nil))}
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
