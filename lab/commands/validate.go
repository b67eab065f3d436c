package commands

import (
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"apollo/internal/nearest"
	"apollo/lab/validate"
	"apollo/services/cli"
)

// ValidateCommand is `apollo validate`.
func (a *Lab) ValidateCommand() *cobra.Command {
	var refs string
	var verbose bool
	var landscape string
	drawn := landscapeNames()
	c := &cobra.Command{
		Annotations: cli.PrintsRows(),
		Use:         "validate [REFERENCE...]", Short: "Compare the cost model with independent references, side by side",
		Long: `Compare the cost model with references that this project did not make: silicon, RTL
simulation, other models, compilers. Every row of every file that is there is judged by
the tolerance of its reference. References of a few published facts are carried by the program;
others that are not there are listed, with where they come from. Names choose some of them.
It exits with 1 when a row is outside its tolerance or could not be read, with 3 when the
folder that is named has no reference.
With --landscape TEMPLATE it needs no reference: it draws 100,000 designs of the template
for each of its target networks, proves the optimum of each within 4.8, 5.8 and 6.8 mm2,
and prints how many designs each rule rejects, the optima and their levels, and how good each network's
optimum is for the others. That takes a minute or two.`,
		Example:           "  apollo validate eyeriss_alexnet power_published -v\n  apollo validate --refs ../shared/refs\n  apollo validate --landscape " + drawn[0],
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: cobra.FixedCompletions(validate.Names(), cobra.ShellCompDirectiveNoFileComp),
		RunE: func(c *cobra.Command, names []string) error {
			if err := knownReferences(names); err != nil {
				return err
			}
			if landscape != "" {
				const draws = 100_000
				x, err := landscapeOf(landscape)
				if err != nil {
					return err
				}
				report, err := a.landscape(c.Context(), x, draws)
				if err != nil {
					return err
				}
				return a.Print(landscapeAnswer(report))
			}
			report := validate.Run(os.DirFS(refs), names...)
			looked := len(report.Absent)
			missing := len(report.Rows)+len(report.Bad) == 0
			report.Published()
			if err := a.Print(validateAnswer(&report, refs, verbose)); err != nil {
				return err
			}
			if missing && (len(report.Rows) == 0 || c.Flags().Changed("refs") || os.Getenv("APOLLO_REFS") != "") {
				return cli.Hinted(cli.ExitNotFound, "--refs or APOLLO_REFS says in which folder the references are", fmt.Errorf("nothing of the folder was compared: %s has none of %s", refs, cli.Plural(looked, "reference")))
			}
			return verdictOf(&report)
		},
	}
	c.Flags().StringVar(&refs, "refs", cli.EnvOr("APOLLO_REFS", "../shared/refs"), "`folder` with the reference files (APOLLO_REFS)")
	c.Flags().StringVar(&landscape, "landscape", "", "describe the space of a `template` instead: "+strings.Join(drawn, ", "))
	_ = c.RegisterFlagCompletionFunc("landscape", cobra.FixedCompletions(drawn, cobra.ShellCompDirectiveNoFileComp))
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "name the rows behind every error")
	return c
}

// knownReferences refuses a name that no reference has.
func knownReferences(names []string) error {
	for _, n := range names {
		if !slices.Contains(validate.Names(), n) {
			hint := "there are: " + strings.Join(validate.Names(), ", ")
			if near := nearest.Name(n, validate.Names()); near != "" {
				hint = "did you mean " + near + "?"
			}
			return cli.Hinted(cli.ExitUsage, hint, fmt.Errorf("no reference is called %q", n))
		}
	}
	return nil
}

// verdictOf is the error of a comparison that is not good in everything.
func verdictOf(r *validate.Report) error {
	switch {
	case r.Failed > 0:
		return fmt.Errorf("%d of %d comparisons are outside their tolerance", r.Failed, r.Judged)
	case len(r.Bad) > 0:
		return cli.Hinted(cli.ExitError, "the others were compared: mend the file, or take it away", fmt.Errorf("%s could not be compared: %s", cli.Plural(len(r.Bad), "place"), r.Bad[0]))
	}
	return nil
}

func validateAnswer(r *validate.Report, refs string, verbose bool) cli.Answer {
	g := &cli.Grid{Header: []string{"REFERENCE", "METRIC", ">THEIRS", ">OURS", "UNIT", ">ERROR", "TOLERANCE", "VERDICT"}}
	var items []any
	for i := range r.Rows {
		row := &r.Rows[i]
		items = append(items, row)
		g.Add(strings.TrimSuffix(strings.TrimSuffix(path.Base(row.Reference), ".gz"), ".csv"), row.Metric, shortNumber(row.Theirs), shortNumber(row.Ours), row.Unit,
			errorText(row), row.Tolerance, string(row.Verdict))
	}
	return cli.Answer{Value: r, Items: items, Grid: g, Text: func(w io.Writer, p cli.Paint) {
		g.Text(w, p)
		for i := range r.Rows {
			if row := &r.Rows[i]; len(row.Misses) > 0 && (verbose || row.Verdict == validate.Fail) {
				fmt.Fprintf(w, "\n%s, %s:\n  %s\n", row.Reference, row.Metric, strings.Join(row.Misses, "\n  "))
			}
		}
		for _, bad := range r.Bad {
			fmt.Fprintf(w, "bad: %s\n", bad)
		}
		if len(r.Carried) > 0 {
			fmt.Fprintln(w, p.Wrap("carried by the program: "+strings.Join(r.Carried, ", "), "  "))
		}
		for _, a := range r.Absent {
			fmt.Fprintln(w, p.Wrap(fmt.Sprintf("absent: %s (looked in %s): %s", a.File, refs, a.Source), "  "))
		}
		verdict := p.Green("all within tolerance")
		switch {
		case r.Failed > 0:
			verdict = p.Red(fmt.Sprintf("%d outside tolerance", r.Failed))
		case len(r.Bad) > 0:
			verdict = p.Red(fmt.Sprintf("%d bad rows or files", len(r.Bad)))
		case r.Judged == 0:
			verdict = p.Red("nothing was compared")
		}
		if r.Missed > 0 {
			verdict += fmt.Sprintf(", and %s known to miss", cli.Plural(r.Missed, "row"))
		}
		fmt.Fprintf(w, "%s, %s absent: %s\n", cli.Plural(r.Judged, "comparison"), cli.Plural(len(r.Absent), "reference"), verdict)
	}}
}

// shortNumber prints at most five significant digits, whole numbers in full.
func shortNumber(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e9 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', 5, 64)
}

func errorText(r *validate.Row) string {
	if r.Unit == "rank" {
		return ""
	}
	return cli.Percent(r.Error)
}
