//go:build !linux

package child

import (
	"errors"
	"os"
)

func limitMemory(int, int64) error {
	return errors.New("a memory limit needs Linux")
}

// InputSharers is known on Linux alone.
func (p *Process) InputSharers() []string { return nil }

// held is how many bytes a pipe holds, which is not known here.
func held(*os.File) int { return -1 }
