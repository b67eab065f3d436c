package main

import (
	"context"
	"fmt"
	"io"
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

// pictureKind is a picture of a study. of returns nil where it would show nothing; note
// then says why, and else what the caption adds.
type pictureKind struct {
	name, title, caption string
	of                   func(g *gallery) (d drawing, note string)
}

// pictureKinds lists all pictures in the order of a report.
func pictureKinds() []pictureKind {
	return []pictureKind{
		{"best", "Best so far", "Every answered trial with a value, and the best feasible one so far.", func(g *gallery) (drawing, string) {
			return charted(bestSoFar(g.ledger, g.base, g.optimum), "it has several objectives, or no trial has a value")
		}},
		{"hypervolume", "Hypervolume", "What the front of the trials so far dominates up to the reference point, which the study fixes once.", func(g *gallery) (drawing, string) {
			return charted(hypervolume(g.ledger), "it has one objective, or no reference yet")
		}},
		{"plane", "Metric against metric", "Every measured trial: what is feasible, and what breaks which limit.", func(g *gallery) (drawing, string) {
			return charted(plane(g.ledger), "no trial has two metrics")
		}},
		{"causes", "Why trials were not feasible", "How many trials so far were not feasible, by reason.", func(g *gallery) (drawing, string) {
			return charted(causes(g.ledger), "every trial is feasible")
		}},
		{"parameters", "Parameters", "Every feasible trial across all parameters that differ, and the objective; the best tenth stands out. Numbers stand at their level, from the smallest to the largest.", func(g *gallery) (drawing, string) {
			if p := coordinates(g.ledger); p != nil {
				return p, ""
			}
			return nil, "no trial is feasible, or all feasible ones are alike"
		}},
		{"importance", "Importance of parameters", "How much of the variance of the objective is lost when a forest does not know a parameter; the line holds nine of ten bootstrap resamples.", importance},
		{"model", "Can the model of the search be trusted?", "What the search's own model would have said of each trial without it, against what was measured.", modelled},
		{"layers", "Where the time of the best design goes", "The layers that take longest, by what they wait for.", layered},
		{"workers", "Work by worker", "Trials that each worker answered, in the order of trials.", func(g *gallery) (drawing, string) {
			return charted(work(g.ledger), "no worker answered a trial")
		}},
	}
}

func charted(c *draw.Chart, nothing string) (drawing, string) {
	if c == nil {
		return nil, nothing
	}
	return c, ""
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

// write draws the picture that was asked for.
func (f *pictureFlag) write(w io.Writer, format string, g *gallery) error {
	name := f.name
	switch {
	case name != "":
	case f.usual == "best" && len(g.view.Spec.Objectives) > 1:
		name = "hypervolume"
	default:
		name = f.usual
	}
	k := pictureKinds()[slices.Index(pictureNames(), name)]
	d, note := k.of(g)
	if d == nil {
		return cli.Hinted(cli.ExitNotFound, "name another with --picture: "+strings.Join(pictureNames(), ", "), fmt.Errorf("study %s has no picture %q: %s", g.view.Study, name, note))
	}
	return d.Draw(w, format)
}
