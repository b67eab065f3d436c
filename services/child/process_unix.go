//go:build unix

package child

import (
	"os/exec"
	"syscall"
)

// lead makes the process that cmd starts the leader of a process group.
func lead(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup kills the process group of a leader; a group that is gone is no
// mistake.
func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
