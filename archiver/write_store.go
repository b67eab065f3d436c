package archiver

import (
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"

	"apollo/archiver/storage"
	"apollo/events"
)

// What Open returns when another archiver writes to the log: ErrLocked to a
// directory, ErrHeld to a bucket, where it may be gone.
var (
	ErrLocked = storage.ErrLocked
	ErrHeld   = storage.ErrHeld
)

// ErrTaken is returned by Commit and others when another archiver has taken the
// log over: this store writes nothing any more.
var ErrTaken = storage.ErrTaken

// ErrUnavailable marks errors of an object store that waiting may mend.
var ErrUnavailable = storage.ErrUnavailable

// Flush limits: docs/trial-log.md, Writing.
const (
	FlushRows  = 10_000
	flushBytes = 8 << 20
	flushAge   = 5 * time.Second
)

// Options configure a Store.
type Options struct {
	// Failpoint is called at "rename.before", "rename.after",
	// "manifest.before", "manifest.after", "compact.before", "compact.after",
	// "snapshot.before" and "snapshot.after"; an error there stops the store dead, as a crash would.
	// Nil means that nothing fails.
	Failpoint func(point string) error
	// Plain writes without compression. The decoders of the Parquet library are
	// shared by all of a process and hold channels: a test in a bubble of fake
	// time in which files are read again needs it.
	Plain bool
	// Now is the clock that old generations age by; nil means time.Now.
	Now func() time.Time
	// SnapshotBytes is how long a manifest may become before it is shortened; 0 means 4 MiB.
	SnapshotBytes int
	// Logger takes what recovery did; nil means slog.Default.
	Logger *slog.Logger
}

// Store writes the trial log of one place. It keeps rows in memory until
// Commit. It is not safe for concurrent use.
type Store struct {
	files   storage.Storage
	opts    Options
	unlock  func()
	man     *manifest
	idx     *index
	open    map[runKey]*openRun
	pending pendingRows
	retired []retired
	codec   compress.Codec
	// leftover are visible files of commits that failed. They go before another
	// one of their run becomes visible: their rows are written again.
	leftover map[runKey][]string
	// doubtful: no record was stored since the last of them was left. Another
	// archiver of a shared storage may have taken over, and may have read a record
	// that speaks of it.
	doubtful bool
	// names is the number that names of files begin with, 0 for none.
	names uint64
	// behind are the runs that have results up to the position which are not on
	// disk, and passed is how far results were read again for those that are
	// not stuck.
	behind map[runKey]behind
	passed uint64
	// snapshotAt is the length of the manifest that it is shortened at, and forget says that
	// records before a snapshot may still be there.
	snapshotAt int
	forget     bool
	// dead is set by a failpoint, and by ErrTaken: nothing is written any more.
	dead error
}

// openRun is a run that rows can be appended to.
type openRun struct {
	run  Run
	cols *Columns
	meta map[string]string
	rows []*Row
	// seen are the trials on disk and in rows.
	seen spans
	// marks are their fingerprints; nil until a trial comes a second time.
	marks marks
}

// pendingRows counts what a commit would write.
type pendingRows struct {
	rows, bytes int
	since       time.Time
}

// Open takes the trial log of a place for writing, a directory or a URL as
// storage.Open takes it, makes it when there is none, and repairs what a crash
// left: a torn last line of the manifest is cut, files that it does not list
// move to trials/.orphans, temporary files go, a lost manifest is rebuilt from
// the files. Errors: ErrLocked, ErrHeld, ErrTaken, ErrUnavailable, ErrNewer.
func Open(place string, o Options) (*Store, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.SnapshotBytes <= 0 {
		o.SnapshotBytes = 4 << 20 // chosen: read in a tenth of a second, and half a day of a study that is measured without a pause
	}
	files, err := storage.Open(place)
	if err != nil {
		return nil, fmt.Errorf("open trial log: %w", err)
	}
	s := &Store{
		files: files, opts: o, open: map[runKey]*openRun{}, codec: newCodec(),
		leftover: map[runKey][]string{}, behind: map[runKey]behind{},
	}
	if files.Shared() {
		s.names = newNames()
	}
	if o.Plain {
		s.codec = &parquet.Uncompressed
	}
	if s.unlock, err = files.Lock(); err != nil {
		return nil, fmt.Errorf("open trial log: %w", err)
	}
	if err := s.recover(); err != nil {
		s.release()
		return nil, fmt.Errorf("open trial log %s: %w", place, err)
	}
	for _, r := range s.idx.behind {
		s.behind[runKey{r.Study, r.Run}] = behind{from: r.From}
	}
	return s, nil
}

