package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/gofrs/flock"
)

const (
	tempPrefix = ".tmp-"
	tempSuffix = ".inprogress"
	// probeBytes is what a disk has to take that is not full.
	probeBytes = 64 << 10
)

// folder is a directory of a file system. Generations are folders beside each
// other that share files by links, and current is a link to one of them.
type folder struct{ dir string }

var _ Storage = folder{}

// Files implements Storage.
func (f folder) Files() fs.FS { return os.DirFS(f.dir) }

// Path implements Storage.
func (f folder) Path(name string) string { return filepath.Join(f.dir, filepath.FromSlash(name)) }

// Shared implements Storage: the system holds the lock.
func (f folder) Shared() bool { return false }

// Lock implements Storage.
func (f folder) Lock() (func(), error) {
	if err := mkdirSync(f.Path(Root)); err != nil {
		return nil, err
	}
	lock := flock.New(f.Path(Root + "/.lock"))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock trial log: %w", err)
	}
	if !locked {
		return nil, fmt.Errorf("%w: %s", ErrLocked, f.dir)
	}
	return func() { _ = lock.Unlock() }, nil // the process gives it back at its end
}

// List implements Storage.
func (f folder) List(dir string, unreadable func(name string, err error) error, each func(name string, size int64) error) error {
	top := f.Path(dir)
	return filepath.WalkDir(top, func(at string, d fs.DirEntry, err error) error {
		name := dir
		if rel, rerr := filepath.Rel(top, at); rerr == nil {
			name = path.Join(dir, filepath.ToSlash(rel))
		}
		switch {
		case err != nil && at == top:
			return err
		case err != nil:
			return unreadable(name, err)
		case !d.Type().IsRegular():
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return unreadable(name, err)
		}
		return each(name, info.Size())
	})
}

// Put implements Storage: a temporary file beside the place, fsynced, renamed,
// and the folder fsynced.
func (f folder) Put(name string, content []byte) error {
	to := f.Path(name)
	dir := filepath.Dir(to)
	if err := mkdirSync(dir); err != nil {
		return err
	}
	if _, err := os.Lstat(to); err == nil {
		return pathError("create", to, fs.ErrExist)
	}
	temp, err := writeTemp(dir, content)
	if err != nil {
		return err
	}
	if err := os.Rename(temp, to); err != nil {
		_ = os.Remove(temp) // the next start removes it
		return err
	}
	return syncFolder(dir)
}

// writeTemp writes a temporary file, fsynced.
func writeTemp(dir string, content []byte) (string, error) {
	file, err := os.CreateTemp(dir, tempPrefix+"*"+tempSuffix)
	if err != nil {
		return "", err
	}
	_, err = file.Write(content)
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
	return file.Name(), nil
}

// SetAside implements Storage.
func (f folder) SetAside(name, rel string) (string, error) {
	if err := mkdirSync(f.Path(orphans)); err != nil {
		return "", err
	}
	to := freeOrphan(rel, func(to string) bool {
		_, err := os.Lstat(f.Path(to))
		return err == nil
	})
	if err := os.Rename(f.Path(name), f.Path(to)); err != nil {
		return "", err
	}
	return to, syncFolder(filepath.Dir(f.Path(name)))
}

// freeOrphan returns a name that no file set aside has.
func freeOrphan(rel string, taken func(name string) bool) string {
	base := orphans + "/" + strings.ReplaceAll(rel, "/", "__")
	name := base
	for i := 1; taken(name); i++ {
		name = fmt.Sprintf("%s.%d", base, i)
	}
	return name
}

