//go:build !linux && !darwin

package archive

// diskRoom is not known here.
func diskRoom(string) (free, total uint64, ok bool) { return 0, 0, false }