func (s *Store) release() {
	if s.man != nil {
		_ = s.man.close() // every record was fsynced
	}
	s.unlock()
}

// Close gives the directory back. Rows that were not committed are dropped:
// the results they came from are read again.
func (s *Store) Close() error {
	var err error
	if s.dead == nil && s.idx.persisted < s.idx.announced {
		err = s.record(&record{Announced: s.idx.announced})
	}
	s.release()
	return err
}

// Position returns the place in the stream of results that is committed, but
// for runs that are behind.
func (s *Store) Position() Position { return s.idx.read }

// Begin makes a run ready for Append. Doing it again does nothing. The error
// names what in the specification cannot be a column.
func (s *Store) Begin(r Run) error {
	k := runKey{r.Spec.Study, r.ID}
	if s.open[k] != nil {
		return nil
	}
	if !events.IsName(k.study) || !events.IsName(k.run) {
		return fmt.Errorf("study %q run %q: the names must be DNS labels", k.study, k.run)
	}
	cols, err := newColumns(r.Spec)
	if err != nil {
		return fmt.Errorf("study %q: %w", k.study, err)
	}
	cols.Accepted = r.Accepted
	meta, err := cols.metadata(r)
	if err != nil {
		return fmt.Errorf("study %q: %w", k.study, err)
	}
	meta[metaLog] = s.idx.log
	o := &openRun{run: r, cols: cols, meta: meta}
	o.seen.merge(s.idx.run(k).trials)
	s.open[k] = o
	return nil
}

// End drops what Begin keeps in memory for a run without uncommitted rows.
func (s *Store) End(study, run string) {
	k := runKey{study, run}
	if o := s.open[k]; o != nil && len(o.rows) == 0 {
		delete(s.open, k)
	}
}

// Has reports whether the log has the trial, on disk or waiting for Commit.
func (s *Store) Has(study, run string, trial int64) bool {
	k := runKey{study, run}
	if o := s.open[k]; o != nil {
		return o.seen.has(trial)
	}
	if r := s.idx.runs[k]; r != nil {
		return r.trials.has(trial)
	}
	return false
}

// Committed returns how many trials of a run are on disk.
func (s *Store) Committed(study, run string) int64 {
	if r := s.idx.runs[runKey{study, run}]; r != nil {
		return r.trials.count()
	}
	return 0
}

// Append takes rows for the next commit. A trial that the log has already is
// dropped where it says the same; otherwise the error is a *DifferError. It
// returns how many rows were new. All rows must belong to runs that were begun,
// and have their columns; a row that does not fit is an error and nothing of
// the call is kept. The rows belong to the store until they are committed.
func (s *Store) Append(rows ...Row) (int, error) {
	if s.dead != nil {
		return 0, s.dead
	}
	for i := range rows {
		if err := s.fits(&rows[i]); err != nil {
			return 0, err
		}
	}
	for i := range rows {
		if o := s.open[runKey{rows[i].Study, rows[i].Run}]; o.seen.has(rows[i].Trial) {
			if err := s.again(o, &rows[i]); err != nil {
				return 0, err
			}
		}
	}
	added := 0
	for i := range rows {
		o := s.open[runKey{rows[i].Study, rows[i].Run}]
		if !o.seen.insert(rows[i].Trial) {
			continue
		}
		if o.marks != nil {
			o.marks.set(rows[i].Trial, o.mark(&rows[i]))
		}
		if s.pending.rows == 0 {
			s.pending.since = s.opts.Now()
		}
		rows[i].Columns = o.cols
		o.rows = append(o.rows, &rows[i])
		s.pending.rows++
		s.pending.bytes += rows[i].size()
		added++
	}
	return added, nil
}

func (s *Store) fits(r *Row) error {
	o := s.open[runKey{r.Study, r.Run}]
	if o == nil {
		return fmt.Errorf("study %q run %q was not begun", r.Study, r.Run)
	}
	if r.Trial < 0 {
		return fmt.Errorf("study %q: trial %d", r.Study, r.Trial)
	}
	if err := o.cols.check(r); err != nil {
		return fmt.Errorf("study %q trial %d: %w", r.Study, r.Trial, err)
	}
	return nil
}

// Due reports whether what waits should be committed by its size or its age.
func (s *Store) Due() bool {
	p := s.pending
	return p.rows >= FlushRows || p.bytes >= flushBytes ||
		p.rows > 0 && s.opts.Now().Sub(p.since) >= flushAge
}

