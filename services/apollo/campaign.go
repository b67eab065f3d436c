package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"apollo/events"
	"apollo/services/cli"
	"apollo/services/client"
	"apollo/services/inspect"
	"apollo/services/proposer"
	"apollo/services/study"
	"apollo/services/studyfile"
)

// campaign is a file with a matrix, planned: which study comes when, and from which
// earlier ones it learns.
type campaign struct {
	*studyfile.Campaign
	file  string
	order []int
	from  [][]string
}

// readStudies reads a study file: one study, or, where it has a matrix, a campaign. With
// looks, a program that cannot be started is a mistake: a run that has ended needs none.
func (a *app) readStudies(path string, sets []string, looks bool) (*studyfile.Document, *campaign, error) {
	src, dir, err := a.readSource(path)
	if err != nil {
		return nil, nil, err
	}
	opts := a.studyOptions(dir, sets)
	if looks {
		opts.Missing = missingIn(dir)
	}
	if studyfile.IsCampaign(src, opts) {
		all, err := a.planCampaign(path, src, opts)
		return nil, all, err
	}
	doc, err := a.parseStudy(path, src, opts)
	return doc, nil, err
}

func (a *app) planCampaign(path string, src []byte, opts studyfile.Options) (*campaign, error) {
	read, err := studyfile.ParseCampaign(path, src, inspect.Builtins().Study(), opts)
	if err != nil {
		return nil, a.mistaken(path, err)
	}
	c := &campaign{Campaign: read, file: path, from: make([][]string, len(read.Members))}
	specs, chains := make([]*events.Spec, len(read.Members)), make([]string, len(read.Members))
	for i, m := range read.Members {
		specs[i], chains[i] = m.Spec, read.Chain(i)
	}
	plan, err := proposer.Plan(inspect.Builtins(), specs, chains)
	if err != nil {
		return nil, err
	}
	c.order = plan.Order
	for _, i := range plan.Order {
		for _, k := range plan.From[i] {
			c.from[i] = append(c.from[i], specs[k].Study)
		}
		if len(c.from[i]) == 0 {
			continue
		}
		if err := read.Learn(i, c.from[i]); err != nil {
			return nil, a.mistaken(path, err)
		}
	}
	return c, nil
}

// runCampaign runs the studies of a campaign, one after the other, and shows them
// together. One that finds nothing feasible does not end it.
func (a *app) runCampaign(ctx context.Context, c *cobra.Command, all *campaign, flags runFlags) error {
	if !flags.fresh {
		s, err := a.open(ctx, c, forRunning)
		if err != nil {
			return err
		}
		err = all.taken(ctx, a, s)
		s.close(ctx)
		if err != nil {
			return err
		}
	}
	var views []*client.StudyView
	var problems []error
	for k, i := range all.order {
		m := all.Members[i]
		a.Say("%s: study %d of %d%s", m.Spec.Study, k+1, len(all.order), learnsText(all.from[i]))
		r := &runner{app: a, command: c, file: all.file, doc: m.Document, flags: flags, member: true}
		view, err := r.toEnd(ctx)
		if p, ok := errors.AsType[*pausedError](err); ok {
			return fmt.Errorf("%w: the campaign goes on when it has ended", p.hinted(r.program != nil))
		}
		if err != nil {
			return err
		}
		if view.State == study.Failed || view.State == study.Cancelled {
			problems = append(problems, cli.Hinted(cli.ExitFailed, "the same command with --fresh starts all of them anew", fmt.Errorf("study %s %s: %s", view.Study, view.State, view.Reason)))
		}
		views = append(views, view)
	}
	s, err := a.open(ctx, c, forReading)
	if err != nil {
		return err
	}
	defer s.close(ctx)
	answer, err := a.campaignAnswer(ctx, s, all.Name, views)
	if err != nil {
		return err
	}
	if err := a.Print(answer.answer(a)); err != nil {
		return err
	}
	if len(problems) > 0 {
		return errors.Join(problems...)
	}
	return answer.failure()
}

// taken refuses a campaign before anything runs when one of its names belongs to
// another study.
func (all *campaign) taken(ctx context.Context, a *app, s *session) error {
	for _, i := range all.order {
		r := &runner{app: a, doc: all.Members[i].Document, session: s}
		if _, err := r.known(ctx); err != nil {
			return err
		}
	}
	return nil
}

