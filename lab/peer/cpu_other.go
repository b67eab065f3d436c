//go:build !linux

package peer

// CPUSeconds returns the CPU time that the program has used, in seconds: here
// it is known only after its end, and 0 before.
func (s *Strategy) CPUSeconds() float64 {
	if !s.process.Exited() {
		return 0
	}
	state := s.process.State()
	return (state.UserTime() + state.SystemTime()).Seconds()
}
