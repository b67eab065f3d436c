package main

import (
	"slices"
	"time"

	"github.com/spf13/cobra"

	"apollo/events"
	"apollo/services/cli"
	"apollo/services/client"
)

// studyJSON is a run as `study ls -o json` prints it.
type studyJSON struct {
	Study    string           `json:"study"`
	Run      string           `json:"run"`
	State    string           `json:"state"`
	Reason   string           `json:"reason,omitempty"`
	Waiting  []events.Waiting `json:"waiting,omitempty"`
	Proposed int              `json:"proposed"`
	// LowFidelity is how many of those are of a fidelity that does not count, without the
	// voided ones.
	LowFidelity int               `json:"low_fidelity,omitempty"`
	Budget      int               `json:"budget"`
	Best        *events.BestTrial `json:"best"`
	*frontJSON
	Accepted time.Time         `json:"accepted"`
	Updated  time.Time         `json:"updated"`
	Labels   map[string]string `json:"labels,omitempty"`
}

func (a *app) studyLsCommand() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Annotations: cli.PrintsRows(),
		Use:         "ls", Short: "List the studies",
		Example: "  apollo study ls", Args: cli.Exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			ctx := c.Context()
			s, err := a.open(ctx, c, forReading)
			if err != nil {
				return err
			}
			defer s.close(ctx)
			views, err := client.ListStudies(ctx, s.bus.Log())
			if err != nil {
				return err
			}
			if err := client.ReadArchiveWaits(ctx, s.bus.Log(), views...); err != nil {
				return err
			}
			if !all {
				views = latestRuns(views)
			}
			return a.Print(listStudies(views))
		},
	}
	c.Flags().BoolVar(&all, "all", false, "every run, not only the latest of each study")
	return c
}

// latestRuns keeps the last run of every study, in their order.
func latestRuns(views []*client.StudyView) []*client.StudyView {
	latest := map[string]*client.StudyView{}
	for _, v := range views {
		latest[v.Study] = v
	}
	var out []*client.StudyView
	for _, v := range views {
		if latest[v.Study] == v {
			out = append(out, v)
		}
	}
	return out
}

func listStudies(views []*client.StudyView) cli.Answer {
	rows, items := []studyJSON{}, []any{}
	g := &cli.Grid{Header: []string{"STUDY", "RUN", "STATE", ">PROPOSED", ">BUDGET", "BEST", "ACCEPTED"}}
	low := slices.ContainsFunc(views, func(v *client.StudyView) bool { return v.LowFidelity > 0 })
	if low {
		g.Header = append(g.Header, ">LOW FIDELITY") // last: the first to go where there is no room
	}
	for _, v := range views {
		r := studyJSON{
			Study: v.Study, Run: v.Run, State: string(v.State), Reason: v.Reason, Waiting: v.Waiting, Proposed: v.Proposed, LowFidelity: v.LowFidelity, Budget: v.Budget,
			Best: v.Best, frontJSON: frontOf(v), Accepted: v.Accepted, Updated: v.Updated, Labels: v.Spec.Labels,
		}
		rows, items = append(rows, r), append(items, r)
		row := []string{v.Study, v.Run, stateText(v), cli.Count(v.Proposed), cli.Count(v.Budget), answerInBrief(v), v.Accepted.Local().Format(time.DateTime)}
		if low {
			row = append(row, cli.Count(v.LowFidelity))
		}
		g.Add(row...)
	}
	return cli.Answer{Value: rows, Items: items, Grid: g}
}

// bestText is the objective of the best trial in a few words.
func bestText(spec *events.Spec, best *events.BestTrial) string {
	if best == nil {
		return "-"
	}
	objective := spec.Objectives[0].Metric
	i := spec.MetricIndex(objective)
	if i < 0 {
		return "-"
	}
	if e := best.Estimate; e != nil {
		return cli.Bare(objective, spec.Metrics[i].Unit) + " " + estimateText(e, spec.Metrics[i].Unit)
	}
	return cli.Bare(objective, spec.Metrics[i].Unit) + " " + cli.Quantity(best.Metrics[objective], spec.Metrics[i].Unit)
}
