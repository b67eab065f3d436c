package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"apollo/events"
	"apollo/services/cli"
	"apollo/services/client"
	"apollo/services/draw"
	"apollo/services/transfer"
)

func (a *app) transferReportCommand() *cobra.Command {
	var run string
	c := &cobra.Command{
		Annotations: cli.PrintsPictures(),
		Use:         "report STUDY", Short: "Say what a study's sources brought: trials saved, credit, alarms",
		Long: `Compare the trials of a study that knew of its sources with those of its control arm,
which did not: how many trials the sources saved, with an interval, or that nothing can be
claimed ("~"); what each source is credited with; and an alarm when transfer hurt.`,
		Example: "  apollo transfer report mobilenetv2-5p8\n  apollo transfer report mobilenetv2-5p8 -o svg > transfer.svg", Args: cli.Exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			s, err := a.open(ctx, c, forReading)
			if err != nil {
				return err
			}
			defer s.close(ctx)
			view, err := s.study(ctx, args[0], run)
			if err != nil {
				return err
			}
			r, err := transferReport(ctx, s, view)
			if err != nil {
				return err
			}
			if r == nil {
				return cli.Hinted(cli.ExitUsage, "`apollo transfer candidates` shows what a study could take", fmt.Errorf("study %s has no sources", view.Study))
			}
			return a.Print(cli.Answer{
				Value: r, Text: func(w io.Writer, p cli.Paint) { broughtText(w, p, r) },
				Draw: func(w io.Writer, format string) error { return draw.Compare(w, format, reportPicture(r)) },
			})
		},
	}
	c.Flags().StringVar(&run, "run", "", "the `run`; default: the latest")
	return c
}

// transferReport is the report of a run; nil when it has no sources.
func transferReport(ctx context.Context, s *session, view *client.StudyView) (*transfer.Report, error) {
	if len(view.Sources) == 0 {
		return nil, nil
	}
	l, err := readLedger(ctx, s.bus, view)
	if err != nil {
		return nil, err
	}
	metric := view.Spec.MetricIndex(view.Spec.Objectives[0].Metric)
	var tried []transfer.Tried
	for i := range l.trials {
		t := &l.trials[i]
		if t.result == nil || !view.Spec.Full(t.design) {
			continue
		}
		row := transfer.Tried{Trial: t.number, Origin: t.origin, Feasible: t.judgement.Feasible, Value: math.NaN()}
		if metric < len(t.result.Values) {
			row.Value = t.result.Values[metric]
		}
		row.Feasible = row.Feasible && !math.IsNaN(row.Value)
		tried = append(tried, row)
	}
	return transfer.NewReport(view.Spec, view.Run, view.Sources, tried), nil
}

func broughtText(w io.Writer, p cli.Paint, r *transfer.Report) {
	fmt.Fprintf(w, "%s run %s: what its sources brought\n\n", p.Bold(r.Study), r.Run)
	g := &cli.Grid{Header: []string{"ARM", ">TRIALS", ">KNOWN", ">FEASIBLE", ">BEST " + strings.ToUpper(cli.Bare(r.Metric, r.Unit))}}
	armRow(g, r, "with the sources", &r.Search)
	armRow(g, r, "control, without", &r.Control)
	g.Text(w, p)
	fmt.Fprintln(w)
	reportSummary(w, p, r)
	fmt.Fprintln(w)
	credits := &cli.Grid{Header: []string{"SOURCE", "USE", ">TRIALS", ">FEASIBLE", ">IMPROVED", ">CREDIT", "CAME AS"}}
	for i := range r.Credit {
		c := &r.Credit[i]
		found := ""
		if c.FoundBest {
			found = ", the best design"
		}
		credits.Add(c.Study, dash(c.Use), cli.Count(c.Trials), cli.Count(c.Feasible), cli.Count(c.Improved), cli.Percent(c.Share), originText(c)+found)
	}
	credits.Text(w, p)
}

