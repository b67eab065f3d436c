//go:build unix

package child

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// lead makes the process that cmd starts the leader of a process group, which
// dies with this process where the system can do that by itself.
func lead(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(cmd.SysProcAttr)
}

// killGroup kills the process group of a leader; a group that is gone is no
// mistake.
func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

// guard is a shell in the process group of a child that kills the group when
// the pipe to this process closes, which it does however this process ends.
// It dies with the group, and while it is there nobody else gets the number of
// the group.
type guard struct {
	cmd  *exec.Cmd
	pipe *os.File
}

// watch is what the shell does: it outlives every signal but the last.
const watch = "trap '' HUP INT QUIT TERM; read -r end; kill -9 0"

// newGuard returns the guard of the group that pid leads, or nil where there is
// no shell: there only the leader dies with this process, on Linux.
func newGuard(pid int) *guard {
	r, w, err := os.Pipe()
	if err != nil {
		return nil
	}
	defer r.Close() // the shell has its own
	cmd := exec.Command("/bin/sh", "-c", watch)
	cmd.Dir, cmd.Stdin = "/", r
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: pid}
	if cmd.Start() != nil {
		_ = w.Close()
		return nil
	}
	return &guard{cmd, w}
}

// close reaps the guard of a group that was killed.
func (g *guard) close() {
	if g == nil {
		return
	}
	_ = g.pipe.Close() // kills it, should it have missed the group's end
	_ = g.cmd.Wait()   // killed, as it should be
}

// drain reads a pipe to its end or its deadline.
func drain(pipe *os.File, to *tail) {
	raw, err := pipe.SyscallConn()
	if err != nil {
		return
	}
	b := make([]byte, 32<<10)
	for err == nil {
		var got error
		err = raw.Read(func(fd uintptr) bool {
			got = to.readFrom(fd, b)
			return !errors.Is(got, syscall.EAGAIN)
		})
		err = errors.Join(err, got)
	}
}

// catchUp reads what a pipe holds and drain has not come to yet.
func catchUp(pipe *os.File, to *tail) {
	raw, err := pipe.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		b := make([]byte, maxTail)
		for range 1 << 20 / maxTail { // a program that never stops is left behind
			if to.readFrom(fd, b) != nil {
				return
			}
		}
	})
}

// readFrom reads once from a pipe that does not block, as os.Pipe makes it.
// Nobody else reads before that is kept: catchUp must not find a pipe empty
// whose bytes are still on their way.
func (t *tail) readFrom(fd uintptr, b []byte) error {
	t.reading.Lock()
	defer t.reading.Unlock()
	n, err := syscall.Read(int(fd), b)
	switch {
	case errors.Is(err, syscall.EINTR):
		return nil
	case err != nil:
		return err
	case n == 0:
		return io.EOF
	}
	_, err = t.Write(b[:n])
	return err
}
