//go:build unix

package chaos

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"apollo/archiver"
	"apollo/events"
)

const (
	studyPath = "testdata/study.yaml"
	study     = "chaos"
	batch     = 64
	// quick is long enough to be killed in the middle.
	quick = 1500
	// long is long enough to be written in the middle: archiver.FlushRows.
	long = 12_000
	// gusty is long enough to be frozen several times: an undisturbed run over
	// three servers takes some seconds.
	gusty = 24_000
)

// outcome is what may not differ between two runs of the study.
type outcome struct {
	hash string
	rows []archiver.Row
}

// shown is a part of what `apollo study show -o json` prints.
type shown struct {
	State  string
	Reason string
	Hash   string
	Trials int
	Run    string
}

// read returns the outcome of an ended run whose files are complete, and
// checks it by itself: every trial is there once, and log and answer agree.
func read(t *testing.T, dir string, trials int, s shown) outcome {
	t.Helper()
	if s.State != "completed" || s.Trials != trials || s.Hash == "" {
		t.Fatalf("run %s is %s with %d trials and hash %q, want completed with %d", s.Run, s.State, s.Trials, s.Hash, trials)
	}
	rows := slices.SortedFunc(slices.Values(fileRows(t, dir, s.Run)), func(a, b archiver.Row) int { return cmp.Compare(a.Trial, b.Trial) })
	if len(rows) != trials {
		t.Errorf("the files of run %s hold %d rows, want %d", s.Run, len(rows), trials)
	}
	for i, r := range rows {
		if r.Trial != int64(i) {
			t.Fatalf("run %s: row %d is trial %d: one is lost or doubled", s.Run, i, r.Trial)
		}
	}
	source, err := archiver.LoadSource(os.DirFS(dir), events.Source{Study: study, Run: s.Run})
	if err != nil {
		t.Fatal(err)
	}
	if source.SHA256 != s.Hash {
		t.Errorf("the files of run %s have hash %.12s, the study %.12s", s.Run, source.SHA256, s.Hash)
	}
	return outcome{s.Hash, rows}
}

// fileRows reads the files of a run one by one: a scan of all would hide a
// doubled trial. Times, the run's name and the order in which results came are
// left out.
func fileRows(t *testing.T, dir, run string) []archiver.Row {
	t.Helper()
	var rows []archiver.Row
	for _, file := range files(t, dir, run) {
		for r, err := range archiver.Scan(os.DirFS(dir), archiver.Query{AllRuns: true, Globs: []string{file}}) {
			if err != nil {
				t.Fatal(err)
			}
			r.Columns, r.Run, r.Start, r.End, r.Seconds, r.StreamSeq, r.TraceID, r.Worker = nil, "", time.Time{}, time.Time{}, 0, 0, "", ""
			rows = append(rows, r)
		}
	}
	return rows
}

// files returns the paths of a run's files.
func files(t *testing.T, dir, run string) []string {
	t.Helper()
	// The link is followed once: a compaction may move it, and leaves what it
	// pointed to for a while.
	generation, err := os.Readlink(filepath.Join(dir, "trials", "current"))
	if err != nil {
		t.Fatal(err)
	}
	found, err := fs.Glob(os.DirFS(dir), path.Join("trials", generation, "study="+study, "run="+run, "*.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// compare checks a run against the undisturbed one.
func compare(t *testing.T, what string, want, got outcome) {
	t.Helper()
	if got.hash != want.hash {
		t.Errorf("%s: hash %.12s, want %.12s", what, got.hash, want.hash)
	}
	if d := gocmp.Diff(want.rows, got.rows, cmpopts.EquateNaNs()); d != "" {
		t.Errorf("%s: rows differ (-want +got):\n%s", what, d[:min(len(d), 4000)])
	}
}

// watch follows a run from outside.
type watch struct {
	// changed gets a token whenever something below has changed.
	changed chan struct{}
	stop    context.CancelFunc
	wg      sync.WaitGroup

	mu       sync.Mutex // guards what follows
	answered int        // batches
	ended    bool       // the study has ended
	paused   bool       // it waits for an operator, because a stream was full
	archived bool       // and all its trials are on disk
}

func (c *cluster) watch(run string) *watch {
	w := &watch{changed: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(c.t.Context())
	w.stop = cancel
	w.wg.Go(func() {
		for m, err := range c.bus.Log().Follow(ctx, 0, events.RunFilter(study, run)) {
			if err != nil {
				continue
			}
			switch _, _, kind, _ := events.ParseStudySubject(m.Subject); {
			case kind == "resumed":
				w.note(func() { w.paused = false })
			case kind == "paused" && isFull(m.Data):
				w.note(func() { w.paused = true })
			case isEnd(kind):
				w.note(func() { w.ended = true })
			}
		}
	})
	w.wg.Go(func() {
		for _, err := range c.bus.Facts().Follow(ctx, 0, resultFilter(run)) {
			if err == nil {
				w.note(func() { w.answered++ })
			}
		}
	})
	w.wg.Go(func() {
		for _, err := range c.bus.Log().Follow(ctx, 0, events.ArchiveSubject(study, run, "final")) {
			if err == nil {
				w.note(func() { w.archived = true })
			}
		}
	})
	return w
}

func isEnd(kind string) bool {
	return slices.Contains([]string{"completed", "stopped", "cancelled", "failed", "paused"}, kind)
}

// isFull reports whether a run was paused because a stream is full: it goes on when an
// operator has made room.
func isFull(data []byte) bool {
	_, e, err := events.Decode(data)
	paused, ok := e.(events.StudyPaused)
	return err == nil && ok && strings.Contains(paused.Reason, "is full")
}

func (w *watch) isPaused() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.paused
}

func (w *watch) note(change func()) {
	w.mu.Lock()
	change()
	w.mu.Unlock()
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

func (w *watch) state() (answered int, ended, archived bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.answered, w.ended, w.archived
}

func (w *watch) close() {
	w.stop()
	w.wg.Wait()
}

// moment is a run as its streams and files have it now.
type moment struct {
	proposed, answered int // batches
	ended              bool
}

// observe reads where a run stands. It fails while the server is away.
func (c *cluster) observe(run string) (moment, error) {
	var m moment
	ctx, cancel := context.WithTimeout(c.t.Context(), startPatience)
	defer cancel()
	for e, err := range c.bus.Log().Read(ctx, 0, events.RunFilter(study, run)) {
		if err != nil {
			return m, fmt.Errorf("read the log: %w", err)
		}
		switch _, _, kind, _ := events.ParseStudySubject(e.Subject); {
		case kind == "proposed":
			m.proposed++
		case kind == "resumed":
			m.ended = false
		case isEnd(kind):
			m.ended = true
		}
	}
	for _, err := range c.bus.Facts().Read(ctx, 0, resultFilter(run)) {
		if err != nil {
			return m, fmt.Errorf("read the results: %w", err)
		}
		m.answered++
	}
	return m, nil
}

func resultFilter(run string) string { return fmt.Sprintf("result.edge.%s.%s.*", study, run) }
