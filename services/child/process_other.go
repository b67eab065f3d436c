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

// catchUp does nothing.
func catchUp(*os.File, io.Writer) {}
