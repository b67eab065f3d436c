package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"apollo/services/cli"
	"apollo/services/draw"
)

// try runs a command line and returns its exit code and what it printed.
func try(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Main(context.Background(), args, strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

// placeholders are the arguments that the usage of a command asks for.
func placeholders(c *cobra.Command) []string {
	optional := regexp.MustCompile(`\[[^\]]*\]`)
	return strings.Fields(optional.ReplaceAllString(c.Use, ""))[1:]
}

// words are arguments that commands take, by their name without "apollo", where
// any word in the place of those of the usage would not do.
func words(study string) map[string][]string {
	return map[string][]string{
		"run": {study}, "study watch": {"tiny"}, "study show": {"tiny"}, "study lint": {study}, "study fork": {"tiny", "--at", "9", "--as", "forked"},
		"study extend": {"tiny", "--trials", "9"}, "trial ls": {"tiny"}, "trial show": {"tiny", "0"},
		// The whole space takes a second of CPU time, in each format.
		"certify":     {study, "--set", "spec.space.fix={lanes: 32, pe_memory: 512 KiB}"},
		"design diff": {"baseline", "baseline,lanes=32"}, "workload show": {"mobilenet_v2"}, "dlq rm": {"1"}, "study rm": {"tiny", "--dry-run"}, "archive rm": {"tiny", "--dry-run"},
	}
}

// leaves lists the commands that do something, in order.
func leaves(c *cobra.Command) []*cobra.Command {
	var out []*cobra.Command
	for _, sub := range c.Commands() {
		out = append(out, leaves(sub)...)
	}
	if c.HasParent() && (!c.HasSubCommands() || c.Name() == "bench") {
		out = append(out, c)
	}
	return out
}

func tinyStudy(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tiny.yaml")
	src, err := os.ReadFile("../../examples/mobilenetv2-6p8.yaml")
	if err != nil {
		t.Fatal(err)
	}
	src = regexp.MustCompile(`(?m)trials: .*`).ReplaceAll(src, []byte("trials: 16"))
	src = regexp.MustCompile(`(?m)name: mobilenetv2-6p8`).ReplaceAll(src, []byte("name: tiny"))
	if err := os.WriteFile(path, src, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A format that a command does not have is refused before it does anything.
func TestFormatsRefused(t *testing.T) {
	t.Parallel()
	study := tinyStudy(t)
	arguments := words(study)
	for _, c := range leaves((&app{Terminal: &cli.Terminal{Stdout: &cli.Outlet{}}}).root()) {
		name := strings.TrimPrefix(c.CommandPath(), "apollo ")
		data := filepath.Join(t.TempDir(), "data")
		typed, ok := arguments[name]
		if !ok {
			typed = placeholders(c)
		}
		for _, format := range []string{"table", "json", "jsonl", "yaml", "csv", "svg", "png", "xml", "JSON", ""} {
			if slices.Contains(cli.FormatsOf(c), format) {
				continue
			}
			args := slices.Concat(strings.Fields(name), typed, []string{"--data", data, "-o", format})
			code, stdout, stderr := try(t, args...)
			if code != cli.ExitUsage || stdout != "" || !strings.Contains(stderr, "output format") && !strings.Contains(stderr, "prints no answer in formats") {
				t.Errorf("apollo %s: exit code %d, stdout %q, stderr %q; want 2, nothing, and the formats", strings.Join(args, " "), code, stdout, stderr)
			}
		}
		if _, err := os.Stat(data); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("apollo %s made the data directory", name)
		}
	}
}

// A format that a command has is what it prints.
func TestFormatsPrinted(t *testing.T) {
	t.Parallel()
	study, data := tinyStudy(t), t.TempDir()
	arguments := words(study)
	arguments["compare"] = []string{"tiny", filepath.Join(data, "log", "study=tiny", "*", "*.parquet")}
	commands := []string{
		"run", "study show", "study ls", "study watch", "study lint", "trial ls", "trial show", "certify", "version", "space ls",
		"space show", "space size", "workload ls", "workload show", "evaluator ls", "design eval", "design diff", "design neighbours",
		"design export", "events schema", "bench suites",
	}
	if testing.Short() {
		commands = slices.DeleteFunc(commands, func(name string) bool { return name == "certify" || name == "design neighbours" })
	}
	root := (&app{Terminal: &cli.Terminal{Stdout: &cli.Outlet{}}}).root()
	for _, name := range commands {
		c, _, err := root.Find(strings.Fields(name))
		if err != nil {
			t.Fatal(err)
		}
		for _, format := range cli.FormatsOf(c) {
			args := slices.Concat(strings.Fields(name), arguments[name], []string{"--data", data, "-q", "-o", format})
			if name == "certify" && slices.Contains(draw.Formats(), format) {
				args = append(args, "--sweep", "area=5..6mm2", "--steps", "2") // one optimum is no picture
			}
			code, stdout, stderr := try(t, args...)
			if code != cli.ExitOK || !isFormat(format, stdout) {
				t.Errorf("apollo %s: exit code %d, stdout %.200q, stderr %q; want 0 and %s", strings.Join(args, " "), code, stdout, stderr, format)
			}
		}
	}
}

// isFormat reports whether a text is what a format promises.
func isFormat(format, text string) bool {
	var v any
	switch format {
	case "json":
		return json.Unmarshal([]byte(text), &v) == nil
	case "jsonl":
		for line := range strings.Lines(text) {
			if json.Unmarshal([]byte(line), &v) != nil {
				return false
			}
		}
	case "yaml":
		return yaml.Unmarshal([]byte(text), &v) == nil
	case "csv":
		rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		return err == nil && len(rows) > 0
	case "svg":
		return strings.Contains(text, "<svg")
	case "png":
		return strings.HasPrefix(text, "\x89PNG")
	}
	return text != ""
}

// fullDisk takes no byte more than there is room for.
type fullDisk struct{ room int }

func (d *fullDisk) Write(b []byte) (int, error) {
	n := min(d.room, len(b))
	d.room -= n
	if n < len(b) {
		return n, syscall.ENOSPC
	}
	return n, nil
}

// An answer that was not written whole is an error, whatever its format and
// wherever the disk became full.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"version", "space show", "workload ls", "design eval", "help", "version --help", "study", "completion bash"} {
		root := (&app{Terminal: &cli.Terminal{Stdout: &cli.Outlet{}}}).root()
		c, _, err := root.Traverse(strings.Fields(name))
		if err != nil {
			t.Fatal(err)
		}
		for _, format := range cli.FormatsOf(c) {
			args := append(strings.Fields(name), "-o", format)
			_, whole, _ := try(t, args...)
			for _, room := range []int{0, 1, len(whole) - 1} {
				var stderr bytes.Buffer
				code := Main(context.Background(), args, strings.NewReader(""), &fullDisk{room}, &stderr)
				if code != cli.ExitError || !strings.Contains(stderr.String(), "no space left") {
					t.Errorf("apollo %s with room for %d of %d bytes: exit code %d, stderr %q; want 1 and the reason", strings.Join(args, " "), room, len(whole), code, stderr.String())
				}
			}
		}
	}
}
