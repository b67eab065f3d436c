package peer

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// ticksPerSecond is USER_HZ, which Linux shows to programs on every machine.
const ticksPerSecond = 100

// CPUSeconds returns the CPU time that the program has used so far, all its
// threads and the children that it waited for, in seconds; 0 where the system
// does not tell.
func (s *Strategy) CPUSeconds() float64 {
	if s.process.Exited() {
		state := s.process.State()
		return (state.UserTime() + state.SystemTime()).Seconds()
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.process.Pid()))
	if err != nil {
		return 0
	}
	// The name may hold spaces and brackets; the fields after it are numbered
	// from 3 in proc(5).
	_, rest, _ := strings.Cut(string(b[strings.LastIndexByte(string(b), ')')+1:]), " ")
	fields := strings.Fields(rest)
	const first, userTime, childSystemTime = 3, 14, 17
	var ticks float64
	for i := userTime - first; i <= childSystemTime-first && i < len(fields); i++ {
		t, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return 0
		}
		ticks += t
	}
	return ticks / ticksPerSecond
}
