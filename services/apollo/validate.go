package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"apollo/evaluator/validate"
)

func (a *app) validateCommand() *cobra.Command {
	var refs string
	var verbose, landscape bool
	c := &cobra.Command{
		Use: "validate", Short: "Compare the cost model with independent references, side by side",
		Long: `Compare the cost model with references that this project did not make: silicon, RTL
simulation, other models, compilers. Every row of every file that is there is judged by
the tolerance of its reference; files that are not there are listed. It exits with 1 when
a row is outside its tolerance.
With --landscape it needs no reference: it draws 100,000 designs of template edge for each
target network, proves the optimum of each within 4.8, 5.8 and 6.8 mm2, and prints how many
designs each rule rejects, the optima and their levels, and how good each network's
optimum is for the others. That takes a minute or two.`,
		Example: "  apollo validate --refs ../shared/refs\n  apollo validate --landscape",
		Args:    exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			if landscape {
				const draws = 100_000
				report, err := a.landscape(c.Context(), draws)
				if err != nil {
					return err
				}
				return a.print(landscapeAnswer(report))
			}
			report, err := validate.Run(os.DirFS(refs))
			if err != nil {
				return err
			}
			if err := a.print(validateAnswer(&report, refs, verbose)); err != nil {
				return err
			}
			if report.Failed > 0 {
				return fmt.Errorf("%d of %d comparisons are outside their tolerance", report.Failed, len(report.Rows))
			}
			return nil
		},
	}
	c.Flags().StringVar(&refs, "refs", envOr("APOLLO_REFS", "../shared/refs"), "`folder` with the reference files (APOLLO_REFS)")
	c.Flags().BoolVar(&landscape, "landscape", false, "describe the space of template edge instead")
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "name the rows behind every error")
	return c
}

func validateAnswer(r *validate.Report, refs string, verbose bool) answer {
	g := &grid{header: []string{"REFERENCE", "METRIC", ">THEIRS", ">OURS", "UNIT", ">ERROR", "TOLERANCE", "VERDICT"}}
	var items []any
	for i := range r.Rows {
		row := &r.Rows[i]
		items = append(items, row)
		g.add(strings.TrimSuffix(row.Reference, ".csv"), row.Metric, shortNumber(row.Theirs), shortNumber(row.Ours), row.Unit,
			errorText(row), row.Tolerance, string(row.Verdict))
	}
	return answer{value: r, items: items, grid: g, text: func(w io.Writer, p paint) {
		g.text(w, p)
		for i := range r.Rows {
			if row := &r.Rows[i]; len(row.Misses) > 0 && (verbose || row.Verdict == validate.Fail) {
				fmt.Fprintf(w, "\n%s, %s:\n  %s\n", row.Reference, row.Metric, strings.Join(row.Misses, "\n  "))
			}
		}
		for _, name := range r.Absent {
			fmt.Fprintf(w, "absent: %s (looked in %s)\n", name, refs)
		}
		verdict := p.green("all within tolerance")
		switch {
		case r.Failed > 0:
			verdict = p.red(fmt.Sprintf("%d outside tolerance", r.Failed))
		case len(r.Rows) == 0:
			verdict = "nothing was compared: no reference file is there"
		}
		fmt.Fprintf(w, "%d comparisons, %d references absent: %s\n", len(r.Rows), len(r.Absent), verdict)
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
	return percent(r.Error)
}
