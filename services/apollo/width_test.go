package main

import (
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"apollo/services/cli"
)

// unseen are the commands with rows that this test does not run, and why.
func unseen() map[string]string {
	return map[string]string{
		"bench": "runs searches", "bench report": "needs searches", "certify": "tables.txt has it", "design neighbours": "tables.txt has it", "design sensitivity": "tables.txt has it",
		"events tail": "prints lines as they come, and no table", "events validate": "needs a file", "study recheck": "measures anew",
		"design export": "prints files for other tools", "trial ask": "needs a manual study", "validate": "needs references",
		"workload import": "needs a file of another program", "train": "train.txt has it", "transfer candidates": "needs another study", "transfer report": "needs a study with sources",
	}
}

// copied reports whether a line is there to be copied whole: a command, a path, a hash.
func copied(line string) bool {
	for _, start := range []string{"duckdb -c", "log ", "next: ", "hash "} {
		if strings.HasPrefix(strings.TrimSpace(line), start) {
			return true
		}
	}
	return false
}

// Answers of a study with a long name, several networks and long metrics fit too.
func TestLongNamesFit(t *testing.T) {
	data := t.TempDir()
	const name = "a-study-with-a-rather-long-name-of-many-words"
	sets := []string{
		"metadata.name=" + name, "spec.budget.trials=12", "spec.workload.networks[1]={name: mobilenet_edgetpu}",
		"spec.metrics[0]={name: a_metric_with_a_rather_long_name_of_many_words, expr: area * 2, unit: mm2}",
	}
	args := []string{"run", tinyStudy(t), "--data", data, "-q"}
	for _, s := range sets {
		args = append(args, "--set", s)
	}
	if code, _, stderr := try(t, args...); code != cli.ExitOK {
		t.Fatal(stderr)
	}
	for _, width := range []int{60, 80, 100} {
		t.Setenv("COLUMNS", strconv.Itoa(width))
		for _, args := range [][]string{
			{"study", "show", name},
			{"study", "ls"},
			{"trial", "ls", name},
			{"trial", "show", name, "3"},
			{"study", "verify", name},
			{"design", "eval", "--study", name + "/3"},
			{"design", "diff", "--study", name, "baseline", "3"},
			{"design", "neighbours", "--study", name},
		} {
			_, stdout, _ := try(t, append(args, "--data", data, "-q")...)
			for line := range strings.Lines(stdout) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width && !copied(line) {
					t.Errorf("apollo %q prints %d columns of %d: %s", args, n, width, line)
				}
			}
		}
	}
}

// No answer is wider than the 80 columns that COLUMNS says.
func TestNoTableIsWiderThan80(t *testing.T) {
	if testing.Short() {
		t.Skip("runs every command that prints a table")
	}
	t.Setenv("COLUMNS", "80")
	study, data := tinyStudy(t), t.TempDir()
	for _, set := range []string{"metadata.name=tiny", "metadata.name=other"} {
		if code, _, stderr := try(t, "run", study, "--set", set, "--data", data, "-q"); code != cli.ExitOK {
			t.Fatal(stderr)
		}
	}
	arguments := words(study)
	arguments["compare"] = []string{"tiny", "other"}
	arguments["evaluator check"] = []string{"--exec", "python3 ../../examples/evaluator.py", "--quick", "--slots", "1"}
	for _, c := range leaves((&app{Terminal: &cli.Terminal{Stdout: &cli.Outlet{}}}).root()) {
		name := strings.TrimPrefix(c.CommandPath(), "apollo ")
		if unseen()[name] != "" || !printsTable(c) {
			continue
		}
		if _, err := exec.LookPath("python3"); name == "evaluator check" && err != nil {
			t.Log("evaluator check is not run: there is no python3")
			continue
		}
		args, ok := arguments[name]
		if !ok {
			args = placeholders(c)
		}
		code, stdout, stderr := try(t, slices.Concat(strings.Fields(name), args, []string{"--data", data, "-q"})...)
		if code == cli.ExitUsage || code == cli.ExitNotFound || stdout == "" {
			t.Errorf("apollo %s %q prints nothing: exit code %d, %s", name, args, code, stderr)
			continue
		}
		for line := range strings.Lines(stdout) {
			if line = strings.TrimSuffix(line, "\n"); utf8.RuneCountInString(line) > 80 && !copied(line) {
				t.Errorf("apollo %s prints %d columns: %s", name, utf8.RuneCountInString(line), line)
			}
		}
	}
}

// printsTable reports whether a command's answer has rows.
func printsTable(c *cobra.Command) bool { return slices.Contains(cli.FormatsOf(c), "csv") }
