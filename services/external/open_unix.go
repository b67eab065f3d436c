//go:build unix

package external

import "syscall"

// openNonblock opens a pipe without a wait for its writer.
const openNonblock = syscall.O_NONBLOCK
