//go:build unix

package chaos

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

// lone is `apollo run` with everything in one process.
type lone struct {
	t   *testing.T
	dir string
	n   int // processes so far
	// trials that were finished when the last one was killed.
	trials int
}

func newLone(t *testing.T) *lone {
	t.Helper()
	return &lone{t: t, dir: t.TempDir()}
}

// env names no server: the process starts its own.
func (l *lone) env() []string {
	return []string{"APOLLO_NATS=", "APOLLO_TOKEN=", "APOLLO_DATA=" + l.dir}
}

// start starts the command, or starts it again.
func (l *lone) start(point string) *child {
	l.t.Helper()
	l.n++
	args := []string{"run", studyPath, "-q", "-o", "json"}
	c := &child{name: fmt.Sprintf("run-%d", l.n), role: "run", point: point, cmd: exec.Command(os.Getenv(binaryVariable), args...)}
	spawn(l.t, l.dir, c, l.env(), func(*child) {})
	l.t.Cleanup(func() { _ = c.kill() })
	return c
}

// answer runs the command to its end and returns what it left.
func (l *lone) answer() outcome {
	l.t.Helper()
	var done struct{ Trials int }
	apollo(l.t, l.env(), &done, "run", studyPath)
	return read(l.t, l.dir, quick, l.show())
}

// Every test of this study compares with the same run of it.
var (
	loneOnce sync.Once
	loneWant outcome
)

// undisturbedLone returns what the command leaves when nobody disturbs it.
func undisturbedLone(t *testing.T) outcome {
	t.Helper()
	loneOnce.Do(func() { loneWant = newLone(t).answer() })
	if loneWant.hash == "" {
		t.Fatal("the run that nobody disturbs has failed")
	}
	return loneWant
}

// show returns how far the study is; the zero value when the command was killed
// before it had begun.
func (l *lone) show() shown {
	l.t.Helper()
	const notFound = 3
	var s shown
	if code := tryApollo(l.t, l.env(), &s, "study", "show", study); code != 0 && code != notFound {
		l.t.Fatalf("apollo study show: exit code %d", code)
	}
	return s
}

// hit runs the command until it is killed, at a crash point or after a while.
// It reports whether that hit work in flight, and whether the command ended.
func (l *lone) hit(rng *rand.Rand, points []string) (counted, ended bool) {
	l.t.Helper()
	point := ""
	if rng.IntN(2) == 0 {
		point = points[rng.IntN(len(points))]
		n := 1 + rng.IntN(20)
		if slices.Contains(crashPoints()["archiver"], point) {
			n = 1 // a short run is written at once
		}
		point = fmt.Sprintf("%s:%d", point, n)
	}
	c := l.start(point)
	timer := time.NewTimer(time.Duration(100+rng.IntN(500)) * time.Millisecond)
	defer timer.Stop()
	itself := false
	select {
	case <-c.done:
		itself = c.endedBy(syscall.SIGKILL)
	case <-timer.C:
		if err := c.kill(); err != nil {
			l.t.Fatal(err)
		}
	}
	if !c.endedBy(syscall.SIGKILL) {
		l.checkExit(c)
		return false, true
	}
	before, now := l.trials, l.show()
	l.trials = now.Trials
	// A crash point is only passed in the middle of an item.
	return itself || now.State == "running" && now.Trials > before, false
}

func (l *lone) checkExit(c *child) {
	l.t.Helper()
	if c.cmd.ProcessState.ExitCode() == 0 {
		return
	}
	text, err := os.ReadFile(filepath.Join(l.dir, c.name+".log"))
	if err != nil {
		l.t.Error(err)
	}
	l.t.Fatalf("%s: %s\n%s", c.name, c.cmd.ProcessState, text)
}

func TestChaosOneProcess(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it kills real processes: run it without -short")
	}
	kills := max(2, setting(t, killsVariable, os.Getenv(killsVariable), 0)/4)
	seed := setting(t, seedVariable, os.Getenv(seedVariable), 1)
	want := undisturbedLone(t)
	rng := rand.New(rand.NewPCG(uint64(seed), 1))
	points := slices.Concat(crashPoints()["proposer"], crashPoints()["evaluator"], crashPoints()["archiver"])
	counted, studies := 0, 0
	for ; counted < kills; studies++ {
		l := newLone(t)
		for ended := false; !ended && counted < kills; {
			var hit bool
			if hit, ended = l.hit(rng, points); hit {
				counted++
			}
		}
		compare(t, fmt.Sprintf("study %d after %d processes", studies, l.n), want, l.answer())
	}
	t.Logf("seed %d: %d kills in flight in %d studies", seed, counted, studies)
}

// TestRunWritesWhatAnEarlierOneLeft kills the command when the study has ended
// and nothing of it is on disk.
func TestRunWritesWhatAnEarlierOneLeft(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it kills a real process: run it without -short")
	}
	for _, point := range crashPoints()["archiver"] {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			l := newLone(t)
			c := l.start(point + ":1")
			<-c.done
			if !c.endedBy(syscall.SIGKILL) {
				t.Fatalf("the command ended with %s, want killed at %s", c.cmd.ProcessState, point)
			}
			l.answer()
		})
	}
}
