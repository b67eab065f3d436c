package main

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write what the commands in README.md print into it")

// TestReadme runs every `$ apollo …` of README.md, in order, and compares what
// it prints. Times, rates and run identifiers are not compared.
func TestReadme(t *testing.T) {
	t.Parallel()
	if os.Getenv("APOLLO_PRINTED") == "" && !*rewrite {
		t.Skip("searches for seconds; make printed runs it")
	}
	if runtime.GOARCH != "amd64" {
		t.Skip("the output is promised bit for bit per architecture only")
	}
	path := filepath.Join("..", "..", "README.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	examples, err := filepath.Abs(filepath.Join("..", "..", "examples"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(examples, filepath.Join(dir, "examples")); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(text), "```\n")
	// Odd parts are blocks without a language; "```yaml" does not split.
	for i, block := range parts {
		if strings.HasPrefix(block, "$ apollo ") {
			parts[i] = runBlock(t, dir, block)
		}
	}
	fresh := strings.Join(parts, "```\n")
	if *rewrite {
		if err := os.WriteFile(path, []byte(fresh), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, got := strings.Split(stable(fresh), "\n"), strings.Split(stable(string(text)), "\n")
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			t.Fatalf("README.md lags behind what the commands print; go test ./services/apollo -run TestReadme -rewrite\nline %d:\n%s\nwant:\n%s",
				i+1, strings.Join(got[i:min(i+3, len(got))], "\n"), strings.Join(want[i:min(i+3, len(want))], "\n"))
		}
	}
}

// runBlock runs the commands of a block and returns it with their output.
func runBlock(t *testing.T, dir, block string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for line := range strings.Lines(block) {
		command, ok := strings.CutPrefix(strings.TrimSpace(line), "$ apollo ")
		if !ok {
			continue
		}
		out.WriteString(line)
		command, head, cut := strings.Cut(command, " | head -")
		c := exec.Command(self, strings.Fields(command)...)
		c.Args[0], c.Dir = "apollo", dir
		c.Env = append(os.Environ(), "NO_COLOR=1", "APOLLO_DATA=", "APOLLO_NATS=")
		var stderr bytes.Buffer
		c.Stderr = &stderr
		answer, err := c.Output()
		if err != nil {
			t.Fatalf("apollo %s: %v\n%s", command, err, stderr.Bytes())
		}
		text := string(answer)
		if cut {
			n, err := strconv.Atoi(head)
			if err != nil {
				t.Fatal(err)
			}
			text = strings.Join(strings.SplitAfter(text, "\n")[:n], "")
		}
		out.WriteString(text)
	}
	return out.String()
}

// stable replaces what differs from run to run.
func stable(s string) string {
	for _, r := range []struct{ pattern, with string }{
		{`(run[= ])[0-9a-f]{8}`, "${1}RUN"},
		{`trials in \S+ \(\S+/s\)`, "trials in T"},
	} {
		s = regexp.MustCompile(r.pattern).ReplaceAllString(s, r.with)
	}
	return s
}
