package chaos

import "syscall"

// ownGroup puts a child into a process group of its own. It dies with the test
// binary, also when that one is killed and cannot clean up.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
