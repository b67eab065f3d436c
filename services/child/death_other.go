//go:build unix && !linux

package child

import "syscall"

// dieWithParent does nothing: only Linux can do that for a child.
func dieWithParent(*syscall.SysProcAttr) {}
