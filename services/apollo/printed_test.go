package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"apollo/services/cli"
	"apollo/services/external"
)

// printed is a command as a page prints it. Commands of one block follow each other.
type printed struct {
	where, line string
	args        []string
	block       int
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
	block := 0
	for _, page := range append([]string{"../../README.md"}, pages...) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		lines, last := strings.Split(string(text), "\n"), -2
		for i := range lines {
			found := startsCommand.FindStringSubmatch(lines[i])
			if found == nil {
				continue
			}
			if i > last+1 {
				block++
			}
			last = i
			line := found[1]
			for n := i; strings.HasSuffix(line, `\`) && n+1 < len(lines); n++ {
				line = strings.TrimSuffix(line, `\`) + strings.TrimSpace(lines[n+1])
			}
			for _, one := range choices(endsCommand.ReplaceAllString(line, "")) {
				args, err := external.Split(one)
				if err != nil {
					t.Errorf("%s:%d: apollo %s: %v", page, i+1, one, err)
				}
				all = append(all, printed{page, one, args, block})
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
	return strings.NewReplacer("NAME", "mobilenetv2-6p8", "TYPE", "apollo.study.requested.v1", "FILE", "event.json")
}

// readersFiles writes what pages print commands about: programs and studies of the
// reader's own.
func readersFiles(t *testing.T, dir string) {
	t.Helper()
	const program = `import json, sys
for line in sys.stdin:
    q = json.loads(line)
    if q.get("op") == "describe":
        levels = [{"name": n, "unit": "", "values": [2, 4, 8, 16]} for n in ("rows", "cols")]
        a = {"name": "mine", "version": "1", "parameters": levels, "metrics": [{"name": "runtime_s", "unit": "s"}]}
    elif set(q["design"]) != {"rows", "cols"}:
        a = {"outcome": "failed", "reason": "want rows and cols"}
    else:
        x, y = q["design"]["rows"], q["design"]["cols"]
        a = {"outcome": "failed", "reason": {"code": "licence"}} if q.get("run") and q["trial"] == 5 else {"metrics": {"runtime_s": x / y + 0.1 * y}}
    print(json.dumps({"id": q["id"], **a}), flush=True)
`
	study := func(name, rows, cols, evaluator string) string {
		return fmt.Sprintf("apiVersion: apollo/v1\nkind: Study\nmetadata: {name: %s, labels: {team: vision}}\nspec:\n  space: {parameters: [{name: %s, values: [2, 4, 8, 16]}, {name: %s, values: [2, 4, 8, 16]}]}\n"+
			"  evaluator: {%s, metrics: [{name: runtime, unit: s}]}\n  objectives: [{metric: runtime, goal: minimize}]\n  budget: {trials: 12}\n", name, rows, cols, evaluator)
	}
	example, err := os.ReadFile(filepath.Join(dir, "examples", "mobilenetv2-5p8-transfer.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"mine.py": program, "slow.py": program,
		"fast.py":        strings.NewReplacer("rows", "atomic_c", "cols", "atomic_k").Replace(program),
		"mine.yaml":      study("mine", "rows", "cols", "name: bench, manual: true"),
		"measured.yaml":  study("mine", "rows", "cols", "name: mine, exec: python3 mine.py, attempts: 1"),
		"slow.yaml":      study("slow", "rows", "cols", "name: slow, exec: python3 slow.py"),
		"atomic.yaml":    study("atomic", "atomic_c", "atomic_k", "name: atomic, exec: python3 fast.py"),
		"from-file.yaml": strings.Replace(string(example), "name: mobilenetv2-5p8", "name: from-file", 1),
		"event.json":     `{"specversion":"1.0","type":"apollo.study.control.v1","id":"c1","source":"test","time":"2021-02-02T00:00:00Z","data":{"study":"demo","id":"c1","verb":"pause"}}`,
	}
	var measured strings.Builder
	measured.WriteString("x,y,z,value\n")
	for i := range 64 {
		fmt.Fprintf(&measured, "%d,%d,%d,%d\n", i%4, i/4%4, i/16, 1+(i*37)%64)
	}
	files["convolution_A100.csv"], files["convolution_A4000.csv"] = measured.String(), measured.String()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// before is what a block takes to have been run, by how its first command starts.
func before() map[string][]string {
	measured := []string{"run", "measured.yaml", "-q"}
	compared := []string{"bench", "--task", "mobilenetv2-6p8", "--algorithms", "default,random"}
	return map[string][]string{"bench report": compared, "study retry mine": measured, "study rm ": measured, "archive rm ": measured, "study recheck mine": measured}
}

// shortened is a command with a budget that a test has: pages print searches of minutes
// to hours.
func shortened(args []string) []string {
	args = slices.Clone(args)
	if i := slices.Index(args, "study.yaml"); i > 0 && args[0] != "evaluator" { // which writes it
		args[i] = "from-file.yaml"
	}
	switch path := args[0]; {
	case path == "bench":
		return shortBench(args)
	case path == "run":
		return append(args, "-q", "--set", "spec.budget.trials=4", "--set", "spec.budget.batch=1")
	case slices.Contains(args, "--rename"): // the page has one name for two studies
		return strings.Split(strings.Replace(strings.Join(args, "\x00"), "slow.yaml", "atomic.yaml", 1), "\x00")
	}
	return args
}

// shortBench is a comparison of one task with three trials, or a short measurement.
func shortBench(args []string) []string {
	switch {
	case slices.Contains(args, "pipeline"):
		return append(args, "--trials", "500", "--repeat", "1")
	case slices.Contains(args, "scale-out"):
		return append(args, "--processes", "1", "--duration", "2s")
	case slices.Contains(args, "suites"):
		return args[:2] // of every suite
	case slices.Contains(args, "report"):
		return args
	}
	args = append(args, "--seeds", "1", "--trials", "3", "--resamples", "10")
	if i := slices.Index(args, "--suite"); i > 0 {
		if strings.HasPrefix(args[i+1], "transfer-") {
			args = append(args, "--source-trials", "3")
		}
		if strings.Contains(args[i+1], "kernels") {
			args = append(args, "--table", "convolution_A100.csv,convolution_A4000.csv")
		}
	}
	if !slices.Contains(args, "--task") { // any of them
		task := map[string]string{"kernels": "convolution-a100", "kernels-starts": "convolution-a100-start-1", "odd": "levels-valley", "templates": "gemmini-x3", "transfer-budgets": "mobilenetv2-5p8-to-4p8", "transfer-kernels": "convolution-a4000-to-convolution-a100"}
		if slices.Contains(args, "test") {
			task = map[string]string{"kernels": "convolution-a100", "kernels-starts": "convolution-a100-start-1", "odd": "levels-waves"}
		}
		suite, usual := "", "mobilenetv2-4p8"
		if slices.Contains(args, "test") {
			usual = "mobilenetedgetpu-4p8"
		}
		if i := slices.Index(args, "--suite"); i > 0 {
			suite = args[i+1]
		}
		args = append(args, "--task", cmp.Or(task[suite], usual))
	}
	return args
}

// elsewhere says who runs a command: what a file of this folder, or of the
// repository, has.
type elsewhere struct{ file, text string }

// left are printed commands that are read as the command line reads them, and not
// run here, by how they start, and who runs them. Nearly all need a server.
func left() map[string]elsewhere {
	script := func(name, text string) elsewhere { return elsewhere{"testdata/script/" + name + ".txt", text} }
	return map[string]elsewhere{
		"run examples/mobilenetv2-":            {"../../README.md", "$ apollo run examples/mobilenetv2-"}, // TestReadme, and before all
		"up":                                   script("server", "\nserver --data"),
		"serve ":                               {"auth_test.go", `"serve", "proposer"}`},
		"study submit":                         script("server", "exec apollo study submit"),
		"study pause":                          script("server", "exec apollo study pause"),
		"study resume":                         script("server", "exec apollo study resume"),
		"study stop":                           script("server", "exec apollo study stop"),
		"study cancel":                         script("server", "apollo study cancel"),
		"study extend":                         script("differs", "apollo study extend"),
		"study watch":                          script("server", "exec apollo study watch"),
		"events tail":                          script("pareto", "exec apollo events tail"),
		"dlq ls":                               script("dlq", "exec apollo dlq ls"),
		"dlq show":                             script("dlq", "exec apollo dlq show"),
		"dlq retry":                            script("dlq", "exec apollo dlq retry"),
		"dlq rm":                               script("dlq", "exec apollo dlq rm"),
		"evaluator run":                        script("recheck-server", "apollo evaluator run"),
		"study recheck mine --evaluator other": script("recheck", "exec apollo --data d study recheck mine --exec 'sh sim.sh' --evaluator other"),
		"train ":                               script("train", "exec apollo train --out"), // it takes some hundred trials
		"run examples/explore.yaml --set metadata.name=again": script("train", "--set metadata.name=led --set spec.algorithm.options.policy=policy.json"),
		"workload import":                   script("workload", "exec apollo workload import"),
		"design eval --workload model.yaml": script("workload", "apollo design eval"),
	}
}

// Every command that a page prints is one that this build has, with its flags and
// its number of arguments. It is run, and ends well, in a folder with the examples,
// the studies that README.md runs and files of a reader's own, with fewer trials; or
// left says who runs it. Running takes minutes: `make printed` does it, and the
// everyday test reads.
func TestPrintedCommands(t *testing.T) {
	only := os.Getenv("APOLLO_PRINTED") // 1, or how the commands begin that are run
	runs := only != ""
	commands := printedCommands(t)
	readers := t.TempDir()
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	checkElsewhere(t)
	if err := os.Symlink(examples, filepath.Join(readers, "examples")); err != nil {
		t.Fatal(err)
	}
	readersFiles(t, readers)
	t.Chdir(readers)
	run := func(where string, args ...string) {
		t.Helper()
		if !runs {
			return
		}
		var stderr bytes.Buffer
		began := time.Now()
		code := 0
		if args[0] == "bench" { // it starts itself
			c := exec.CommandContext(t.Context(), "apollo", args...)
			c.Stderr = &stderr
			if c.Run() != nil {
				code = c.ProcessState.ExitCode()
			}
		} else {
			code = Main(t.Context(), args, nil, io.Discard, &stderr)
		}
		if code != cli.ExitOK && (code != cli.ExitInfeasible || args[0] != "run") { // four trials may find nothing
			t.Errorf("%s: apollo %s: exit code %d: %s", where, strings.Join(args, " "), code, &stderr)
		}
		if took := time.Since(began); took > time.Second {
			t.Logf("%s: apollo %s took %s", where, strings.Join(args, " "), took.Round(time.Second/10))
		}
	}
	for _, study := range []string{"6p8", "5p8-transfer"} {
		run("before all", "run", "examples/mobilenetv2-"+study+".yaml", "-q", "--set", "spec.budget.trials=61", "--set", "spec.algorithm.name=evolution")
	}
	base := filepath.Join(readers, "apollo-data")
	unused, ran, skipped, block := left(), 0, 0, 0
	for _, p := range commands {
		if _, err := readCommand(p.args); err != nil {
			t.Errorf("%s: apollo %s: %v", p.where, p.line, err)
			continue
		}
		if start := startOf(left(), p.line); start != "" {
			delete(unused, start)
			skipped++
			continue
		}
		if ran++; runs && only != "1" && !strings.HasPrefix(p.line, only) {
			continue
		}
		// A block, and what takes something to have been run, begins with the studies of
		// README.md.
		if start := startOf(before(), p.line); runs && (p.block != block || start != "") {
			block = p.block
			dir := t.TempDir()
			if err := os.CopyFS(filepath.Join(dir, "apollo-data"), os.DirFS(base)); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(examples, filepath.Join(dir, "examples")); err != nil {
				t.Fatal(err)
			}
			readersFiles(t, dir)
			t.Chdir(dir)
			if start != "" {
				first := before()[start]
				if first[0] == "bench" {
					first = shortBench(first)
				}
				run(p.where, first...)
			}
		}
		for i := range p.args {
			p.args[i] = namesOnPages().Replace(p.args[i])
		}
		run(p.where, shortened(p.args)...)
	}
	for start := range unused {
		t.Errorf("no page prints a command that starts with %q: take it out of left()", start)
	}
	if len(commands) < 70 || ran < 50 {
		t.Errorf("%d printed commands were found and %d run, want 70 and 50: are they not recognised any more?", len(commands), ran)
	}
	t.Logf("%d printed commands read, %d of them run, %d run elsewhere", len(commands), ran, skipped)
}

// startOf is the longest start of a line that a table has, or "".
func startOf[T any](table map[string]T, line string) (longest string) {
	for start := range table {
		if strings.HasPrefix(line+" ", start) && len(start) > len(longest) {
			longest = start
		}
	}
	return longest
}

// checkElsewhere looks whether what left names has the command.
func checkElsewhere(t *testing.T) {
	t.Helper()
	for start, e := range left() {
		text, err := os.ReadFile(e.file)
		if err != nil {
			t.Errorf("%q: %v", start, err)
			continue
		}
		if !strings.Contains(string(text), e.text) {
			t.Errorf("%s has no %q, which is to run %q", e.file, e.text, start)
		}
	}
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
