package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"apollo/events"
	"apollo/services/cli"
	"apollo/services/client"
	"apollo/services/draw"
	"apollo/services/studyfile"
	"apollo/services/transfer"
)

// campaignJSON is the answer of a campaign.
type campaignJSON struct {
	Campaign string          `json:"campaign"`
	Axes     []string        `json:"axes"`
	Metric   string          `json:"metric"`
	Unit     string          `json:"unit"`
	Studies  []campaignStudy `json:"studies"`

	spec *events.Spec // of the first
}

// campaignStudy is one of its studies.
type campaignStudy struct {
	Study string `json:"study"`
	Run   string `json:"run"`
	State string `json:"state"`
	// Values are what it has on each axis.
	Values   []string `json:"values"`
	Trials   int      `json:"trials"`
	Feasible int      `json:"feasible"`
	// Voided trials were measured anew.
	Voided int `json:"voided,omitempty"`
	// LowFidelity trials could not be feasible, because their fidelity does not count.
	LowFidelity int `json:"low_fidelity,omitempty"`
	// Best is the best value in the objective's unit, or with several objectives the
	// hypervolume below the study's own reference; null while nothing is feasible.
	Best      *float64 `json:"best"`
	BestTrial *int     `json:"best_trial"`
	// LearnsFrom are the studies whose trials it knew, and Saved how many of Compared
	// trials that saved it beside its control arm; null without one.
	LearnsFrom []string           `json:"learns_from"`
	Saved      *transfer.Interval `json:"saved"`
	Compared   int                `json:"compared"`
	Verdict    string             `json:"verdict"`
}

// campaignViews finds the studies of a campaign in the log, the first accepted first;
// none where there is no such campaign.
func campaignViews(ctx context.Context, s *session, name string) ([]*client.StudyView, error) {
	all, err := client.ListStudies(ctx, s.bus.Log())
	if err != nil {
		return nil, err
	}
	latest := map[string]*client.StudyView{}
	var out []*client.StudyView
	for _, v := range all {
		if v.Spec != nil && v.Spec.Labels[studyfile.CampaignLabel] == name && v.Err == nil {
			if old := latest[v.Study]; old == nil || old.Accepted.Before(v.Accepted) {
				latest[v.Study] = v
			}
		}
	}
	for _, v := range latest {
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b *client.StudyView) int {
		return cmp.Or(a.Accepted.Compare(b.Accepted), cmp.Compare(a.Study, b.Study))
	})
	return out, nil
}

// showCampaign shows the campaign of a name that no study has; missing says that there is
// none of that name.
func (a *app) showCampaign(ctx context.Context, s *session, name string, missing error) error {
	views, err := campaignViews(ctx, s, name)
	if err != nil {
		return err
	}
	if len(views) == 0 {
		return a.removedOr(ctx, name, missing)
	}
	answer, err := a.campaignAnswer(ctx, s, name, views)
	if err != nil {
		return err
	}
	return a.Print(answer.answer(a))
}

// removedOr tells a study that only the trial log has from one that never was.
func (a *app) removedOr(ctx context.Context, name string, missing error) error {
	if _, err := (trialLogs{a.archive()}).Open(ctx, events.Source{Study: name}); err != nil {
		return missing
	}
	return cli.Hinted(cli.ExitNotFound, "`apollo compare "+name+" OTHER` and `duckdb` read it there, and other studies can learn from it; `apollo run` with its file measures it anew",
		fmt.Errorf("study %s was removed from the server: its trials are in the trial log in %s alone", name, events.Redact(a.archive())))
}

