package external

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/gofrs/flock"

	"apollo/evaluator"
)

// Limits on what a trial leaves behind, chosen so that a study of a thousand
// trials that uses them all still fits on a disk.
const (
	// MaxArtifacts is how many files one trial may store, of MaxArtifactBytes each.
	MaxArtifacts     = 16
	MaxArtifactBytes = 16 << 20
	// maxKept is how many scratch folders of failed attempts are kept, and
	// maxKeptBytes how large one may be.
	maxKept      = 20
	maxKeptBytes = 64 << 20
	// maxSpoken is of how many answered trials the end of standard error is kept.
	maxSpoken = 200
	// scratchPrefix begins the names of the folders of workers below Options.Keep.
	scratchPrefix = ".scratch-"
)

// scratches makes the folders of questions.
type scratches struct {
	keep string // where files stay; "" keeps nothing

	mu           sync.Mutex // guards what follows
	root         string     // holds the folders of questions in progress; "" until the first
	lock         *flock.Flock
	last         int
	kept, spoken []string // folders of failed attempts, and files of what others wrote; the oldest first
}

// scratch is the folder of one question.
type scratch struct {
	from  *scratches
	dir   string
	home  string // where what stays of the trial goes; "" for nowhere
	files int
}

// StoreDir is where the files of a trial are below the folder of Options.Keep.
func StoreDir(study, run string, trial int) string {
	return filepath.Join(study, run, strconv.Itoa(trial))
}

// open makes the folder of a question.
func (s *scratches) open(r evaluator.Request) (*scratch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.root == "" {
		if err := s.begin(); err != nil {
			return nil, err
		}
	}
	s.last++
	c := &scratch{from: s, dir: filepath.Join(s.root, strconv.Itoa(s.last))}
	if s.keep != "" && r.Run != "" {
		c.home = filepath.Join(s.keep, StoreDir(r.Study, r.Run, r.Trial))
	}
	return c, os.Mkdir(c.dir, 0o700)
}

// begin makes the folder of this worker, after it removed those of workers that
// were killed. Where folders cannot be locked nothing is removed.
func (s *scratches) begin() error {
	if s.keep != "" {
		if err := os.MkdirAll(s.keep, 0o755); err != nil {
			return err
		}
		// Nobody takes a new folder for a dead one before its owner has locked it.
		guard := folderLock(s.keep)
		if guard.Lock() == nil {
			removeDead(s.keep)
		}
		defer func() { _ = guard.Unlock() }()
	}
	root, err := os.MkdirTemp(s.keep, scratchPrefix)
	if err == nil {
		root, err = filepath.Abs(root)
	}
	if err != nil {
		return err
	}
	s.root, s.lock = root, folderLock(root)
	_, _ = s.lock.TryLock()
	return nil
}

// removeDead removes the folders of workers that hold no lock on them any more.
func removeDead(keep string) {
	entries, _ := os.ReadDir(keep)
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), scratchPrefix) {
			continue
		}
		dir := filepath.Join(keep, e.Name())
		lock := folderLock(dir)
		if dead, _ := lock.TryLock(); dead {
			_ = os.RemoveAll(dir)
			_ = lock.Unlock()
		}
	}
}

// folderLock is a lock on a folder itself, which ends with the process.
func folderLock(dir string) *flock.Flock { return flock.New(dir, flock.SetFlag(os.O_RDONLY)) }

// close removes what is left.
func (s *scratches) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.root != "" {
		_ = os.RemoveAll(s.root)
		_ = s.lock.Unlock()
		s.root = ""
	}
}

// store copies a file of the scratch folder to where files of the trial stay.
// name is relative to the folder, or absolute inside of it; no link leads out.
func (c *scratch) store(name string) error {
	if c.home == "" {
		return nil
	}
	if filepath.IsAbs(name) {
		rel, err := filepath.Rel(c.dir, name)
		if err != nil {
			return fmt.Errorf("artifact %q: %w", name, err)
		}
		name = rel
	}
	if c.files >= MaxArtifacts {
		return fmt.Errorf("artifact %q is left out: a trial stores at most %d files", name, MaxArtifacts)
	}
	root, err := os.OpenRoot(c.dir)
	if err != nil {
		return fmt.Errorf("artifact %q: %w", name, err)
	}
	defer func() { _ = root.Close() }()
	from, info, err := openRegular(root, name)
	if err != nil {
		return err
	}
	defer from.Close()
	if info.Size() > MaxArtifactBytes {
		return fmt.Errorf("artifact %q is left out: it has %d bytes, at most %d are stored", name, info.Size(), MaxArtifactBytes)
	}
	c.files++
	return c.copy(filepath.Clean(name), from)
}

