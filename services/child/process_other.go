//go:build !unix

package child

import "os/exec"

// lead does nothing: process groups are a Unix idea.
func lead(*exec.Cmd) {}

// killGroup kills the process alone.
func killGroup(cmd *exec.Cmd) { _ = cmd.Process.Kill() }
