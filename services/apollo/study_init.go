package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"apollo/events"
	"apollo/services/cli"
	"apollo/services/inspect"
	"apollo/services/studyfile"
)

// firstStudy is what `study init` asks.
type firstStudy struct {
	name, template, objective string
	networks, limits          []string
	out                       string
}

func (a *app) studyInitCommand() *cobra.Command {
	var v firstStudy
	c := &cobra.Command{
		Annotations: cli.PrintsNothing(),
		Use:         "init", Short: "Write a commented study file",
		Long: `Write a study file with a comment beside everything that can be changed. On a terminal it
asks for what the flags do not say: template, networks and limits.`,
		Example: "  apollo study init --network mobilenet_v2 --limit 'area<=6.8 mm2' --out mine.yaml",
		Args:    cli.Exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			if f, ok := a.Stdin.(*os.File); ok && cli.IsTerminal(f) && v.out != "" {
				v.ask(c, bufio.NewReader(a.Stdin), a.Stderr)
			}
			text, err := v.text()
			if err != nil {
				return err
			}
			if _, err := studyfile.Parse("the study", []byte(text), inspect.Builtins().Study(), studyfile.Options{}); err != nil {
				return cli.Hinted(cli.ExitUsage, "`apollo space ls` and `apollo workload ls` list templates and networks", err)
			}
			if v.out == "" {
				_, err := io.WriteString(a.Stdout, text)
				return err
			}
			f, err := os.OpenFile(v.out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
			if errors.Is(err, os.ErrExist) {
				return cli.Usagef("%s is there already: name another file with --out, or remove it", v.out)
			}
			if err != nil {
				return fmt.Errorf("write the study: %w", err)
			}
			_, err = f.WriteString(text)
			if err = errors.Join(err, f.Close()); err == nil {
				a.Say("next: apollo run %s", shellWord(v.out))
			}
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&v.name, "name", "mine", "`name` of the study")
	f.StringVar(&v.template, "template", "edge", "`template`: "+strings.Join(templateNames(), "|"))
	f.StringVar(&v.objective, "minimize", "latency", "`metric` to minimise")
	f.StringArrayVar(&v.networks, "network", nil, "built-in `network`, as often as wanted; default: mobilenet_v2")
	f.StringArrayVar(&v.limits, "limit", nil, "`limit` on a metric, as often as wanted: 'area<=6.8 mm2', 'fps>=30'")
	f.StringVar(&v.out, "out", "", "new `file` to write; default: the standard output")
	_ = c.RegisterFlagCompletionFunc("template", completeTemplates)
	_ = c.RegisterFlagCompletionFunc("network", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return inspect.Builtins().NetworkNames, cobra.ShellCompDirectiveNoFileComp
	})
	return c
}

// ask asks for what no flag says; an empty line takes the default.
func (v *firstStudy) ask(c *cobra.Command, in *bufio.Reader, out io.Writer) {
	line := func(flag, question, fallback string) string {
		if c.Flags().Changed(flag) {
			return ""
		}
		fmt.Fprintf(out, "%s [%s]: ", question, fallback)
		text, _ := in.ReadString('\n')
		return strings.TrimSpace(text)
	}
	if t := line("template", "template: "+strings.Join(templateNames(), ", "), v.template); t != "" {
		v.template = t
	}
	if t := line("network", "networks, with commas between them (apollo workload ls)", "mobilenet_v2"); t != "" {
		v.networks = strings.FieldsFunc(t, func(r rune) bool { return r == ',' || r == ' ' })
	}
	if t := line("limit", "limits, as in area<=6.8 mm2, power<=2 W", "none"); t != "" && t != "none" {
		v.limits = strings.Split(t, ",")
	}
}

// text writes the study.
func (v *firstStudy) text() (string, error) {
	if !events.IsName(v.name) {
		return "", cli.Usagef("--name %q: want a name of 1 to 63 of a-z, 0-9 and \"-\"", v.name)
	}
	if !slices.Contains(templateNames(), v.template) {
		hint := strings.Join(templateNames(), ", ")
		if near := cli.Nearest(v.template, templateNames()); near != "" {
			hint = "did you mean " + near + "?"
		}
		return "", cli.Hinted(cli.ExitUsage, hint, fmt.Errorf("there is no template %q", v.template))
	}
	if len(v.networks) == 0 {
		v.networks = []string{"mobilenet_v2"}
	}
	var b strings.Builder
	fmt.Fprintf(&b, `# A study for apollo run. docs/study-file.md has every field.
apiVersion: apollo/v1
kind: Study
metadata: {name: %s}
spec:
  seed: 1                  # the same seed tries the same designs
  space:
    template: %s
    # fix: {}              # parameters held at one level (apollo space show %[2]s)
    # restrict: {}         # parameters held to some levels
  workload:
    networks:              # apollo workload ls; weight: makes one count more
`, v.name, v.template)
	for _, n := range v.networks {
		fmt.Fprintf(&b, "      - {name: %s}\n", n)
	}
	fmt.Fprintf(&b, "  objectives:\n    - {metric: %s, goal: minimize}\n", v.objective)
	limits := "  constraints:             # also power, fps, edp; latency.worst: of the worst network\n"
	if len(v.limits) == 0 {
		limits = "  # constraints:           # also power, fps, edp; latency.worst: of the worst network\n  #   - {metric: area, max: 6.8 mm2}\n"
	}
	b.WriteString(limits)
	for _, l := range v.limits {
		metric, bound, max := strings.Cut(l, "<=")
		side := "max"
		if !max {
			if metric, bound, max = strings.Cut(l, ">="); !max {
				return "", cli.Usagef("--limit %q: want metric<=value or metric>=value, as in 'area<=6.8 mm2'", l)
			}
			side = "min"
		}
		fmt.Fprintf(&b, "    - {metric: %s, %s: %s}\n", strings.TrimSpace(metric), side, strings.TrimSpace(bound))
	}
	b.WriteString("  budget: {trials: 400}\n")
	return b.String(), nil
}
