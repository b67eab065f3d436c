package child_test

import (
	"testing"

	"apollo/services/child"
)

// The limit holds for the process and for what it starts.
func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	p, err := child.Start([]string{"/bin/sh", "-c", "read line; ulimit -d; sh -c 'ulimit -d'"}, child.Options{MaxLine: 1 << 10, MemoryBytes: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Discard()
	if err := p.Write([]byte("go\n")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if line, err := p.ReadLine(); err != nil || string(line) != "65536" {
			t.Errorf("ulimit -d says %q KiB, error %v, want 65536", line, err)
		}
	}
}
