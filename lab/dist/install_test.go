package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

// The line of docs/operate.md installs the program of an archive, and nothing of one
// whose bytes are others.
func TestInstallLine(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the line is that of Linux")
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "operate.md"))
	if err != nil {
		t.Fatal(err)
	}
	line := strings.TrimSpace(regexp.MustCompile(`(?m)^    sha256sum .*$`).FindString(string(page)))
	if line == "" {
		t.Fatal("docs/operate.md has no line that starts with sha256sum")
	}
	const name = "apollo-1.2.3-linux-amd64.tar.gz"
	var packed bytes.Buffer
	files := []file{{"apollo", []byte("#!/bin/sh\necho installed\n"), true}, {"completions/apollo.bash", []byte("words"), false}}
	if err := pack(&packed, name, files, time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	sums := fmt.Sprintf("%x  %s\n%x  apollo-1.2.3-darwin-arm64.tar.gz\n", sha256.Sum256(packed.Bytes()), name, sha256.Sum256(nil))
	install := func(archive []byte) (program string, err error) {
		dir, home := t.TempDir(), t.TempDir()
		program = filepath.Join(home, ".local", "bin", "apollo")
		if err := os.MkdirAll(filepath.Dir(program), 0o755); err != nil {
			t.Fatal(err)
		}
		for file, text := range map[string][]byte{name: archive, "checksums.txt": []byte(sums)} {
			if err := os.WriteFile(filepath.Join(dir, file), text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		c := exec.Command("sh", "-c", line)
		c.Dir, c.Env = dir, append(os.Environ(), "HOME="+home)
		out, err := c.CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
		return program, err
	}
	program, err := install(packed.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(program).Output(); err != nil || string(out) != "installed\n" {
		t.Errorf("the installed program says %q, %v", out, err)
	}
	program, err = install(append(packed.Bytes(), 0))
	if _, there := os.Stat(program); err == nil || there == nil {
		t.Errorf("an archive with another byte is installed: %v", err)
	}
}