// openRegular opens a file below root. It never waits: a pipe is refused before it
// is opened, and one that takes the file's place in between does not block.
func openRegular(root *os.Root, name string) (*os.File, fs.FileInfo, error) {
	info, err := root.Stat(name)
	var f *os.File
	if err == nil && info.Mode().IsRegular() {
		if f, err = root.OpenFile(name, os.O_RDONLY|openNonblock, 0); err == nil {
			info, err = f.Stat()
		}
	}
	switch {
	case err != nil:
		err = fmt.Errorf("artifact %q is left out, want a file in the scratch folder: %w", name, err)
	case !info.Mode().IsRegular():
		err = fmt.Errorf("artifact %q is left out: it is no regular file", name)
	default:
		return f, info, nil
	}
	if f != nil {
		_ = f.Close()
	}
	return nil, nil, err
}

func (c *scratch) copy(name string, from io.Reader) error {
	if err := os.MkdirAll(c.home, 0o755); err != nil {
		return err
	}
	home, err := os.OpenRoot(c.home)
	if err != nil {
		return err
	}
	defer func() { _ = home.Close() }()
	if dir := filepath.Dir(name); dir != "." {
		if err := home.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	to, err := home.Create(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, io.LimitReader(from, MaxArtifactBytes))
	if closeErr := to.Close(); err == nil {
		err = closeErr
	}
	return err
}

// done removes the folder of a question that was answered.
func (c *scratch) done() { _ = os.RemoveAll(c.dir) }

// failed keeps the folder of an attempt that failed, with the question and what
// the program wrote to standard error. Too large a folder loses its files.
func (c *scratch) failed(attempt int, notes map[string]string) {
	if c.home == "" {
		c.done()
		return
	}
	if folderBytes(c.dir) > maxKeptBytes {
		c.done()
		if os.Mkdir(c.dir, 0o755) != nil {
			return
		}
		notes["left-out.txt"] = fmt.Sprintf("the scratch folder had more than %d bytes\n", maxKeptBytes)
	}
	c.write(notes)
	kept := filepath.Join(c.home, fmt.Sprintf("failed-%d", attempt))
	_ = os.MkdirAll(c.home, 0o755)
	_ = os.RemoveAll(kept) // of the same attempt, when the work item came again
	if os.Rename(c.dir, kept) != nil {
		c.done()
		return
	}
	c.from.remember(&c.from.kept, kept, maxKept)
}

// spoke keeps what the program wrote to standard error before a good answer, as
// stderr.txt of the trial, unless the program stored a file of this name.
func (c *scratch) spoke(text string) {
	if text == "" || c.home == "" || os.MkdirAll(c.home, 0o755) != nil {
		return
	}
	name := filepath.Join(c.home, "stderr.txt")
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return
	}
	_, _ = f.WriteString(text)
	_ = f.Close()
	c.from.remember(&c.from.spoken, name, maxSpoken)
}

// write puts notes in the folder, in place of what the program put there: a link
// of that name may lead anywhere.
func (c *scratch) write(notes map[string]string) {
	root, err := os.OpenRoot(c.dir)
	if err != nil {
		return
	}
	defer func() { _ = root.Close() }()
	for name, text := range notes {
		_ = root.RemoveAll(name)
		f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			continue
		}
		_, _ = f.WriteString(text)
		_ = f.Close()
	}
}

// remember notes what is kept, and removes the oldest when there is too much.
func (s *scratches) remember(all *[]string, kept string, most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*all = append(*all, kept)
	if len(*all) > most {
		_ = os.RemoveAll((*all)[0])
		_ = os.Remove(filepath.Dir((*all)[0])) // unless the trial has other files
		*all = (*all)[1:]
	}
}

func folderBytes(dir string) (n int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // what cannot be read is not counted
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			n += info.Size()
		}
		return nil
	})
	return n
}
