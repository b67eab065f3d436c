package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"apollo/archiver"
	"apollo/events"
	"apollo/services/cli"
	"apollo/services/compare"
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
Studies that differ in their seeds alone are an arm: medians with intervals, and how many
pairs with studies of other arms it won.
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
			r, err := compare.Of(studies)
			if err != nil {
				return err
			}
			return a.Print(cli.Answer{Value: r, Text: r.Text, Sheet: r.Sheet(), Draw: r.Draw})
		},
	}
	return c
}

// loadCompared reads the studies that the words name.
func (a *app) loadCompared(c *cobra.Command, words []string) ([]*compare.Study, error) {
	ctx := c.Context()
	var s *session
	var out []*compare.Study
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
	return out, nil
}

// comparedStudy reads a study from the store, or from the trial log when it was
// removed there.
func (a *app) comparedStudy(ctx context.Context, s *session, word string) (*compare.Study, error) {
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
	one := &compare.Study{Study: view.Study, Run: view.Run, State: string(view.State), Spec: view.Spec}
	for t, err := range readTrials(ctx, s.bus, view, view.Proposed) {
		if err != nil {
			return nil, err
		}
		if t.result != nil {
			one.Add(compare.Trial{Number: t.number, Feasible: t.judgement.Feasible, Voided: t.voidedBy > 0, LowFidelity: !view.Spec.Full(t.design), Values: t.result.Values})
		}
	}
	return one, nil
}

// comparedLog reads a study from Parquet files.
func (a *app) comparedLog(ctx context.Context, ref events.Source) (*compare.Study, error) {
	src, err := trialLogs{a.archive()}.Whole(ctx, ref)
	if err != nil {
		return nil, err
	}
	voided := map[int]bool{} // which a later row says
	for t, err := range src.Trials {
		if err != nil {
			return nil, err
		}
		if v, anew := events.VoidedBy(t.Origin); anew {
			voided[v] = true
		}
	}
	one := &compare.Study{Study: src.Study, Run: src.Run, State: "archived", Spec: src.Columns.Spec}
	for t, err := range src.Trials {
		if err != nil {
			return nil, err
		}
		one.Add(compare.Trial{Number: t.Trial, Feasible: t.Feasible, Voided: voided[t.Trial], LowFidelity: !one.Spec.Full(t.Design), Values: t.Values})
	}
	return one, nil
}
