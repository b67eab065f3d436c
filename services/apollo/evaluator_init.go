package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"apollo/events"
	"apollo/services/cli"
	"apollo/services/studyfile"
)

func (a *app) evaluatorInitCommand() *cobra.Command {
	var program programFlags
	var name, out string
	c := &cobra.Command{
		Annotations: cli.PrintsNothing(),
		Use:         "init --exec COMMAND", Short: "Write a study file for a program",
		Long: `Write a study file from what a program says about itself: its parameters with their
levels, its metrics with their units. The first metric is minimised; change what is wrong.`,
		Example: "  apollo evaluator init --exec 'python3 examples/evaluator.py' --out mine.yaml",
		Args:    cli.Exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			argv, err := program.argv()
			if err != nil {
				return err
			}
			o, err := program.options()
			if err != nil {
				return err
			}
			d, err := a.askProgram(c.Context(), argv, o)
			switch {
			case errors.Is(err, studyfile.ErrSilent):
				return cli.Hinted(cli.ExitError, describeHint, err)
			case errors.Is(err, errNoLevels):
				return cli.Hinted(cli.ExitError, "give each of them values (ascending numbers) or labels in the description", err)
			case err != nil:
				return err
			}
			if name == "" {
				name = label(d.Name)
			}
			if !events.IsName(name) {
				return cli.Usagef("--name %q: want a name of 1 to 63 of a-z, 0-9 and \"-\"", name)
			}
			if len(d.Metrics) == 0 || len(d.Params) == 0 {
				return cli.Hinted(cli.ExitError, "list parameters and metrics in the description", errors.New("the program says no parameters or no metrics"))
			}
			study := initialStudy(name, program.exec, d)
			if _, err := a.parseStudy("the study", []byte(study), a.studyOptions(cmp.Or(program.dir, "."), nil)); err != nil {
				return cli.Hinted(cli.ExitError, "correct the description of the program", fmt.Errorf("no study can be written of what the program says of itself: %w", err))
			}
			if out == "" {
				_, err := io.WriteString(c.OutOrStdout(), study)
				return err
			}
			f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
			if err != nil {
				return fmt.Errorf("write the study: %w", err)
			}
			_, err = f.WriteString(study)
			if closeErr := f.Close(); err == nil {
				err = closeErr
			}
			return err
		},
	}
	program.register(c)
	c.Flags().StringVar(&name, "name", "", "`name` of the study; default: that of the program")
	c.Flags().StringVar(&out, "out", "", "new `file` to write; default: the standard output")
	return c
}

// describeHint is what a program answers to be described.
const describeHint = `let it answer the line {"id": "1", "op": "describe"} with its parameters and metrics:
  {"id": "1", "name": "mine", "version": "1", "parameters": [{"name": "x", "unit": "", "values": [1, 2, 4]}], "metrics": [{"name": "cost", "unit": "s"}]}
or write the study by hand, as examples/own-evaluator.yaml is (docs/plug-in-evaluator.md)`

// label makes a DNS label of a program's name.
func label(name string) string {
	l := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(name))
	if l = strings.Trim(l, "-"); l == "" {
		return "mine"
	}
	return strings.TrimRight(l[:min(len(l), 63)], "-") // the longest DNS label
}

// initialStudy writes the study: short, with one line for each thing to change.
func initialStudy(name, exec string, d studyfile.Described) string {
	var b strings.Builder
	deterministic := d.Deterministic == nil || *d.Deterministic
	fmt.Fprintf(&b, `apiVersion: apollo/v1
kind: Study
metadata:
  name: %s
spec:
  seed: 1
  space:
    parameters: %s
  evaluator:
    name: %s
    exec: %q
    deterministic: %t
    timeout: 30 s         # for one design; startup: is the time to load
    metrics: %s
  objectives:
    - {metric: %s, goal: minimize}
`, name, d.Parameters(), name, exec, deterministic, d.MetricList(), d.Metrics[0].Short())
	for i, m := range d.Metrics {
		if i == 1 {
			b.WriteString("  # constraints:\n")
		}
		if i > 0 {
			fmt.Fprintf(&b, "  #   - {metric: %s, max: 1 %s}\n", m.Short(), m.Unit)
		}
	}
	b.WriteString("  budget: {trials: 60}\n")
	return b.String()
}