func studiesText(n int) string {
	if n == 1 {
		return "1 study"
	}
	return fmt.Sprintf("%d studies", n)
}

func learnsText(from []string) string {
	switch len(from) {
	case 0:
		return ""
	case 1:
		return ", learns from " + from[0]
	}
	return fmt.Sprintf(", learns from %s and %d more", from[0], len(from)-1)
}

// submitCampaign publishes the studies of a campaign, each when those before it have
// ended.
func (a *app) submitCampaign(ctx context.Context, c *cobra.Command, all *campaign, fresh bool) error {
	s, err := a.open(ctx, c, forServer)
	if err != nil {
		return err
	}
	defer s.close(ctx)
	for _, i := range all.order {
		if all.Members[i].Exec != "" {
			return errStartsPrograms(all.Members[i].Spec)
		}
	}
	if !fresh {
		if err := all.taken(ctx, a, s); err != nil {
			return err
		}
	}
	var views []*client.StudyView
	for _, i := range all.order {
		m := all.Members[i]
		r := &runner{app: a, command: c, file: all.file, doc: m.Document, session: s, flags: runFlags{fresh: fresh}}
		view, err := r.existing(ctx)
		if err == nil && view == nil {
			view, err = r.submit(ctx)
		}
		if err != nil {
			return err
		}
		a.Say("%s accepted as run %s%s", view.Study, view.Run, learnsText(all.from[i]))
		f := &follower{app: a, session: s, progress: newProgress(a, view.Spec)}
		if view, err = f.wait(ctx, view); err == nil {
			err = f.archived(ctx, view)
		}
		if cli.IsInterrupted(ctx) {
			return cli.Hinted(cli.ExitInterrupted, "the study goes on where the server runs it; the same command goes on with those that are left", context.Cause(ctx))
		}
		if err != nil {
			return err
		}
		views = append(views, view)
	}
	answer, err := a.campaignAnswer(ctx, s, all.Name, views)
	if err != nil {
		return err
	}
	return a.Print(answer.answer(a))
}

// lintCampaign says what the studies of a campaign are.
func (a *app) lintCampaign(all *campaign) error {
	type linted struct {
		Study      string            `json:"study"`
		SHA256     string            `json:"sha256"`
		Values     map[string]string `json:"values"`
		LearnsFrom []string          `json:"learns_from"`
		Spec       *events.Spec      `json:"spec"`
	}
	value := struct {
		OK       bool             `json:"ok"`
		Campaign string           `json:"campaign"`
		Studies  []linted         `json:"studies"`
		Mistakes []events.Mistake `json:"mistakes"`
	}{OK: true, Campaign: all.Name, Mistakes: []events.Mistake{}}
	g := &cli.Grid{Header: []string{">#", "STUDY", ">TRIALS", "LEARNS FROM"}}
	var items []any
	trials := 0
	for k, i := range all.order {
		m := all.Members[i]
		l := linted{Study: m.Spec.Study, SHA256: events.SpecSHA256(m.Spec), Values: map[string]string{}, LearnsFrom: all.from[i], Spec: m.Spec}
		for x, axis := range all.Axes {
			l.Values[axis.Path] = axis.Values[m.At[x]]
		}
		if l.LearnsFrom == nil {
			l.LearnsFrom = []string{}
		}
		value.Studies, items, trials = append(value.Studies, l), append(items, l), trials+m.Spec.Budget.Trials
		from := "-"
		if n := len(all.from[i]); n > 0 {
			if from = all.from[i][0]; n > 1 {
				from += fmt.Sprintf(" and %d more", n-1)
			}
		}
		g.Add(strconv.Itoa(k+1), m.Spec.Study, cli.Count(m.Spec.Budget.Trials), from)
	}
	return a.Print(cli.Answer{Value: value, Items: items, Text: func(w io.Writer, p cli.Paint) {
		fmt.Fprintf(w, "%s: %s\ncampaign %s: %s in this order, %s in all\n\n", all.file, p.Green("ok"), all.Name, studiesText(len(all.order)), cli.Plural(trials, "trial"))
		g.Text(w, p)
	}})
}
