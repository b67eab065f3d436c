package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// fileJournal is a file that is fsynced line by line.
type fileJournal struct {
	in   folder
	file *os.File
	read []byte
	// size is the length of the good part; a failed append is cut off before
	// the next one.
	size int64
	// unsynced: the file has its name, and nobody knows whether that is durable.
	unsynced bool
}

// Journal implements Storage.
func (f folder) Journal() (Journal, error) {
	file, err := os.OpenFile(f.Path(Manifest), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(file)
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("read %s: %w", f.Path(Manifest), err)
	}
	return &fileJournal{in: f, file: file, read: b, size: int64(len(b))}, nil
}

// NewJournal implements Storage.
func (f folder) NewJournal(first []byte) (Journal, error) {
	at := f.Path(Manifest)
	if err := os.Rename(at, freeBackup(at)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	j, err := f.journalOf(first)
	if err == nil {
		err = j.named()
	}
	if err != nil {
		if j != nil {
			j.file.Close()
		}
		return nil, err
	}
	return j, nil
}

// journalOf makes a journal of one line, in the place of the one that is there.
func (f folder) journalOf(first []byte) (*fileJournal, error) {
	temp := f.Path(Root + "/" + tempPrefix + "manifest" + tempSuffix)
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	file, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	j := &fileJournal{in: f, file: file}
	if err = j.Append(first); err == nil {
		err = os.Rename(temp, f.Path(Manifest))
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	j.unsynced = true
	return j, nil
}

// named makes durable that the file has its name.
func (j *fileJournal) named() error {
	if !j.unsynced {
		return nil
	}
	err := syncFolder(j.in.Path(Root))
	j.unsynced = err != nil
	return err
}

func freeBackup(path string) string {
	for i := 1; ; i++ {
		name := fmt.Sprintf("%s.damaged-%d", path, i)
		if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			return name
		}
	}
}

// Content implements Journal. It gives the bytes once.
func (j *fileJournal) Content() []byte {
	b := j.read
	j.read = nil
	return b
}

// Cut implements Journal.
func (j *fileJournal) Cut(size int64) error {
	j.size = size
	if err := j.file.Truncate(size); err != nil {
		return err
	}
	return j.file.Sync()
}

// Append implements Journal.
func (j *fileJournal) Append(line []byte) error {
	if err := j.named(); err != nil {
		return err
	}
	// What an append that failed left behind would make this one unreadable.
	info, err := j.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() != j.size {
		if err := j.Cut(j.size); err != nil {
			return err
		}
	}
	if _, err := j.file.WriteAt(line, j.size); err != nil {
		return err
	}
	if err := j.file.Sync(); err != nil {
		return err
	}
	j.size += int64(len(line))
	return nil
}

// CanRestart implements Journal.
func (j *fileJournal) CanRestart() bool { return true }

// Restart implements Journal. Once the new file has the name nothing goes into the old one.
func (j *fileJournal) Restart(line []byte) error {
	next, err := j.in.journalOf(line)
	if err != nil {
		return err
	}
	old := j.file
	*j = *next
	return old.Close()
}

// Forget implements Journal: the lines before the last restart are in no file any more. It
// says whether that is durable.
func (j *fileJournal) Forget() error { return j.named() }

// Close implements Journal.
func (j *fileJournal) Close() error { return j.file.Close() }
