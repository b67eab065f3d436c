package services_test

import (
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"apollo/archiver"
	"apollo/events"
	"apollo/services/client"
	"apollo/services/study"
)

// ending is how a study ended and what it left on disk.
type ending struct {
	view    *client.StudyView
	rows    []archiver.Row
	crashes map[string]int
	freezes int
}

// inFiles reads a run's rows file by file, because a scan of all files would
// hide a trial that is in two of them. Other runs of the study are named in
// beside, or are a mistake.
func inFiles(t *testing.T, dir string, view *client.StudyView, beside ...string) []archiver.Row {
	t.Helper()
	files, err := fs.Glob(os.DirFS(dir), "trials/current/study="+view.Study+"/run=*/*.parquet")
	if err != nil {
		t.Fatal(err)
	}
	var rows []archiver.Row
	for _, file := range files {
		_, run, _ := strings.Cut(path.Base(path.Dir(file)), "=")
		if run != view.Run && slices.Contains(beside, run) {
			continue
		}
		for _, row := range scanned(t, dir, archiver.Query{AllRuns: true, Globs: []string{file}}) {
			if row.Run != view.Run {
				t.Errorf("%s: trial %d is of run %s, not of %s", file, row.Trial, row.Run, view.Run)
			}
			rows = append(rows, row)
		}
	}
	slices.SortStableFunc(rows, func(a, b archiver.Row) int { return a.Key().Compare(b.Key()) })
	return rows
}

// seeds is how many seeds a test tries: n, or all that APOLLO_SIM_SEEDS asks
// for, which `make sim` sets.
func seeds(t *testing.T, n uint64) uint64 {
	t.Helper()
	asked := os.Getenv("APOLLO_SIM_SEEDS")
	if asked == "" {
		return n
	}
	n, err := strconv.ParseUint(asked, 10, 32)
	if err != nil || n == 0 {
		t.Fatalf("APOLLO_SIM_SEEDS is %q, want a number of seeds", asked)
	}
	return n
}

// tally adds up what befell the simulations of a test.
type tally struct {
	mu      sync.Mutex
	crashes map[string]int
	freezes int
}

func (c *tally) add(e ending) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.crashes == nil {
		c.crashes = map[string]int{}
	}
	for point, n := range e.crashes {
		c.crashes[point] += n
	}
	c.freezes += e.freezes
}

// everywhere demands that crashes hit every point that loses something.
func (c *tally) everywhere(t *testing.T) {
	t.Helper()
	for _, point := range []string{
		"proposed.before", "proposed.after", "work.before", "work.after", "result.before", "result.after",
		"rename.before", "rename.after", "manifest.before", "manifest.after",
	} {
		if c.crashes[point] == 0 {
			t.Errorf("no crash hit %s", point)
		}
	}
}

// report demands that something froze, and says what there was.
func (c *tally) report(t *testing.T, seeds uint64) {
	t.Helper()
	if c.freezes == 0 {
		t.Error("nothing froze")
	}
	t.Logf("%d seeds, %d freezes, crashes by point: %v", seeds, c.freezes, c.crashes)
}

// compare demands that a disturbed run is the undisturbed one.
func compare(t *testing.T, seed uint64, want, got ending) {
	t.Helper()
	if got.view.State != study.Completed || hashOf(got.view) != want.view.Summary.Hash {
		t.Fatalf("%v, %d freezes: %s %q, hash %.12s, want %.12s", got.crashes, got.freezes, got.view.State, got.view.Reason, hashOf(got.view), want.view.Summary.Hash)
	}
	same := sameButRun()
	if bulky(seed) {
		if !slices.ContainsFunc(got.rows, func(r archiver.Row) bool { return strings.Contains(r.Extra, events.ExtraDropped) }) {
			t.Error("no answer was too large for the bus")
		}
		same = append(same, cmpopts.IgnoreFields(archiver.Row{}, "Extra"))
	}
	if d := cmp.Diff(want.rows, got.rows, same); d != "" {
		t.Errorf("%v, %d freezes: rows differ (-want +got):\n%s", got.crashes, got.freezes, d)
	}
}

// sameButRun compares rows of two runs of a study: a request that is stored at
// another time has a run of another name.
func sameButRun() cmp.Options {
	return cmp.Options{cmpopts.EquateNaNs(), cmpopts.IgnoreFields(archiver.Row{}, "Run")}
}

func hashOf(v *client.StudyView) string {
	if v.Summary == nil {
		return ""
	}
	return v.Summary.Hash
}
