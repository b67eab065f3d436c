//go:build unix

package chaos

import (
	"os"
	"syscall"
	"testing"
	"time"
)

// oldVariable names the binary of an earlier build, for TestUpgradeOnDisk.
const oldVariable = "APOLLO_OLD_BINARY"

// TestUpgradeOnDisk replaces every process of an earlier build by one of this build,
// one after the other, while a study runs on the streams and the log that the earlier
// one began: the trials are those of a run that nobody disturbed, and so are those of
// the same study from this build alone.
func TestUpgradeOnDisk(t *testing.T) {
	old := os.Getenv(oldVariable)
	if testing.Short() || old == "" {
		t.Skipf("it takes an earlier build: ask with %s=FILE, or `make upgrade`", oldVariable)
	}
	c := newCluster(t, long, 1)
	c.binary = old
	roles := []string{"evaluator-1", "evaluator-2", "archiver", "proposer"}
	for _, name := range roles {
		c.serve(name, 0)
	}
	want := undisturbed(c)
	run := c.submit()
	w := c.watch(run)
	defer w.close()
	c.binary = ""
	batches, at := long/batch, []int{}
	for i, name := range roles {
		w.await(c, func() bool { n, ended, _ := w.state(); return ended || n >= (i+1)*batches/(len(roles)+2) })
		s := c.services[name]
		if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		<-c.exits
		n, ended, _ := w.state()
		if ended {
			t.Fatalf("the study ended before %s was replaced", name)
		}
		at = append(at, n)
		c.serve(name, n)
	}
	w.await(c, func() bool { _, ended, archived := w.state(); return ended && archived })
	var answer shown
	c.apollo(&answer, "study", "show", study, "--run", run)
	compare(t, "while it was upgraded", want, read(t, c.dir, c.trials, answer))
	compare(t, "after the upgrade", want, undisturbed(c))
	t.Logf("the roles %q were replaced after %v of %d batches; hash %.12s before, during and after", roles, at, batches, want.hash)
}

// await waits until something holds of a run.
func (w *watch) await(c *cluster, holds func() bool) {
	c.t.Helper()
	for !holds() {
		select {
		case <-w.changed:
		case <-time.After(stuck):
			c.t.Fatalf("nothing has moved for %s\n%s", stuck, c.tails())
		}
	}
}
