//go:build unix

package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// halfway is a crash point in the middle of a study of 1500 trials, 24 batches.
const halfway = "proposed.after:12"

// TestCutStore kills the command in the middle, cuts off a part of what its
// server had stored, as a power cut or a broken disk does, and runs it again:
// the trials are the same, or the study stops and says what is lost. The server
// says nothing about a block that is too short.
func TestCutStore(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it kills real processes: run it without -short")
	}
	all := setting(t, killsVariable, os.Getenv(killsVariable), 0) > 0
	want := undisturbedLone(t)
	cuts := []struct {
		name string
		cut  func(size int64) int64
	}{
		{"the last byte", func(size int64) int64 { return size - 1 }},
		{"half", func(size int64) int64 { return size / 2 }},
		{"all", func(int64) int64 { return 0 }},
	}
	for i, stream := range []string{"APOLLO_LOG", "APOLLO_RESULT", "APOLLO_WORK", "APOLLO_CMD"} {
		for j, c := range cuts {
			if !all && (i > 1 || j != i) {
				continue // `make chaos` tries every pair
			}
			t.Run(fmt.Sprintf("%s of %s", c.name, stream), func(t *testing.T) {
				t.Parallel()
				l := killed(t)
				block := lastBlock(t, l.dir, stream)
				info, err := os.Stat(block)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.Truncate(block, max(0, c.cut(info.Size()))); err != nil {
					t.Fatal(err)
				}
				l.sameOrStops(want)
			})
		}
	}
}

// TestOlderStore does so with a copy of the store from an earlier moment, taken
// while the server wrote.
func TestOlderStore(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it kills real processes: run it without -short")
	}
	moments := []string{"proposed.after:2", "work.after:5", "result.after:10"}
	if setting(t, killsVariable, os.Getenv(killsVariable), 0) == 0 {
		moments = moments[2:] // `make chaos` tries all
	}
	want := undisturbedLone(t)
	for _, stopAt := range moments {
		t.Run(stopAt, func(t *testing.T) {
			t.Parallel()
			l := newLone(t)
			<-l.start(stopAt).done
			store, older := filepath.Join(l.dir, "nats"), filepath.Join(t.TempDir(), "nats")
			if err := os.CopyFS(older, os.DirFS(store)); err != nil {
				t.Fatal(err)
			}
			<-l.start(halfway).done
			if err := os.RemoveAll(store); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(older, store); err != nil {
				t.Fatal(err)
			}
			l.sameOrStops(want)
		})
	}
}

// killed returns a command that killed itself in the middle of its study.
func killed(t *testing.T) *lone {
	t.Helper()
	l := newLone(t)
	c := l.start(halfway)
	<-c.done
	if !c.endedBy(syscall.SIGKILL) {
		t.Fatalf("the command ended with %s, want killed", c.cmd.ProcessState)
	}
	return l
}

// sameOrStops runs the command again.
func (l *lone) sameOrStops(want outcome) {
	l.t.Helper()
	var done struct{ Trials int }
	if tryApollo(l.t, l.env(), &done, "run", studyPath) == 0 {
		compare(l.t, "run again", want, read(l.t, l.dir, quick, l.show()))
		return
	}
	s := l.show()
	if s.State != "paused" || !strings.Contains(s.Reason, "the server has lost a part of the run's log") {
		l.t.Errorf("the study is %s (%s), want completed, or paused with what is lost", s.State, s.Reason)
	}
}

// lastBlock returns the file that holds the end of a stream.
func lastBlock(t *testing.T, dir, stream string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "nats", "jetstream", "*", "streams", stream, "msgs", "*.blk"))
	if err != nil || len(found) == 0 {
		t.Fatalf("stream %s has no blocks: %v", stream, err)
	}
	slices.SortFunc(found, func(a, b string) int { return len(a) - len(b) + strings.Compare(a, b) })
	return found[len(found)-1]
}
