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
	file *os.File
	read []byte
	// size is the length of the good part; a failed append is cut off before
	// the next one.
	size int64
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
	return &fileJournal{file: file, read: b, size: int64(len(b))}, nil
}

// NewJournal implements Storage.
func (f folder) NewJournal(first []byte) (Journal, error) {
	at := f.Path(Manifest)
	if err := os.Rename(at, freeBackup(at)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	temp := f.Path(Root + "/" + tempPrefix + "manifest" + tempSuffix)
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	file, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	j := &fileJournal{file: file}
	err = j.Append(first)
	if err == nil {
		err = os.Rename(temp, at)
	}
	if err == nil {
		err = syncFolder(f.Path(Root))
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return j, nil
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

// Close implements Journal.
func (j *fileJournal) Close() error { return j.file.Close() }