func armRow(g *cli.Grid, r *transfer.Report, name string, arm *transfer.Arm) {
	best := "-"
	if arm.Best != nil {
		best = cli.Quantity(*arm.Best, r.Unit)
	}
	g.Add(name, cli.Count(arm.Trials), cli.Count(arm.Known), cli.Count(arm.Feasible), best)
}

// sourceText is a source as a run pinned it.
func sourceText(s *events.SourcePin) string {
	parts := []string{dash(s.Use)}
	if s.Kept > 0 {
		parts = append(parts, cli.Count(s.Kept)+" used")
	}
	if s.Quarantined > 0 && len(s.LeftOut) == 0 {
		parts = append(parts, cli.Count(s.Quarantined)+" set aside")
	}
	for _, l := range s.LeftOut {
		if l.Files > 0 {
			parts = append(parts, cli.Plural(l.Files, "file")+" not used: "+l.Reason)
		} else {
			parts = append(parts, cli.Plural(l.Rows, "row")+" not used: "+l.Reason)
		}
	}
	// A run of an older build has no reasons.
	if s.DamagedFiles > 0 && len(s.LeftOut) == 0 {
		parts = append(parts, cli.Plural(s.DamagedFiles, "damaged file"))
	}
	if s.Why != "" {
		parts = append(parts, "found: "+s.Why)
	}
	return fmt.Sprintf("%s, run %s: %s trials (%s)", s.Study, s.Run, cli.Count(s.Trials), strings.Join(parts, "; "))
}

// worthSaying reports whether a run's answer has to say what its sources
// brought: measurements that were taken over cost nothing and cannot hurt.
func worthSaying(r *transfer.Report) bool {
	merged := !slices.ContainsFunc(r.Credit, func(c transfer.Credit) bool { return c.Use != transfer.UseMerge })
	return r.Verdict != transfer.NoControl || len(r.Alarms) > 0 || !merged
}

// reportSummary is the part of the report that ends a run: the verdict and the
// alarms.
func reportSummary(w io.Writer, p cli.Paint, r *transfer.Report) {
	fmt.Fprintf(w, "transfer  %s\n", verdictText(r))
	for _, alarm := range r.Alarms {
		fmt.Fprintf(w, "%s  %s\n", p.Red("alarm   "), alarm)
	}
}

func verdictText(r *transfer.Report) string {
	if r.Saved == nil {
		return "no control arm, so nothing can be said: transfer: {control: 10%} gives one"
	}
	interval := fmt.Sprintf("%+.0f trials of %s (%+.0f to %+.0f, p %.2g)", r.Saved.Estimate, cli.Count(r.Compared), r.Saved.Low, r.Saved.High, *r.P)
	switch r.Verdict {
	case transfer.Helped:
		return "saved " + strings.ReplaceAll(interval, "+", "")
	case transfer.Hurt:
		return "hurt: " + interval
	}
	return "~ nothing can be claimed: " + interval
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func originText(c *transfer.Credit) string {
	var parts []string
	for _, o := range c.Origins {
		parts = append(parts, cli.Count(o.Trials)+" "+o.Origin)
	}
	return dash(strings.Join(parts, ", "))
}

func reportPicture(r *transfer.Report) *draw.Comparison {
	c := &draw.Comparison{
		Title: r.Study + ": " + verdictText(r), Value: cli.Bare(r.Metric, r.Unit), Text: drawnText(r.Unit), BarTitle: "Share of the improvement by source",
		Curves: []draw.Curve{{Name: "with the sources", Values: r.Search.Curve}, {Name: "control arm, without", Values: r.Control.Curve}},
	}
	for i := range r.Credit {
		s := &r.Credit[i]
		c.Bars = append(c.Bars, draw.Bar{Name: s.Study, Value: s.Share, Label: fmt.Sprintf("%s, %s", cli.Percent(s.Share), cli.Plural(s.Trials, "trial"))})
	}
	return c
}
