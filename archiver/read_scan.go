package archiver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"strings"
	"time"

	"apollo/archiver/parquetcheck"
	"apollo/archiver/storage"
)

// Query says which trials to read.
type Query struct {
	// Study restricts to one study; "" means all.
	Study string
	// Run restricts to one run; "" means the latest run of each study: the one
	// that was accepted last.
	Run string
	// AllRuns reads every run; Run must be "" then.
	AllRuns bool
	// Globs are the patterns of the files, with **, relative to the file
	// system's root. None means the log of a data directory.
	Globs []string
	// sourceRows bounds the rows of all files together; 0 means no bound.
	sourceRows int64
}

// FileError reports a file that could not be read and was set aside.
type FileError struct {
	// Path is relative to the file system's root.
	Path string
	Err  error
}

// Error says which file it is and why.
func (e *FileError) Error() string { return fmt.Sprintf("%s: %v", e.Path, e.Err) }

// Unwrap returns the cause: ErrCorrupt, ErrUnfit, ErrNewer or an error of the
// file system.
func (e *FileError) Unwrap() error { return e.Err }

// Files returns the trial log of a place for Scan and its like: a directory or a
// URL as storage.Open takes it.
func Files(place string) (fs.FS, error) {
	s, err := storage.Open(place)
	if err != nil {
		return nil, err
	}
	return s.Files(), nil
}

// Scan yields the trials that match, each (study, run, trial) once, ordered by
// that key. fsys is a data directory, or with Globs any folder.
//
// Files may be damaged or hostile. One that cannot be read, or that is not what
// the manifest says, is yielded as a *FileError with a zero Row and left out
// as a whole; the scan goes on. Any other error is about the query or the
// folder and ends it.
func Scan(fsys fs.FS, q Query) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		c, err := survey(fsys, q, false)
		if err != nil {
			yield(Row{}, fmt.Errorf("scan trial log: %w", err))
			return
		}
		for _, bad := range c.bad {
			if !yield(Row{}, bad) {
				return
			}
		}
		c.merge(yield)
	}
}

// catalogue is what a scan knows of the files before it reads rows.
type catalogue struct {
	fsys  fs.FS
	files []*scanFile
	bad   []*FileError
	// wanted are the runs to read.
	wanted map[runKey]bool
	// raw gives rows as they are, also repeated ones and such with words that
	// the format does not know: who reads a source counts them.
	raw bool
	// cols are the columns of all files of a source; nil where every file has
	// its own.
	cols *Columns
	// empty counts the files of a source without rows, unkeyed its rows without
	// a study or a run.
	empty, unkeyed int
}

// scanFile is a readable file of the log.
type scanFile struct {
	path     string
	min      Key
	sorted   bool
	accepted map[runKey]time.Time
	cols     *Columns
	rows     int
	unkeyed  int
	// valued are the parameters and metrics that have a value in some row.
	valued []bool
}

// survey lists the files, checks each one, and chooses the runs.
func survey(fsys fs.FS, q Query, raw bool) (*catalogue, error) {
	if q.AllRuns && q.Run != "" {
		return nil, errors.New("the query asks for one run and for all runs")
	}
	c := &catalogue{fsys: fsys, wanted: map[runKey]bool{}, raw: raw}
	paths, err := listFiles(fsys, q)
	if err != nil {
		return nil, err
	}
	vouchers, err := readVouchers(fsys)
	if err != nil {
		c.bad = append(c.bad, &FileError{Path: ManifestName, Err: err})
	}
	rows := int64(0)
	for _, path := range paths {
		f, err := surveyFile(fsys, path, vouchers, raw, func(n int64) error {
			if rows += n; q.sourceRows > 0 && rows > q.sourceRows {
				return errSourceRows
			}
			return nil
		})
		if errors.Is(err, errSourceRows) {
			return nil, parquetcheck.Unfit("with %s there are %d rows, more than the limit source_rows of %d: name fewer files, or keep a part of the rows", path, rows, q.sourceRows)
		}
		if err != nil {
			c.bad = append(c.bad, &FileError{Path: path, Err: err})
			continue
		}
		c.files = append(c.files, f)
	}
	c.choose(q)
	return c, nil
}

// errSourceRows ends a survey.
var errSourceRows = errors.New("too many rows")

func listFiles(fsys fs.FS, q Query) ([]string, error) {
	globs := q.Globs
	if len(globs) == 0 {
		// The link is followed once, so that a compaction in between cannot
		// mix two generations.
		base := storage.Current
		if target, err := fs.ReadLink(fsys, base); err == nil && !strings.Contains(target, "/") {
			base = storage.Root + "/" + target
		}
		study, run := "*", "*"
		if q.Study != "" {
			study = q.Study
		}
		if q.Run != "" {
			run = q.Run
		}
		globs = []string{base + "/study=" + study + "/run=" + run + "/*.parquet"}
	}
	var paths []string
	seen := map[string]bool{}
	for _, g := range globs {
		found, err := expand(fsys, g)
		if err != nil {
			return nil, err
		}
		for _, p := range found {
			if !seen[p] {
				seen[p] = true
				paths = append(paths, p)
			}
		}
	}
	return paths, nil
}

