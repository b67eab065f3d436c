package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"apollo/internal/nearest"
	"apollo/services/cli"
	"apollo/services/draw"
	"apollo/services/inspect"
)

// drawing is a picture that can be written.
type drawing interface {
	Draw(w io.Writer, format string) error
}

// gallery is what the pictures of a study are drawn from.
type gallery struct {
	*ledger
	base    inspect.Baseline
	optimum *optimum
}

func (a *app) galleryOf(ctx context.Context, l *ledger) *gallery {
	return &gallery{l, inspect.BaselineOf(ctx, l.view.Spec), a.optimumOf(ctx, l.view.Spec, l.view.Best)}
}

// painter makes a picture of trials that come one by one, in order: a million are not
// held in memory. add copies what it keeps of one. done returns nil where the picture would
// show nothing; note then says why, and else what the caption adds.
type painter struct {
	add  func(*trial)
	done func() (d drawing, note string)
}

// pictureKind is a picture of a study.
type pictureKind struct {
	name, title, caption string
	of                   func(g *gallery) painter
}

// pictureKinds lists all pictures in the order of a report.
func pictureKinds() []pictureKind {
	return []pictureKind{
		{"best", "Best so far", "Every answered trial with a value, and the best feasible one so far.", bestSoFar},
		{"hypervolume", "Hypervolume", "What the front of the trials so far dominates up to the reference point, which the study fixes once.", hypervolume},
		{"plane", "Metric against metric", "Every measured trial: what is feasible, and what breaks which limit.", plane},
		{"causes", "Why trials were not feasible", "How many trials so far were not feasible, by reason.", causes},
		{"parameters", "Parameters", "Every feasible trial across all parameters that differ, and the objective; the best tenth stands out. Numbers stand at their level, from the smallest to the largest.", coordinates},
		{"importance", "Importance of parameters", "How much of the variance of the objective is lost when a forest does not know a parameter; the line holds nine of ten bootstrap resamples.", importance},
		{"model", "Can the model of the search be trusted?", "What the search's own model would have said of each trial without it, against what was measured.", modelled},
		{"layers", "Where the time of the best design goes", "The layers that take longest, by what they wait for.", layered},
		{"workers", "Work by worker", "Trials that each worker answered, in the order of trials.", work},
	}
}

// nothing is a picture that shows nothing.
func nothing(why string) painter {
	return painter{func(*trial) {}, func() (drawing, string) { return nil, why }}
}

// picture is one that was drawn from trials.
type picture struct {
	kind pictureKind
	drawing
	note string
}

// pictures draws some kinds of pictures from the same trials.
func (g *gallery) pictures(kinds []pictureKind, trials iter.Seq2[*trial, error]) ([]picture, error) {
	all := make([]painter, len(kinds))
	for i, k := range kinds {
		all[i] = k.of(g)
	}
	for t, err := range trials {
		if err != nil {
			return nil, err
		}
		for i := range all {
			all[i].add(t)
		}
	}
	drawn := make([]picture, len(kinds))
	for i, k := range kinds {
		d, note := all[i].done()
		drawn[i] = picture{k, d, note}
	}
	return drawn, nil
}

func pictureNames() (names []string) {
	for _, k := range pictureKinds() {
		names = append(names, k.name)
	}
	return names
}

// pictureFlag is which picture of a study an answer is drawn as.
type pictureFlag struct{ name, usual string }

// register adds the flag; usual is the picture of a study with one objective, where
// nobody names one.
func (f *pictureFlag) register(c *cobra.Command, usual string) {
	f.usual = usual
	also := ""
	if usual == "best" {
		also = ", with several objectives hypervolume"
	}
	c.Flags().StringVar(&f.name, "picture", "", "`name` of what -o svg and png draw: "+strings.Join(pictureNames(), "|")+"; default: "+usual+also)
	_ = c.RegisterFlagCompletionFunc("picture", cobra.FixedCompletions(pictureNames(), cobra.ShellCompDirectiveNoFileComp))
}

func (f *pictureFlag) check(a *app) error {
	switch {
	case f.name == "":
		return nil
	case !slices.Contains(pictureNames(), f.name):
		hint := "there are: " + strings.Join(pictureNames(), ", ")
		if near := nearest.Name(f.name, pictureNames()); near != "" {
			hint = "did you mean " + near + "?"
		}
		return cli.Hinted(cli.ExitUsage, hint, fmt.Errorf("--picture: there is no picture %q", f.name))
	case !a.drawn():
		return cli.Usagef("--picture %s is for -o svg and png", f.name)
	}
	return nil
}

// drawn reports whether the answer is to be a picture.
func (a *app) drawn() bool { return slices.Contains(draw.Formats(), a.Output) }

// of is the picture that was asked for.
func (f *pictureFlag) of(g *gallery, trials iter.Seq2[*trial, error]) (drawing, error) {
	name := f.name
	switch {
	case name != "":
	case f.usual == "best" && len(g.view.Spec.Objectives) > 1:
		name = "hypervolume"
	default:
		name = f.usual
	}
	at := slices.Index(pictureNames(), name)
	drawn, err := g.pictures(pictureKinds()[at:at+1], trials)
	if err != nil {
		return nil, err
	}
	if drawn[0].drawing == nil {
		return nil, cli.Hinted(cli.ExitNotFound, "name another with --picture: "+strings.Join(pictureNames(), ", "), fmt.Errorf("study %s has no picture %q: %s", g.view.Study, name, drawn[0].note))
	}
	return drawn[0], nil
}

// write draws the picture that was asked for.
func (f *pictureFlag) write(w io.Writer, format string, g *gallery, trials iter.Seq2[*trial, error]) error {
	d, err := f.of(g, trials)
	if err != nil {
		return err
	}
	return d.Draw(w, format)
}
