package archiver

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

// Names below trials/.
const (
	currentLink  = "current"
	orphanFolder = ".orphans"
	tempPrefix   = ".tmp-"
	tempSuffix   = ".inprogress"
)

// partName matches the names of the archiver's own files.
func partName() *regexp.Regexp {
	return regexp.MustCompile(`^study=([a-z0-9-]+)/run=([a-z0-9-]+)/part-(\d{20})-(\d{20})(-\d+)?\.parquet$`)
}

func generationName(n int) string { return fmt.Sprintf("gen-%d", n) }

func runFolder(study, run string) string { return "study=" + study + "/run=" + run }

// currentPath is a file's path as readers see it, relative to the data
// directory.
func currentPath(path string) string { return "trials/" + currentLink + "/" + path }

func (s *Store) generation(n int) string { return filepath.Join(s.root, generationName(n)) }

// path returns where a file of the current generation lies.
func (s *Store) path(rel string) string {
	return filepath.Join(s.generation(s.idx.generation), filepath.FromSlash(rel))
}

// writePart writes the waiting rows of a run as a file under its final name.
// The entry's path is set as soon as the file may be visible.
func (s *Store) writePart(o *openRun) (fileEntry, error) {
	rows := o.rows
	byTrial := func(a, b *Row) int { return cmp.Compare(a.Trial, b.Trial) }
	if !slices.IsSortedFunc(rows, byTrial) {
		slices.SortFunc(rows, byTrial)
	}
	e := entryOf(o.run.Spec.Study, o.run.ID, rows)
	folder := s.path(runFolder(e.Study, e.Run))
	if err := mkdirSync(folder); err != nil {
		return fileEntry{}, err
	}
	path := freeName(folder, e)
	temp, err := s.writeTemp(folder, &e, o, rows)
	if err != nil {
		return fileEntry{}, err
	}
	if err := s.fail("rename.before"); err != nil {
		return fileEntry{}, err
	}
	if err := os.Rename(temp, filepath.Join(folder, path)); err != nil {
		_ = os.Remove(temp) // the next start removes it
		return fileEntry{}, err
	}
	e.Path = runFolder(e.Study, e.Run) + "/" + path
	if err := syncFolder(folder); err != nil {
		return e, err
	}
	return e, s.fail("rename.after")
}

func entryOf(study, run string, rows []*Row) fileEntry {
	e := fileEntry{Study: study, Run: run, Rows: int64(len(rows)), Trials: spansOf(rows)}
	e.FirstSeq = rows[0].StreamSeq
	for i := range rows {
		e.FirstSeq = min(e.FirstSeq, rows[i].StreamSeq)
		e.LastSeq = max(e.LastSeq, rows[i].StreamSeq)
	}
	return e
}

// freeName returns a name for the entry that no file in the folder has: a
// stream that was made anew counts from 1 again.
func freeName(folder string, e fileEntry) string {
	base := fmt.Sprintf("part-%020d-%020d", e.FirstSeq, e.LastSeq)
	name := base + ".parquet"
	for i := 1; ; i++ {
		if _, err := os.Lstat(filepath.Join(folder, name)); errors.Is(err, os.ErrNotExist) {
			return name
		}
		name = fmt.Sprintf("%s-%d.parquet", base, i)
	}
}

// writeTemp writes the rows to a temporary file beside their place, fsynced.
// It fills in the entry's size and checksum.
func (s *Store) writeTemp(folder string, e *fileEntry, o *openRun, rows []*Row) (string, error) {
	file, err := os.CreateTemp(folder, tempPrefix+"*"+tempSuffix)
	if err != nil {
		return "", err
	}
	w := &hashWriter{w: file, h: sha256.New()}
	buf := bufio.NewWriterSize(w, 1<<16)
	err = writeFile(buf, o.cols, o.meta, s.codec, rows)
	if err == nil {
		err = buf.Flush()
	}
	if err == nil {
		err = file.Chmod(0o644)
	}
	if err == nil {
		err = file.Sync()
	}
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		_ = os.Remove(file.Name()) // the next start removes it
		return "", err
	}
	e.Bytes, e.SHA256 = w.n, hex.EncodeToString(w.h.Sum(nil))
	return file.Name(), nil
}

// hashWriter counts and hashes what it writes.
type hashWriter struct {
	w io.Writer
	h hash.Hash
	n int64
}

func (h *hashWriter) Write(b []byte) (int, error) {
	n, err := h.w.Write(b)
	h.h.Write(b[:n])
	h.n += int64(n)
	return n, err
}

// syncFolder makes the names in a folder durable.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	// Some file systems cannot sync a folder and say EINVAL; they have nothing
	// to make durable by it.
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}

// mkdirSync makes a folder with its parents, durably.
func mkdirSync(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := mkdirSync(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return syncFolder(parent)
}

func isTemp(name string) bool {
	return strings.HasPrefix(name, tempPrefix) && strings.HasSuffix(name, tempSuffix)
}
