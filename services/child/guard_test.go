//go:build unix

package child_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"apollo/services/child"
)

// The test binary is also the process that dies and the programs that must die
// with it.
const (
	role   = "APOLLO_TEST_ROLE"
	socket = "APOLLO_TEST_SOCKET" // a unix socket of the test
)

// quickExit takes the second that the race detector waits at a process's end.
const quickExit = "GORACE=atexit_sleep_ms=0"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "parent": // starts a program, then waits to be killed
		shell := fmt.Sprintf("trap '' TERM HUP INT; %s=member %q & %s=member %q; wait", role, os.Args[0], role, os.Args[0])
		if _, err := child.Start([]string{"/bin/sh", "-c", shell}, child.Options{MaxLine: 1 << 10}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(9)
		}
		hang()
	case "member":
		c, err := net.Dial("unix", os.Getenv(socket))
		if err != nil {
			os.Exit(9)
		}
		_, _ = io.ReadFull(c, make([]byte, 1))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// hang never returns.
func hang() {
	for {
		time.Sleep(time.Hour)
	}
}

// patience bounds waits that a correct program never has.
const patience = 30 * time.Second

// listen returns a socket for members and its variable of the environment.
func listen(t *testing.T) (net.Listener, string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "grd") //nolint:usetesting // t.TempDir is too long for the path of a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l, socket + "=" + l.Addr().String()
}

// The program, its child and its grandchild end with kill -9 of the process that
// started it, although they ignore every other signal.
func TestGroupDiesWithTheParent(t *testing.T) {
	t.Parallel()
	l, env := listen(t)
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), role+"=parent", env, quickExit)
	parent.Stderr = os.Stderr
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = parent.Process.Kill(); _ = parent.Wait() })
	var members []net.Conn
	for range 2 {
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		members = append(members, c)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for i, c := range members {
		_ = c.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.ReadAll(c); err != nil {
			t.Errorf("member %d outlived the process that started it: %v", i, err)
			_, _ = c.Write([]byte{1})
		}
	}
}

// What a program wrote on standard error before its answer is known with the
// answer.
func TestSaid(t *testing.T) {
	t.Parallel()
	p, err := child.Start([]string{"/bin/sh", "-c", "echo old >&2; read x; echo new >&2; echo done; read x"}, child.Options{MaxLine: 1 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Discard()
	for p.Said() != "; stderr: old" {
		if p.Exited() {
			t.Fatal("the program ended")
		}
	}
	p.Mark()
	if err := p.Write([]byte("go\n")); err != nil {
		t.Fatal(err)
	}
	if line, err := p.ReadLine(); err != nil || string(line) != "done" {
		t.Fatalf("ReadLine() = %q, %v", line, err)
	}
	if got, want := p.Said(), "; stderr: new"; got != want {
		t.Errorf("Said() = %q, want %q", got, want)
	}
}

// The end of a stopped program is that of everything in its group.
func TestStopEndsTheGroup(t *testing.T) {
	t.Parallel()
	l, env := listen(t)
	shell := fmt.Sprintf("%s=member %q & read x; exit 0", role, os.Args[0])
	p, err := child.Start([]string{"/bin/sh", "-c", shell}, child.Options{MaxLine: 1 << 10, Env: []string{env, quickExit}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if !p.Stop(patience) {
		t.Error("the program did not end by itself")
	}
	_ = c.SetReadDeadline(time.Now().Add(patience))
	if _, err := bufio.NewReader(c).ReadByte(); err != io.EOF {
		t.Errorf("a member outlived the program: %v", err)
	}
}