// Remove implements Storage.
func (f folder) Remove(name string) error {
	if err := os.Remove(f.Path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Probe implements Storage.
func (f folder) Probe() error {
	temp, err := writeTemp(f.Path(Root), make([]byte, probeBytes))
	if err != nil {
		return err
	}
	return os.Remove(temp)
}

func generationOf(name string) (int, bool) {
	digits, ok := strings.CutPrefix(name, "gen-")
	n, err := strconv.Atoi(digits)
	return n, ok && err == nil && n > 0
}

func generationName(n int) string { return fmt.Sprintf("gen-%d", n) }

// Folder implements Generations.
func (f folder) Folder(generation int) string { return Root + "/" + generationName(generation) }

// Newest implements Generations: what current points to, or the highest one.
func (f folder) Newest() (int, bool) {
	newest := 1
	if target, err := os.Readlink(f.Path(Current)); err == nil {
		if n, ok := generationOf(target); ok {
			_, err := os.Lstat(f.Path(f.Folder(n)))
			return n, err == nil
		}
	}
	entries, err := os.ReadDir(f.Path(Root))
	if err != nil {
		return newest, false
	}
	found := false
	for _, e := range entries {
		if n, ok := generationOf(e.Name()); ok {
			newest, found = max(newest, n), true
		}
	}
	return newest, found
}

// Clean implements Generations.
func (f folder) Clean(generation int, unreadable func(name string, err error) error) (older []int, err error) {
	if err := mkdirSync(f.Path(f.Folder(generation))); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(f.Path(Root))
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		n, isGeneration := generationOf(e.Name())
		switch {
		case isTemp(e.Name()), isGeneration && n > generation:
			if err := os.RemoveAll(f.Path(Root + "/" + e.Name())); err != nil {
				return nil, err
			}
		case isGeneration && n < generation:
			older = append(older, n)
		}
	}
	err = f.List(f.Folder(generation), unreadable, func(name string, _ int64) error {
		if !isTemp(path.Base(name)) {
			return nil
		}
		if err := os.Remove(f.Path(name)); err != nil {
			return unreadable(name, err)
		}
		return nil
	})
	return older, err
}

// Stage implements Generations: the files are linked into a new folder.
func (f folder) Stage(generation int, without []string, name string, content []byte) (int, error) {
	next := generation + 1
	temp := f.Path(Root + "/" + tempPrefix + generationName(next) + tempSuffix)
	if err := os.RemoveAll(temp); err != nil {
		return 0, err
	}
	if err := linkGeneration(f.Path(f.Folder(generation)), temp, without); err != nil {
		return 0, err
	}
	if name != "" {
		if err := addStaged(filepath.Join(temp, filepath.FromSlash(name)), content); err != nil {
			return 0, err
		}
	}
	if err := os.Rename(temp, f.Path(f.Folder(next))); err != nil {
		return 0, err
	}
	return next, syncFolder(f.Path(Root))
}

// addStaged writes a file of a generation that nobody sees yet.
func addStaged(to string, content []byte) error {
	if _, err := os.Lstat(to); err == nil {
		return pathError("create", to, fs.ErrExist)
	}
	if err := mkdirSync(filepath.Dir(to)); err != nil {
		return err
	}
	written, err := writeTemp(filepath.Dir(to), content)
	if err != nil {
		return err
	}
	if err := os.Rename(written, to); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(to))
}

// linkGeneration shows the files of a generation, without some, in a new
// folder. Files of other people come along, folders without a file do not.
func linkGeneration(from, to string, without []string) error {
	if err := mkdirSync(to); err != nil {
		return err
	}
	folders := []string{to}
	err := filepath.WalkDir(from, func(at string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, at)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if !d.Type().IsRegular() || isTemp(d.Name()) || slices.Contains(without, filepath.ToSlash(rel)) {
			return nil
		}
		if dir := filepath.Dir(target); dir != folders[len(folders)-1] {
			folders = append(folders, dir)
			if err := mkdirSync(dir); err != nil {
				return err
			}
		}
		return linkOrCopy(at, target)
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

// Show implements Generations: the link is made anew, in one step.
func (f folder) Show(generation int) error {
	link, target := f.Path(Current), generationName(generation)
	if old, err := os.Readlink(link); err == nil && old == target {
		return nil
	}
	temp := f.Path(Root + "/" + tempPrefix + path.Base(Current) + tempSuffix)
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(target, temp); err != nil {
		return err
	}
	if err := os.Rename(temp, link); err != nil {
		return err
	}
	return syncFolder(f.Path(Root))
}

// Discard implements Generations.
func (f folder) Discard(generation, current int, _ []string, keep func(name, rel string) bool) error {
	old := f.Folder(generation)
	if _, err := os.Stat(f.Path(old)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	strict := func(_ string, err error) error { return err }
	err := f.List(old, strict, func(name string, _ int64) error {
		rel := strings.TrimPrefix(name, old+"/")
		if isTemp(path.Base(name)) || !keep(name, rel) {
			return nil
		}
		target := f.Path(f.Folder(current) + "/" + rel)
		if _, err := os.Lstat(target); err == nil {
			return nil
		}
		if err := mkdirSync(filepath.Dir(target)); err != nil {
			return err
		}
		return linkOrCopy(f.Path(name), target)
	})
	if err != nil {
		return err
	}
	return os.RemoveAll(f.Path(old))
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
