//go:build !linux

package child

import "errors"

func limitMemory(int, int64) error {
	return errors.New("a memory limit needs Linux")
}

// InputSharers is known on Linux alone.
func (p *Process) InputSharers() []string { return nil }
