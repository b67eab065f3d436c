package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
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

// namesOnPages are what a page prints for a name of the reader's own.
func namesOnPages() *strings.Replacer {
	return strings.NewReplacer("NAME", "mobilenetv2-6p8", "TYPE", "apollo.study.requested.v1")
}

// left are printed commands that are read as the command line reads them, and not
// run here, by how they start, and why.
func left() map[string]string {
	const (
		readme  = "README.md prints its answer: TestReadme runs it"
		server  = "needs a server: the scripts server.txt and dlq.txt and the tests of services run it"
		hours   = "a search of minutes to hours, with which the page's figures were made"
		other   = "needs a program, a file or a study of the reader's own: a script of testdata has one"
		seconds = "takes seconds more than an everyday test has: a script of testdata runs it with fewer trials"
	)
	return map[string]string{
		"certify ": readme, "run examples/mobilenetv2-": readme,
		"up": server, "serve ": server, "study submit": server, "study pause": server, "study resume": server, "study stop": server, "study cancel": server,
		"study extend": server, "study watch": server, "events tail": server, "dlq ": server, "evaluator run": server,
		"bench ": hours, "run examples/c": seconds, "run examples/own-evaluator.yaml": seconds, "study show edge-budgets": seconds, "run study.yaml": seconds, "evaluator check --exec": seconds,
		"study retry mine": other, "study recheck mine": other, "study rm ": other, "archive rm ": other, "trial ask": other, "trial tell": other, "evaluator init": other,
		"evaluator check --study": other, "transfer candidates": other, "workload import": other, "design eval --workload model.yaml": other,
		"events validate": other,
	}
}

// Every command that a page prints is one that this build has, with its flags and
// its number of arguments. It is run, and ends well, in a folder with the examples
// and the studies that README.md runs, with fewer trials; or left says why not.
// Running takes seconds: `make printed` does it, and the everyday test reads.
func TestPrintedCommands(t *testing.T) {
	runs := os.Getenv("APOLLO_PRINTED") != ""
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
	run := func(p printed) {
		t.Helper()
		if !runs {
			return
		}
		var stderr bytes.Buffer
		if code := Main(t.Context(), p.args, nil, io.Discard, &stderr); code != cli.ExitOK {
			t.Errorf("%s: apollo %s: exit code %d: %s", p.where, p.line, code, &stderr)
		}
	}
	for _, study := range []string{"6p8", "5p8-transfer"} {
		args := []string{"run", "examples/mobilenetv2-" + study + ".yaml", "-q", "--set", "spec.budget.trials=61", "--set", "spec.algorithm.name=evolution"}
		run(printed{"before all", strings.Join(args, " "), args})
	}
	skipped, unused := map[string]int{}, left()
	ran := 0
	for _, p := range commands {
		if _, err := readCommand(p.args); err != nil {
			t.Errorf("%s: apollo %s: %v", p.where, p.line, err)
			continue
		}
		start := ""
		for s := range left() {
			if strings.HasPrefix(p.line+" ", s) {
				start = s
			}
		}
		if start != "" {
			delete(unused, start)
			skipped[left()[start]]++
			continue
		}
		ran++
		for i := range p.args {
			p.args[i] = namesOnPages().Replace(p.args[i])
		}
		run(p)
	}
	for start := range unused {
		t.Errorf("no page prints a command that starts with %q: take it out of left()", start)
	}
	if len(commands) < 70 || ran < 20 {
		t.Errorf("%d printed commands were found and %d run, want 70 and 20: are they not recognised any more?", len(commands), ran)
	}
	t.Logf("%d printed commands read, %d of them run; left out: %v", len(commands), ran, skipped)
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
