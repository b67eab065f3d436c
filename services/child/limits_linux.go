package child

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

// rlimitData is RLIMIT_DATA of Linux, which counts private memory since 4.7; the
// address space would count what libraries map and never touch.
const rlimitData = 2

// limitMemory bounds the data of a process that has just started, and of those
// that it starts.
func limitMemory(pid int, bytes int64) error {
	limit := syscall.Rlimit{Cur: uint64(bytes), Max: uint64(bytes)}
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(pid), rlimitData, uintptr(unsafe.Pointer(&limit)), 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("limit its memory: %w", errno)
	}
	return nil
}

// InputSharers names the other processes of the group whose standard input is
// that of the process: they may take a line that is meant for it, or wait for one.
func (p *Process) InputSharers() []string {
	pid := p.Pid()
	pipe, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/0", pid))
	if err != nil || !strings.HasPrefix(pipe, "pipe:") {
		return nil
	}
	inputs, _ := filepath.Glob("/proc/[0-9]*/fd/0")
	var names []string
	for _, input := range inputs {
		other := strings.Split(input, "/")[2]
		if target, err := os.Readlink(input); err != nil || target != pipe || other == strconv.Itoa(pid) {
			continue
		}
		name, _ := os.ReadFile("/proc/" + other + "/comm")
		names = append(names, fmt.Sprintf("%s (process %s)", strings.TrimSpace(string(name)), other))
	}
	return names
}

// held is how many bytes a pipe holds, -1 where it does not say.
func held(pipe *os.File) int {
	bytes := int32(-1)
	raw, err := pipe.SyscallConn()
	if err != nil {
		return -1
	}
	var errno syscall.Errno
	err = raw.Control(func(fd uintptr) {
		_, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCINQ, uintptr(unsafe.Pointer(&bytes)))
	})
	if err != nil || errno != 0 {
		return -1
	}
	return int(bytes)
}
