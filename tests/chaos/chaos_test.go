//go:build unix

package chaos

import (
	"fmt"
	"os"
	"testing"
	"time"
)

func TestChaosServices(t *testing.T) {
	t.Parallel()
	kills := setting(t, killsVariable, os.Getenv(killsVariable), 0)
	if testing.Short() || kills == 0 {
		t.Skipf("it kills real processes for a while: ask with %s=20, or `make chaos`", killsVariable)
	}
	seed := setting(t, seedVariable, os.Getenv(seedVariable), 1)
	c := newCluster(t, long, 1)
	for _, name := range []string{"proposer", "archiver", "evaluator-1", "evaluator-2", "evaluator-3"} {
		c.serve(name, 0)
	}
	want := undisturbed(c)
	c.serve(stranger, 0)
	began := time.Now()
	s := newStorm(c, uint64(seed), kills)
	rounds := 0
	for ; !s.done(); rounds++ {
		if rounds > 10+2*kills {
			t.Fatalf("after %d rounds still not everything was hit: %v %v, %v idle", rounds, s.signals, s.points, s.idle)
		}
		got := s.round()
		compare(t, fmt.Sprintf("round %d (run %s)", rounds, s.run), want, got)
		if t.Failed() {
			t.Fatal(s.tails())
		}
	}
	s.noLetters()
	t.Logf("seed %d: %d kills in flight in %d studies of %d trials and %.1f s; by signal %v, by crash point %v; %v more hit nothing; the archiver was stopped %d times, and a study was in up to %d files; a stranger handed work back %d times",
		seed, s.kills(), rounds, c.trials, time.Since(began).Seconds(), s.signals, s.points, s.idle, s.stops, s.files, c.handedBack())
}

// undisturbed runs the study once.
func undisturbed(c *cluster) outcome {
	c.t.Helper()
	run := c.submit()
	w := c.watch(run)
	defer w.close()
	for {
		if _, ended, archived := w.state(); ended && archived {
			break
		}
		select {
		case <-w.changed:
		case s := <-c.exits:
			c.t.Fatalf("%s ended: %s\n%s", s.name, s.cmd.ProcessState, c.tail(s.name))
		case <-time.After(stuck):
			c.t.Fatalf("nothing has moved for %s\n%s", stuck, c.tails())
		}
	}
	var answer shown
	c.apollo(&answer, "study", "show", study, "--run", run)
	return read(c.t, c.dir, c.trials, answer)
}

func TestSameTrialsWithAnyNumberOfEvaluators(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it starts real processes: run it without -short")
	}
	c := newCluster(t, quick, 1)
	c.serve("proposer", 0)
	c.serve("archiver", 0)
	var want outcome
	running := 0
	for _, n := range []int{1, 8} {
		for ; running < n; running++ {
			c.serve(fmt.Sprintf("evaluator-%d", running+1), 0)
		}
		got := undisturbed(c)
		if n == 1 {
			want = got
		}
		compare(t, fmt.Sprintf("%d evaluators", n), want, got)
	}
	compare(t, "one process", want, undisturbedLone(t))
}
