//go:build !unix

package child

import (
	"io"
	"os"
	"os/exec"
)

// lead does nothing: process groups are a Unix idea.
func lead(*exec.Cmd) {}

// killGroup kills the process alone.
func killGroup(cmd *exec.Cmd) { _ = cmd.Process.Kill() }

// guard is nothing here.
type guard struct{}

func newGuard(int) *guard { return nil }

func (*guard) close() {}

// drain reads a pipe to its end or its deadline.
func drain(pipe *os.File, to *tail) { _, _ = io.Copy(to, pipe) }

// catchUp does nothing.
func catchUp(*os.File, *tail) {}
