package child

import (
	"syscall"
	"time"
)

// CPUTime is the CPU time of this process so far, user and system.
func CPUTime() time.Duration {
	self, err := syscall.GetCurrentProcess()
	if err != nil {
		return 0
	}
	var created, ended, kernel, user syscall.Filetime
	if err := syscall.GetProcessTimes(self, &created, &ended, &kernel, &user); err != nil {
		return 0
	}
	const tick = 100 * time.Nanosecond // the unit of these times
	ticks := func(t syscall.Filetime) time.Duration {
		return time.Duration(uint64(t.HighDateTime)<<32 | uint64(t.LowDateTime))
	}
	return tick * (ticks(kernel) + ticks(user))
}
