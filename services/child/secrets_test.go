//go:build unix

package child_test

import (
	"strings"
	"testing"

	"apollo/services/child"
)

// A program sees none of what this process logs in with, and the rest.
func TestProgramsHaveNoSecrets(t *testing.T) {
	for _, name := range child.Secrets() {
		t.Setenv(name, "secret")
	}
	t.Setenv("APOLLO_DATA", "here")
	script := "echo \"[$" + strings.Join(child.Secrets(), "$") + "]$APOLLO_DATA\"; read x"
	p, err := child.Start([]string{"/bin/sh", "-c", script}, child.Options{MaxLine: 1 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Discard()
	if line, err := p.ReadLine(); err != nil || string(line) != "[]here" {
		t.Errorf("the program says %q, %v", line, err)
	}
}
