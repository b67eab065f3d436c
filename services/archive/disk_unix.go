//go:build linux || darwin

package archive

import "syscall"

// diskRoom is the room of the file system of a directory, for those who are not root.
func diskRoom(dir string) (free, total uint64, ok bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil || s.Blocks == 0 {
		return 0, 0, false
	}
	block := uint64(s.Bsize)
	return s.Bavail * block, s.Blocks * block, true
}
