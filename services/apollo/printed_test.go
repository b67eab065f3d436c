package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"apollo/services/cli"
	"apollo/services/external"
)

// printed is a command as a page prints it.
type printed struct {
	where, line string
	args        []string
}

// The start of a command in a block of code, and what follows it that is no part
// of it: a pipe, a file for what it prints, a comment, the words of a list.
var (
	startsCommand = regexp.MustCompile(`^(?:    )?(?:\$ )?apollo (.+)$`)
	endsCommand   = regexp.MustCompile(`\s+(?:[|&]|>\s+\S+\.[a-z]+)(?:\s.*|$)|\s+#.*|\s{3,}.*|\s*\\$`)
)

// printedCommands are those in the blocks of README.md and the pages of docs.
func printedCommands(t *testing.T) (all []printed) {
	t.Helper()
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append([]string{"../../README.md"}, pages...) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(text), "\n")
		for i := range lines {
			found := startsCommand.FindStringSubmatch(lines[i])
			if found == nil {
				continue
			}
			line := found[1]
			for n := i; strings.HasSuffix(line, `\`) && n+1 < len(lines); n++ {
				line = strings.TrimSuffix(line, `\`) + strings.TrimSpace(lines[n+1])
			}
			for _, one := range choices(endsCommand.ReplaceAllString(line, "")) {
				args, err := external.Split(one)
				if err != nil {
					t.Errorf("%s:%d: apollo %s: %v", page, i+1, one, err)
				}
				all = append(all, printed{page, one, args})
			}
		}
	}
	return all
}

// choices writes "watch|pause NAME" as two commands, and leaves out what is in
// brackets and the dots of a list.
func choices(line string) (all []string) {
	line = regexp.MustCompile(`\[-[^\]]*\]`).ReplaceAllString(strings.ReplaceAll(line, "...", ""), "")
	before, after, listed := strings.Cut(line, "|")
	if !listed || strings.ContainsAny(line, `'"`) {
		return []string{line}
	}
	last := strings.LastIndex(before, " ") + 1
	words, rest, _ := strings.Cut(before[last:]+"|"+after, " ")
	for word := range strings.SplitSeq(words, "|") {
		all = append(all, before[:last]+word+" "+rest)
	}
	return all
}

// quick are the commands that take milliseconds and need no study, by their paths:
// they are run. The others are read as the command line reads them; README.md's
// are run by TestReadme.
var quick = []string{"apollo auth permissions", "apollo design eval", "apollo workload show", "apollo study lint"}

// Every command that a page prints is one that this build has, with its flags and
// its number of arguments; those that are quick end well, from a folder with the
// examples alone.
func TestPrintedCommands(t *testing.T) {
	commands := printedCommands(t)
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(examples, filepath.Join(dir, "examples")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	ran, failed := 0, 0
	for _, p := range commands {
		path, err := readCommand(p.args)
		if err == nil && slices.Contains(quick, path) && !slices.Contains(p.args, "model.yaml") {
			ran++
			var stderr bytes.Buffer
			if code := Main(t.Context(), p.args, nil, io.Discard, &stderr); code != cli.ExitOK {
				failed++
				t.Errorf("%s: apollo %s: exit code %d: %s", p.where, p.line, code, &stderr)
			}
		}
		if err != nil {
			failed++
			t.Errorf("%s: apollo %s: %v", p.where, p.line, err)
		}
	}
	if len(commands) < 70 || ran < 12 {
		t.Errorf("%d printed commands were found and %d run, want 70 and 12: are they not recognised any more?", len(commands), ran)
	}
	t.Logf("%d printed commands read, %d of them run, failures: %d", len(commands), ran, failed)
}

// readCommand reads a command line without carrying it out, and returns the
// command's path.
func readCommand(args []string) (path string, err error) {
	a := &app{Terminal: cli.NewTerminal(strings.NewReader(""), io.Discard, io.Discard, version), args: args}
	c, rest, err := a.root().Find(args)
	if err != nil {
		return "", err
	}
	if err := c.ParseFlags(rest); err != nil {
		return c.CommandPath(), err
	}
	check := c.Args
	if check == nil {
		check = cobra.ArbitraryArgs
	}
	return c.CommandPath(), check(c, c.Flags().Args())
}
