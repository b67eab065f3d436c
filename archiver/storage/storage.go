// Package storage is where the files of a trial log lie: a directory, or a
// bucket of an object store. Nothing else knows which.
//
// Names are relative to the data directory, with slashes.
// docs/decisions/0031 says how each kind gives the same guarantees.
package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"strings"
	"time"
)

// Names in every storage.
const (
	// Root is the folder of the log.
	Root = "trials"
	// Manifest is the journal of commits.
	Manifest = Root + "/manifest.log"
	// Current is where readers find the files.
	Current = Root + "/current"
	// orphans takes files out of the readers' sight.
	orphans = Root + "/.orphans"
)

var (
	// ErrLocked is returned by Lock when another process of this machine writes
	// to the directory.
	ErrLocked = errors.New("another archiver is writing to this data directory")
	// ErrHeld is returned by Lock when another archiver wrote to the bucket
	// within the last seconds. It may be gone: try again.
	ErrHeld = errors.New("another archiver is writing to this trial log")
	// ErrTaken is returned by a Journal when another archiver has taken over:
	// nothing of this one is stored any more.
	ErrTaken = errors.New("another archiver has taken this trial log over")
	// ErrUnavailable marks what may be mended by waiting: no network, a store
	// that is overloaded.
	ErrUnavailable = errors.New("the storage cannot be reached")
	// ErrDamaged is returned when a part of the journal is missing.
	ErrDamaged = errors.New("damaged manifest")
)

// Storage keeps the files of one log. One goroutine writes, after Lock; any
// number reads through Files. Errors of a file are *fs.PathError.
type Storage interface {
	// Files returns what readers see, as it is now. Take a new one for a new look.
	Files() fs.FS
	// Path is a name for people.
	Path(name string) string
	// Lock makes this process the one that writes. Errors: ErrLocked, ErrHeld.
	Lock() (release func(), err error)
	// Shared reports whether a writer can lose its lock without noticing: its
	// journal has to say first that it is the one.
	Shared() bool

	// List calls f for every regular file below a folder, and unreadable for
	// what cannot be read there; a folder that is not there is fs.ErrNotExist or
	// empty.
	List(folder string, unreadable func(name string, err error) error, f func(name string, size int64) error) error
	// Put makes a file: whole or not at all, and durable when it returns.
	// fs.ErrExist when there is one of that name. After another error the file
	// may be there.
	Put(name string, content []byte) error
	// SetAside moves a file, whose name below its generation is rel, out of the
	// readers' sight and says where to.
	SetAside(name, rel string) (to string, err error)
	// Remove removes a file; one that is not there is no error.
	Remove(name string) error
	// Probe writes what fails when nothing can be written.
	Probe() error

	// Journal opens the manifest, fs.ErrNotExist when there is none.
	Journal() (Journal, error)
	// NewJournal makes the manifest with its first line, whole or not at all.
	// One that is there is kept beside.
	NewJournal(first []byte) (Journal, error)

	Generations
}

// Generations replace files: readers of the current one see the old or the new
// ones, where the storage can turn a name in one step.
type Generations interface {
	// Folder is the folder of a generation.
	Folder(generation int) string
	// Newest is the generation that readers see; false when there is none.
	Newest() (generation int, exists bool)
	// Clean removes what no journal speaks of: unfinished files and generations
	// after this one. It makes the generation's folder and returns the older ones.
	Clean(generation int, unreadable func(name string, err error) error) (older []int, err error)
	// Stage prepares a generation after this one, without some files and with a
	// new one, with none where its name is "". It returns its number: the same where files are replaced one by one.
	// fs.ErrExist when there is a file of the new one's name.
	Stage(generation int, without []string, name string, content []byte) (next int, err error)
	// Show lets readers see a generation.
	Show(generation int) error
	// Discard removes a replaced generation, or the replaced files of this one.
	// Files for which keep is true go over into the current generation.
	Discard(generation, current int, files []string, keep func(name, rel string) bool) error
}

// Journal is an append-only file of lines.
type Journal interface {
	// Content is all that the journal holds.
	Content() []byte
	// Cut drops what is after size: a line that a crash tore.
	Cut(size int64) error
	// Append adds a line and waits until it is durable. After an error the line
	// may be there until the next Append, which replaces it. In a shared storage
	// the Journal of the writer before fails after two of them. Errors: ErrTaken.
	Append(line []byte) error
	// CanRestart reports whether Restart is possible now: of a journal that grows it is
	// again and again.
	CanRestart() bool
	// Restart is Append of a line that says all that those before it say: readers see these
	// or that one, never a part. Whether the lines before it are still in Content after it
	// was stored is open until Forget, which removes them.
	Restart(line []byte) error
	Forget() error
	// Close gives the journal back.
	Close() error
}

// Open returns the storage of a place: a directory, file:///directory or
// s3://bucket/prefix. It does not look whether anything is there. Credentials
// and address of an object store come from the environment (docs/operate.md).
func Open(place string) (Storage, error) {
	scheme, _, isURL := strings.Cut(place, "://")
	switch {
	case !isURL:
		return folder{place}, nil
	case scheme == "s3":
		return openBucket(place)
	case scheme == "file":
		u, err := url.Parse(place)
		if err != nil || u.Host != "" && u.Host != "localhost" || u.Path == "" || u.RawQuery != "" || u.Fragment != "" {
			return nil, fmt.Errorf("place %q: want file:///directory", place)
		}
		return folder{filepath.FromSlash(u.Path)}, nil
	}
	return nil, fmt.Errorf("place %q: want a directory, file:///directory or s3://bucket/prefix", place)
}

// Remote reports whether a place is on an object store.
func Remote(place string) bool { return strings.HasPrefix(place, "s3://") }

// KeepReplaced is how long readers can go on with replaced files.
const KeepReplaced = 10 * time.Minute

func pathError(op, path string, err error) error {
	return &fs.PathError{Op: op, Path: path, Err: err}
}