// readVouchers returns the manifest's entries by path, none when there is no
// manifest.
func readVouchers(fsys fs.FS) (map[string]fileEntry, error) {
	x, err := readIndex(fsys)
	if err != nil {
		return nil, err
	}
	return x.files, nil
}

// voucher returns what the manifest says about a file of a generation.
func voucher(vouchers map[string]fileEntry, path string) (fileEntry, bool) {
	rest, ok := strings.CutPrefix(path, "trials/")
	if !ok {
		return fileEntry{}, false
	}
	_, rel, _ := strings.Cut(rest, "/")
	e, ok := vouchers[rel]
	return e, ok
}

func surveyFile(fsys fs.FS, path string, vouchers map[string]fileEntry, raw bool, rows func(n int64) error) (*scanFile, error) {
	r, size, closeFile, err := openAt(fsys, path)
	if err != nil {
		return nil, err
	}
	defer closeFile()
	e, vouched := voucher(vouchers, path)
	if vouched {
		if size != e.Bytes {
			return nil, parquetcheck.Corrupt("it has %d bytes, the manifest says %d", size, e.Bytes)
		}
		if err := checkSum(r, e.SHA256); err != nil {
			return nil, err
		}
	}
	log, err := openLog(r, size, reading{vouched: vouched, source: raw, path: path})
	if err != nil {
		return nil, err
	}
	if err := rows(log.pf.NumRows()); err != nil {
		return nil, err
	}
	f := &scanFile{path: path, accepted: map[runKey]time.Time{}, cols: log.cols}
	if vouched && len(e.Trials) > 0 {
		k := runKey{e.Study, e.Run}
		f.min, f.sorted = Key{e.Study, e.Run, e.Trials[0].First}, true
		f.accepted[k], f.rows = log.cols.Accepted, int(e.Rows)
		return f, nil
	}
	return f, f.read(log)
}

// read decodes the whole file once: a file that breaks in its middle must not
// have given rows before.
func (f *scanFile) read(log *logFile) error {
	rows := log.rows(false)
	defer rows.close()
	row, last := Row{}, Key{}
	f.sorted = true
	for n := 0; ; n++ {
		err := rows.next(&row)
		if errors.Is(err, io.EOF) {
			rows.close()
			if rows.valued != nil {
				f.valued = rows.valued[len(fixedColumns()):]
			}
			return nil
		}
		if err != nil {
			return err
		}
		f.rows++
		k := row.Key()
		if log.how.source && (k.Study == "" || k.Run == "") {
			f.unkeyed++
		}
		if n == 0 || k.Compare(f.min) < 0 {
			f.min = k
		}
		if n > 0 && k.Compare(last) < 0 {
			f.sorted = false
		}
		if n == 0 || k.Study != last.Study || k.Run != last.Run {
			f.accepted[runKey{k.Study, k.Run}] = log.cols.Accepted
		}
		last = k
	}
}

// choose fills in the wanted runs and forgets files without any.
func (c *catalogue) choose(q Query) {
	latest := map[string]runKey{}
	accepted := map[runKey]time.Time{}
	for _, f := range c.files {
		for k, t := range f.accepted {
			if c.raw && (k.study == "" || k.run == "") {
				continue
			}
			if q.Study != "" && k.study != q.Study || q.Run != "" && k.run != q.Run {
				continue
			}
			if old, seen := accepted[k]; !seen || t.After(old) {
				accepted[k] = t
			}
		}
	}
	for k, t := range accepted {
		if q.AllRuns || q.Run != "" {
			c.wanted[k] = true
			continue
		}
		best, seen := latest[k.study]
		if !seen || t.After(accepted[best]) || t.Equal(accepted[best]) && k.run > best.run {
			latest[k.study] = k
		}
	}
	for _, k := range latest {
		c.wanted[k] = true
	}
	kept := c.files[:0]
	for _, f := range c.files {
		c.unkeyed += f.unkeyed
		if f.rows == 0 {
			c.empty++
		}
		for k := range f.accepted {
			if c.wanted[k] {
				kept = append(kept, f)
				break
			}
		}
	}
	c.files = kept
}

// openAt opens a file for random access; file systems that offer none are read
// into memory.
func openAt(fsys fs.FS, path string) (r io.ReaderAt, size int64, closeFile func(), err error) {
	file, err := fsys.Open(path)
	if err != nil {
		return nil, 0, nil, err
	}
	info, err := file.Stat()
	if err != nil {
		_ = file.Close()
		return nil, 0, nil, err
	}
	if at, ok := file.(io.ReaderAt); ok {
		return at, info.Size(), func() { _ = file.Close() }, nil
	}
	defer func() { _ = file.Close() }()
	if info.Size() > parquetcheck.MaxChunkBytes {
		return nil, 0, nil, parquetcheck.Corrupt("%d bytes are too many for a file system without random access", info.Size())
	}
	b, err := io.ReadAll(io.LimitReader(file, parquetcheck.MaxChunkBytes))
	return bytes.NewReader(b), int64(len(b)), func() {}, err
}
