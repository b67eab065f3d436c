package child

import "syscall"

// dieWithParent has the kernel kill a child when this process is gone: also
// where there is no shell to guard the group, and before it does.
func dieWithParent(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGKILL }
