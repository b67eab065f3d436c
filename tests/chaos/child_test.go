//go:build unix

package chaos

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// child is one incarnation of a process.
type child struct {
	name string // "evaluator-2": the same for all incarnations
	role string // "evaluator"
	// serial tells the incarnations apart.
	serial string
	// point is the crash point at which it kills itself; "" for none.
	point string
	// since is how many batches were answered when it started.
	since int
	// epoch is which incarnation of the server it started with.
	epoch int
	// killed and stopped say that the test did that.
	killed, stopped bool

	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended and was waited for
}

// spawn starts c. exited is called once it has ended.
func spawn(t *testing.T, logs string, c *child, env []string, exited func(*child)) {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(logs, c.name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	c.serial = rand.Text()
	c.cmd.Env = append(os.Environ(), env...)
	if c.point != "" {
		c.cmd.Env = append(c.cmd.Env, "APOLLO_FAILPOINT="+c.point)
	}
	fmt.Fprint(log, c.headline())
	c.cmd.Stderr, c.cmd.SysProcAttr, c.done = log, ownGroup(), make(chan struct{})
	if err := c.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", c.name, err)
	}
	go func() {
		_ = c.cmd.Wait() // how it ended is in its ProcessState
		close(c.done)
		exited(c)
	}()
}

// headline is the line above what this incarnation says.
func (c *child) headline() string { return fmt.Sprintf("--- %s, %s\n", c.name, c.serial) }

// ended reports whether the process is gone already.
func (c *child) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// kill ends the process and all that it started with SIGKILL, and waits until
// it is gone.
func (c *child) kill() error {
	err := syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
	if errors.Is(err, syscall.ESRCH) {
		err = nil
	}
	if err == nil {
		<-c.done
	}
	return err
}

// endedBy reports whether that signal ended the process.
func (c *child) endedBy(signal syscall.Signal) bool {
	status, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == signal
}