// campaignAnswer reads what the studies of a campaign found.
func (a *app) campaignAnswer(ctx context.Context, s *session, name string, views []*client.StudyView) (*campaignJSON, error) {
	out := &campaignJSON{Campaign: name, Axes: []string{}, spec: views[0].Spec}
	o := out.spec.Objectives[0]
	out.Metric, out.Unit = o.Metric, out.spec.Metrics[out.spec.MetricIndex(o.Metric)].Unit
	if len(out.spec.Objectives) > 1 {
		out.Metric, out.Unit = "hypervolume", ""
	}
	for i, axis := range studyfile.AxesOf(out.spec.Labels) {
		if i == 0 || axis.Path != "" {
			out.Axes = append(out.Axes, axis.Path)
		}
	}
	for _, v := range views {
		one := campaignStudy{Study: v.Study, Run: v.Run, State: string(v.State), Values: []string{}, LearnsFrom: []string{}}
		for _, axis := range studyfile.AxesOf(v.Spec.Labels) {
			one.Values = append(one.Values, axis.Values...)
		}
		for _, pin := range v.Sources {
			one.LearnsFrom = append(one.LearnsFrom, pin.Study)
		}
		l, err := readLedger(ctx, s.bus, v)
		if err != nil {
			return nil, err
		}
		one.Trials, one.Feasible, one.Voided, one.LowFidelity = l.counts.Trials, l.counts.Feasible, l.counts.Voided, l.counts.LowFidelity
		if b := l.best(); len(v.Spec.Objectives) > 1 {
			one.Best = v.Hypervolume
		} else if b != nil {
			value := b.Metrics[v.Spec.Objectives[0].Metric]
			one.Best, one.BestTrial = &value, &b.Trial
		}
		r, err := transferReport(ctx, s, v)
		if err != nil {
			return nil, err
		}
		if r != nil {
			one.Saved, one.Compared, one.Verdict = r.Saved, r.Compared, r.Verdict
		}
		out.Studies = append(out.Studies, one)
	}
	return out, nil
}

// failure is the error of a campaign in which nothing feasible was found.
func (c *campaignJSON) failure() error {
	if slices.ContainsFunc(c.Studies, func(s campaignStudy) bool { return s.Feasible > 0 }) {
		return nil
	}
	return cli.Hinted(cli.ExitInfeasible, "`apollo trial ls "+c.Studies[0].Study+"` shows the reasons", errors.New("none of the studies found a feasible design"))
}

func (c *campaignJSON) answer(a *app) cli.Answer {
	items := make([]any, len(c.Studies))
	for i := range c.Studies {
		items[i] = &c.Studies[i]
	}
	return cli.Answer{Value: c, Items: items, Sheet: c.sheet(), Draw: c.draw, Text: func(w io.Writer, p cli.Paint) {
		fmt.Fprintf(w, "%s: %s\n\n", p.Bold(c.Campaign), studiesText(len(c.Studies)))
		c.table().Text(w, p)
		if note := c.note(); note != "" {
			fmt.Fprintf(w, "\n%s\n", note)
		}
		names := make([]string, min(len(c.Studies), 2))
		for i := range names {
			names[i] = c.Studies[i].Study
		}
		if len(names) > 1 {
			a.nextLine(w, "apollo compare "+strings.Join(names, " "))
		}
	}}
}

// note says what the column of saved trials lacks.
func (c *campaignJSON) note() string {
	learns, measured := false, false
	for i := range c.Studies {
		learns, measured = learns || len(c.Studies[i].LearnsFrom) > 0, measured || c.Studies[i].Saved != nil
	}
	if !learns || measured {
		return ""
	}
	return "what was saved is not known: with spec.transfer.control, such as 20 %, a share of the trials learns nothing, and tells it"
}

func (c *campaignJSON) table() *cli.Grid {
	g := &cli.Grid{Header: []string{"STUDY", ">TRIALS", ">FEASIBLE", ">" + strings.ToUpper(cli.Bare(c.Metric, c.Unit)), ">TRIAL", ">SAVED"}, Fold: true}
	for _, s := range c.Studies {
		trial, saved := "-", "-"
		if s.BestTrial != nil {
			trial = cli.Count(*s.BestTrial)
		}
		if s.Saved != nil {
			if saved = fmt.Sprintf("%.0f of %d (%.0f to %.0f)", s.Saved.Estimate, s.Compared, s.Saved.Low, s.Saved.High); s.Verdict != transfer.Helped && s.Verdict != transfer.Hurt {
				saved = "~ " + saved // nothing can be claimed
			}
		}
		name := s.Study
		if s.State != "completed" {
			name += " (" + s.State + ")"
		}
		g.Add(name, cli.Count(s.Trials), cli.Share(s.Feasible, s.Trials-s.Voided-s.LowFidelity), orNone(s.Best, c.Unit), trial, saved)
	}
	return g
}

