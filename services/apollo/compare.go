package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"apollo/archiver"
	"apollo/events"
	"apollo/services/cli"
	"apollo/services/inspect"
)

// mostCompared is the largest number of studies that are compared: more lines
// hide each other.
const mostCompared = 24

func (a *app) compareCommand() *cobra.Command {
	c := &cobra.Command{
		Annotations: cli.PrintsRowsAndPictures(),
		Use:         "compare STUDY STUDY...", Short: "Compare studies: what they found, how fast, and how they differ",
		Long: `Compare studies with the same objectives side by side: the best design, or the front and
its hypervolume below a common reference; how many trials each needed to get where all of
them got; the share of feasible trials; and in which fields their specifications differ.
A study is its latest run, STUDY/RUN another one. One that was removed from the store is
read from the trial log; so is a path or pattern that ends in .parquet.
With -o svg or png the curves of the best so far are drawn.`,
		Example: "  apollo compare mobilenetv2-6p8 mobilenetv2-5p8\n  apollo compare a b/0badcafe logs/c/*.parquet -o svg > compare.svg",
		Args:    cli.Between(2, mostCompared),
		RunE: func(c *cobra.Command, args []string) error {
			studies, err := a.loadCompared(c, args)
			if err != nil {
				return err
			}
			r, err := compare(studies)
			if err != nil {
				return err
			}
			return a.Print(cli.Answer{Value: r, Text: r.text, Sheet: r.sheet(), Draw: r.draw})
		},
	}
	return c
}

// compared is a study as compare sees it: its finished trials in order.
type compared struct {
	name  string // unique among those compared
	study string
	run   string
	state string
	spec  *events.Spec
	// metrics are those of each finished trial; nil for one that is not feasible.
	metrics []map[string]float64
	trials  []int // their numbers
}

func (c *compared) appendTrial(trial int, feasible bool, values []float64) {
	var m map[string]float64
	if feasible {
		m = inspect.Metrics(c.spec, values)
	}
	c.metrics, c.trials = append(c.metrics, m), append(c.trials, trial)
}

// loadCompared reads the studies that the words name.
func (a *app) loadCompared(c *cobra.Command, words []string) ([]*compared, error) {
	ctx := c.Context()
	var s *session
	var out []*compared
	for _, word := range words {
		if strings.HasSuffix(word, ".parquet") {
			one, err := a.comparedLog(ctx, events.Source{Parquet: word})
			if err != nil {
				return nil, err
			}
			out = append(out, one)
			continue
		}
		if s == nil {
			var err error
			if s, err = a.open(ctx, c, forReading); err != nil {
				return nil, err
			}
			defer s.close(ctx)
		}
		one, err := a.comparedStudy(ctx, s, word)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, named(out)
}

// comparedStudy reads a study from the store, or from the trial log when it was
// removed there.
func (a *app) comparedStudy(ctx context.Context, s *session, word string) (*compared, error) {
	name, run, _ := strings.Cut(word, "/")
	view, err := s.study(ctx, name, run)
	if err != nil {
		if code, _ := cli.Classify(ctx, err); code != cli.ExitNotFound {
			return nil, err
		}
		one, logErr := a.comparedLog(ctx, events.Source{Study: name, Run: run})
		if errors.Is(logErr, archiver.ErrNoSource) {
			return nil, err
		}
		return one, logErr
	}
	l, err := readLedger(ctx, s.bus, view)
	if err != nil {
		return nil, err
	}
	one := &compared{study: view.Study, run: view.Run, state: string(view.State), spec: view.Spec}
	for i := range l.trials {
		if t := &l.trials[i]; t.result != nil {
			one.appendTrial(t.number, t.judgement.Feasible, t.result.Values)
		}
	}
	return one, nil
}

// comparedLog reads a study from Parquet files.
func (a *app) comparedLog(ctx context.Context, ref events.Source) (*compared, error) {
	src, err := trialLogs{a.archive()}.Load(ctx, ref)
	if err != nil {
		return nil, err
	}
	one := &compared{study: src.Study, run: src.Run, state: "archived", spec: src.Spec}
	for _, t := range src.Trials {
		one.appendTrial(t.Trial, t.Feasible, t.Values)
	}
	return one, nil
}

// named gives every study a name of its own, and refuses one that is there
// twice.
func named(studies []*compared) error {
	for i, c := range studies {
		c.name = c.study
		for k, other := range studies {
			if i == k || other.study != c.study {
				continue
			}
			if other.run == c.run {
				return cli.Usagef("study %s, run %s, is there twice", c.study, c.run)
			}
			c.name = c.study + "/" + c.run
		}
	}
	return nil
}

// sameObjectives refuses studies that cannot be compared.
func sameObjectives(studies []*compared) error {
	describe := func(spec *events.Spec) string {
		var parts []string
		for _, o := range spec.Objectives {
			parts = append(parts, o.Goal+" "+o.Metric)
		}
		slices.Sort(parts)
		return strings.Join(parts, ", ")
	}
	first := studies[0]
	for _, c := range studies[1:] {
		if a, b := describe(first.spec), describe(c.spec); a != b {
			return cli.Hinted(cli.ExitUsage, "compare studies with the same objectives",
				fmt.Errorf("%s and %s cannot be compared: one is to %s, the other to %s", first.name, c.name, a, b))
		}
	}
	return nil
}
