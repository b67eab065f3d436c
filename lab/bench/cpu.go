package bench

import "syscall"

// cpuSeconds is the CPU time of this process so far, user and system.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	const nanos = 1e-9
	return nanos * float64(u.Utime.Nano()+u.Stime.Nano())
}
