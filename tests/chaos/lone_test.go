//go:build unix

package chaos

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// lone is `apollo run` with everything in one process.
type lone struct {
	t   *testing.T
	dir string
	n   int // processes so far
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
func (l *lone) start(point string, more ...string) *child {
	l.t.Helper()
	l.n++
	args := append([]string{"run", studyPath, "-q", "-o", "json"}, more...)
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
	return read(l.t, l.dir, l.show())
}

func (l *lone) show() shown {
	l.t.Helper()
	var s shown
	apollo(l.t, l.env(), &s, "study", "show", study)
	return s
}

// known reports whether the study was accepted before the command was killed.
func (l *lone) known() bool {
	l.t.Helper()
	if _, err := os.Stat(filepath.Join(l.dir, "nats")); err != nil {
		return false
	}
	var all []struct{ Study string }
	apollo(l.t, l.env(), &all, "study", "ls")
	return len(all) > 0
}

// hit runs the command until it is killed, at a crash point or after a while.
// It reports whether that hit work in flight, and whether the command ended.
func (l *lone) hit(rng *rand.Rand, points []string) (counted, ended bool) {
	l.t.Helper()
	point := ""
	if rng.IntN(2) == 0 {
		point = fmt.Sprintf("%s:%d", points[rng.IntN(len(points))], 1+rng.IntN(20))
	}
	before := 0
	if l.known() {
		before = l.show().Trials
	}
	c := l.start(point)
	timer := time.NewTimer(time.Duration(100+rng.IntN(500)) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-c.done:
	case <-timer.C:
		if err := c.kill(); err != nil {
			l.t.Fatal(err)
		}
	}
	if !c.wasKilled() {
		if code := c.cmd.ProcessState.ExitCode(); code != 0 {
			text, _ := os.ReadFile(filepath.Join(l.dir, c.name+".log"))
			l.t.Fatalf("%s: %s\n%s", c.name, c.cmd.ProcessState, text)
		}
		return false, true
	}
	if !l.known() {
		return false, false // killed before it began
	}
	s := l.show()
	return s.State == "running" && s.Trials > before, false
}

func TestChaosOneProcess(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it kills real processes: run it without -short")
	}
	kills := max(4, setting(t, killsVariable, os.Getenv(killsVariable), 0)/4)
	seed := setting(t, seedVariable, os.Getenv(seedVariable), 1)
	want := newLone(t).answer()
	rng := rand.New(rand.NewPCG(uint64(seed), 1))
	points := slices.Concat(crashPoints()["proposer"], crashPoints()["evaluator"])
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