// Waiting returns how many rows wait for Commit, without those of stuck runs.
func (s *Store) Waiting() int { return s.pending.rows }

// WaitingOf returns how many rows of a run wait for Commit.
func (s *Store) WaitingOf(study, run string) int {
	if o := s.open[runKey{study, run}]; o != nil {
		return len(o.rows)
	}
	return 0
}

// Files returns what readers see of the log now.
func (s *Store) Files() fs.FS { return s.files.Files() }

// Place returns where the log lies, for people.
func (s *Store) Place() string { return s.files.Path(storage.Root) }

// Commit writes what waits and moves the cursor to p: after it returns without
// an error, everything up to p is on disk and a crash cannot undo it. After an
// error the rows still wait, and Commit can be tried again; after ErrBehind only
// those of the StuckRuns, and Retry tries those.
func (s *Store) Commit(p Position) error {
	if s.dead != nil {
		return s.dead
	}
	read := s.idx.read
	if s.pending.rows == 0 && p.Sequence == read.Sequence && p.Created.Equal(read.Created) && len(s.nextBehind(p, nil)) == len(s.behind) {
		return nil
	}
	files, failed, err := s.writeParts()
	if err == nil {
		err = s.fail("manifest.before")
	}
	next := s.nextBehind(p, failed)
	if err == nil {
		err = s.record(placed(record{Files: files}, p, next))
	}
	if err != nil {
		return fmt.Errorf("commit trial log: %w", errors.Join(err, s.undo(files)))
	}
	if err := s.fail("manifest.after"); err != nil {
		return fmt.Errorf("commit trial log: %w", err)
	}
	s.behind, s.pending = next, pendingRows{}
	for k, o := range s.open {
		if next[k].err == nil {
			o.written()
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("commit trial log: %w: %w", ErrBehind, s.whyBehind())
	}
	return nil
}

func (s *Store) runsWithRows() []runKey {
	var keys []runKey
	for k, o := range s.open {
		if len(o.rows) > 0 {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b runKey) int {
		return cmp.Or(cmp.Compare(a.study, b.study), cmp.Compare(a.run, b.run))
	})
	return keys
}

// record appends to the manifest and folds it.
func (s *Store) record(r *record) error {
	if r.Generation == 0 {
		r.Generation = s.idx.generation
	}
	r.Announced = max(r.Announced, s.idx.announced)
	if err := s.man.append(r); err != nil {
		if errors.Is(err, ErrTaken) {
			s.dead = err
		}
		return err
	}
	s.doubtful = false
	return s.idx.apply(r)
}

func (s *Store) fail(point string) error {
	if s.opts.Failpoint == nil {
		return nil
	}
	if err := s.opts.Failpoint(point); err != nil {
		s.dead = fmt.Errorf("%w at %s: %w", errStopped, point, err)
		return s.dead
	}
	return nil
}

// CloseRun records that a run has ended in the given state (completed, stopped,
// cancelled or failed) with all its trials in the log. Call it after Commit.
func (s *Store) CloseRun(study, run, state string) error {
	if s.dead != nil {
		return s.dead
	}
	c := closure{Study: study, Run: run, State: state, Trials: s.Committed(study, run)}
	if old := s.idx.run(runKey{study, run}).closed; old != nil && old.State == c.State && old.Trials == c.Trials {
		return nil
	}
	c.At = s.opts.Now().UTC()
	if err := s.record(&record{Closed: &c}); err != nil {
		return fmt.Errorf("close run %s/%s in the trial log: %w", study, run, err)
	}
	return nil
}

// Closed returns the state in which a run ended and its number of trials, or
// "" while it is open.
func (s *Store) Closed(study, run string) (state string, trials int64) {
	if r := s.idx.runs[runKey{study, run}]; r != nil && r.closed != nil {
		return r.closed.State, r.closed.Trials
	}
	return "", 0
}

// errStopped marks what a failpoint did.
var errStopped = errors.New("the store was stopped")

// IsStopped reports whether err means that a failpoint or another archiver has
// stopped the store: trying again is of no use.
func IsStopped(err error) bool { return errors.Is(err, errStopped) || errors.Is(err, ErrTaken) }

func newNames() uint64 {
	var b [4]byte
	rand.Read(b[:]) // never fails: crypto/rand
	return 1 + uint64(binary.BigEndian.Uint32(b[:]))
}

func newLogID() string {
	var b [8]byte
	rand.Read(b[:]) // never fails: crypto/rand
	return hex.EncodeToString(b[:])
}
