//go:build unix

package bench

import (
	"os/exec"
	"syscall"
)

// detach gives a process a group of its own, so that Ctrl-C on the terminal
// reaches the parent alone, which ends the workers in its own order.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