// sheet is the table for programs.
func (c *campaignJSON) sheet() *cli.Grid {
	g := &cli.Grid{Header: []string{"study", "run", "state"}}
	g.Header = append(g.Header, c.Axes...)
	g.Header = append(g.Header, "trials", "feasible", c.Metric, "best_trial", "learns_from", "saved", "saved_low", "saved_high", "compared", "verdict", "low_fidelity", "voided")
	for _, s := range c.Studies {
		row := append([]string{s.Study, s.Run, s.State}, s.Values...)
		trial := ""
		if s.BestTrial != nil {
			trial = strconv.Itoa(*s.BestTrial)
		}
		saved := []string{"", "", ""}
		if s.Saved != nil {
			saved = []string{plainNumber(&s.Saved.Estimate), plainNumber(&s.Saved.Low), plainNumber(&s.Saved.High)}
		}
		row = append(row, strconv.Itoa(s.Trials), strconv.Itoa(s.Feasible), plainNumber(s.Best), trial, strings.Join(s.LearnsFrom, " "))
		g.Add(append(append(row, saved...), strconv.Itoa(s.Compared), s.Verdict, strconv.Itoa(s.LowFidelity), strconv.Itoa(s.Voided))...)
	}
	return g
}

// draw draws the best value, and the trials that were saved, along the first axis whose
// values are numbers, with a line for each combination of the others; without such an
// axis, in the order of the studies.
func (c *campaignJSON) draw(w io.Writer, format string) error {
	along, at, unit := c.numbers()
	title := "study, in the order in which they ran"
	if along >= 0 {
		title = c.Axes[along] + titleUnit(unit)
	}
	var best, saved []draw.Series
	of := map[string]int{}
	for i, s := range c.Studies {
		var rest []string
		for k, v := range s.Values {
			if k != along && along >= 0 {
				rest = append(rest, v)
			}
		}
		name := strings.Join(rest, ", ")
		k, known := of[name]
		if !known {
			k = len(best)
			of[name] = k
			one := draw.Series{Name: name, Look: k, Line: along >= 0}
			best, saved = append(best, one), append(saved, one)
		}
		if s.Best != nil {
			best[k].X, best[k].Y = append(best[k].X, at[i]), append(best[k].Y, *s.Best)
		}
		if s.Saved != nil {
			saved[k].X, saved[k].Y = append(saved[k].X, at[i]), append(saved[k].Y, s.Saved.Estimate)
		}
	}
	for _, all := range [][]draw.Series{best, saved} {
		for i := range all {
			sortAlong(&all[i])
		}
	}
	x := draw.Axis{Title: title}
	return draw.Stack{
		{Title: c.Campaign + ": the best " + cli.Bare(c.Metric, c.Unit), X: x, Y: draw.Axis{Title: cli.Bare(c.Metric, c.Unit), Text: drawnText(c.Unit)}, Series: best},
		{Title: "trials saved beside the control arm", X: x, Y: draw.Axis{Title: "trials"}, Series: saved},
	}.Draw(w, format)
}

func titleUnit(unit string) string {
	if unit == "" {
		return ""
	}
	return " (" + unit + ")"
}

func sortAlong(s *draw.Series) {
	order := make([]int, len(s.X))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(s.X[a], s.X[b]) })
	x, y := slices.Clone(s.X), slices.Clone(s.Y)
	for i, k := range order {
		s.X[i], s.Y[i] = x[k], y[k]
	}
}

// numbers finds the first axis whose values are numbers in one unit, of several, and
// returns where each study is on it; -1, and the studies in order, where none is. A
// seed is a number, and says nothing.
func (c *campaignJSON) numbers() (axis int, at []float64, unit string) {
	for k, path := range c.Axes {
		at, unit = nil, ""
		for i := range c.Studies {
			number, symbol, _ := strings.Cut(strings.TrimSpace(c.Studies[i].Values[k]), " ")
			v, err := strconv.ParseFloat(number, 64)
			if err != nil || i > 0 && symbol != unit || path == "spec.seed" {
				break
			}
			at, unit = append(at, v), symbol
		}
		if len(at) == len(c.Studies) {
			return k, at, unit
		}
	}
	at = nil
	for i := range c.Studies {
		at = append(at, float64(i+1))
	}
	return -1, at, ""
}
