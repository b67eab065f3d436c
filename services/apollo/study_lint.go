package main

import (
	"errors"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"apollo/events"
	"apollo/optimizer"
	"apollo/services/cli"
	"apollo/services/studyfile"
)

func (a *app) studyLintCommand() *cobra.Command {
	var sets []string
	c := &cobra.Command{
		Annotations: cli.PrintsRows(),
		Use:         "lint STUDY.yaml", Short: "Check a study file",
		Long: `Check a study file: every mistake at once, each with its line and what to do. A good
file is answered with the size of its space and the share that its rules and
constraints leave. -o json prints the mistakes, or the normalised study. Of a file with a
matrix it says which studies it is, in which order, and what each learns from.`,
		Example: "  apollo study lint examples/mobilenetv2-6p8.yaml",
		Args:    cli.Exactly(1),
		RunE: func(_ *cobra.Command, args []string) error {
			doc, all, err := a.readStudies(args[0], sets, true)
			if mistaken, ok := errors.AsType[*mistakenError](err); ok {
				return a.printMistakes(mistaken.mistakes)
			}
			switch {
			case err != nil:
				return err
			case all != nil:
				return a.lintCampaign(all)
			}
			return a.printLint(args[0], doc)
		},
	}
	setFlag(c, &sets)
	return c
}

func (a *app) printMistakes(e *studyfile.Error) error {
	items := make([]any, len(e.Mistakes))
	g := mistakesGrid()
	for i, m := range e.Mistakes {
		items[i] = m
		g.Add(strconv.Itoa(m.Line), strconv.Itoa(m.Column), m.Pointer, m.Code, m.Message, m.Hint)
	}
	if err := a.Print(cli.Answer{Value: e.Lint(), Items: items, Grid: g}); err != nil {
		return err
	}
	return cli.Silent(cli.ExitUsage)
}

func mistakesGrid() *cli.Grid {
	return &cli.Grid{Header: []string{">line", ">column", "pointer", "code", "message", "hint"}}
}

func (a *app) printLint(path string, doc *studyfile.Document) error {
	spec := doc.Spec
	value, legal, err := doc.Lint()
	if err != nil {
		return err
	}
	return a.Print(cli.Answer{Value: value, Grid: mistakesGrid(), Text: func(w io.Writer, p cli.Paint) {
		fmt.Fprintf(w, "%s: %s\n", path, p.Green("ok"))
		fmt.Fprintf(w, "study    %s (%.12s)\n", spec.Study, value.SHA256)
		fmt.Fprintf(w, "space    %s, legal: %s\n", spaceText(spec, value.Designs), legalText(legal))
		fmt.Fprintf(w, "budget   %s trials in batches of %d, %d in flight\n", cli.Count(spec.Budget.Trials), spec.Budget.Batch, inFlight(spec))
		if b := spec.Budget; b.WallSeconds > 0 || b.EvaluatorSeconds > 0 {
			fmt.Fprintf(w, "time     %s\n", timeText(&b))
		}
		if len(spec.Start) > 0 {
			fmt.Fprintf(w, "start    %s of your own first, which count\n", cli.Plural(len(spec.Start), "design"))
		}
		if e := spec.EarlyStop; e != nil && e.After >= spec.Budget.Trials {
			fmt.Fprintf(w, "early    nothing is stopped: earlyStop.after wants %s finished before it, of a budget of %s\n", cli.Plural(e.After, "trial"), cli.Count(spec.Budget.Trials))
		}
		fmt.Fprintf(w, "asks     %s\n", asksText(spec))
		if spec.Evaluator.Version == "" && !spec.Evaluator.Manual {
			fmt.Fprintf(w, "workers  %s\n", workersText(spec, doc.AutoParallelism))
		}
		fmt.Fprintf(w, "messages %s\n", messagesText(spec))
		fmt.Fprintf(w, "search   %s, seed %d, order %s\n", spec.Algorithm.Name, spec.Seed, spec.Order)
		if cpu := optimizer.SearchSeconds(spec.Algorithm.Name, spec.Budget.Trials, spec.Budget.Batch); cpu >= 0.1 {
			fmt.Fprintf(w, "cpu      about %.2g s for the search alone (with its defaults, 10 parameters)\n", cpu)
		}
	}})
}

// inFlight is how many work items there are at once at most: in strict order an ask
// waits for all but the last few answers.
func inFlight(spec *events.Spec) int {
	if spec.Order == "relaxed" {
		return spec.Budget.Parallelism
	}
	return min(spec.Budget.Parallelism, spec.Budget.Lag+1)
}

// workersText says how many workers have something to do.
func workersText(spec *events.Spec, auto bool) string {
	b, n := spec.Budget, inFlight(spec)
	text := fmt.Sprintf("up to %d have something to do", n)
	switch {
	case n < b.Parallelism:
		text += fmt.Sprintf(": in strict order an ask waits for all but the last %s (lag); `order: relaxed` does not wait", cli.Plural(b.Lag, "answer"))
	case auto && spec.Budget.Parallelism > 1 && studyfile.LearnsNothing(spec.Algorithm.Name):
		text = fmt.Sprintf("%d designs are on their way, two for each that the workers measure at a time now (parallelism: auto)", n)
	case auto:
		text += ": as many as there are now (parallelism: auto)"
	default:
		text += "; for as many as there are, write `spec.budget.parallelism: auto`"
	}
	return text
}

// asksText says what an ask knows, and what it costs that it does not know more.
func asksText(spec *events.Spec) string {
	b := spec.Budget
	unknown := min(b.Trials-1, (b.Lag+1)*b.Batch-1)
	switch {
	case spec.Order == "relaxed":
		return "each knows the answers that have arrived"
	case unknown == 0:
		return "each knows all trials before it"
	case b.Lag == 0:
		return fmt.Sprintf("a design is chosen without up to %d trials before it (batch); a search that learns needs more trials for the same answer", unknown)
	}
	return fmt.Sprintf("a design is chosen without up to %d trials before it (lag %d); a search that learns needs more trials for the same answer, and `lag: 0` fewest",
		unknown, b.Lag)
}

// timeText says how long a study may take.
func timeText(b *events.Budget) string {
	text := ""
	if b.WallSeconds > 0 {
		text = cli.Duration(time.Duration(b.WallSeconds * float64(time.Second)))
	}
	if b.EvaluatorSeconds > 0 {
		if text != "" {
			text += " at most, and "
		}
		text += cli.Duration(time.Duration(b.EvaluatorSeconds*float64(time.Second))) + " of evaluations together"
	}
	return text + " at most"
}

// spaceText is how many designs there are; a fidelity is a setting and no part of one.
func spaceText(spec *events.Spec, all *big.Int) string {
	column := spec.FidelityColumn()
	if column < 0 {
		return sizeText(all) + " designs"
	}
	p := &spec.Parameters[column]
	levels := len(p.Values) + len(p.Labels)
	one := new(big.Int).Div(all, big.NewInt(int64(levels)))
	return fmt.Sprintf("%s designs, each at %d values of %s: %s in all", sizeText(one), levels, p.Name, sizeText(all))
}

// sizeText is a number of designs for people.
func sizeText(n *big.Int) string {
	if n.IsInt64() && n.Int64() < 1e15 {
		return cli.Count(int(n.Int64()))
	}
	return "about " + new(big.Float).SetInt(n).Text('g', 3)
}

// messagesText says how large the study's messages can become, and when a
// server needs to be set to carry them.
func messagesText(spec *events.Spec) string {
	what, bytes := events.SizesOf(spec).Largest(spec.Budget.Batch)
	text := fmt.Sprintf("at most %s (%s)", cli.Quantity(float64(bytes), "B"), what)
	if events.CheckSizes(spec, events.DefaultPayload) != nil {
		text += fmt.Sprintf("; a NATS server needs max_payload %d (unless set it has %d, Apollo's own %d)",
			events.PayloadFor(bytes), events.DefaultPayload, events.MaxEventBytes)
	}
	return text
}

// legalText is the share of legal designs: exact, or with its interval.
func legalText(s studyfile.Share) string {
	if s.Exact {
		return fmt.Sprintf("%s (%.4g %%)", cli.Count(s.Legal), 100*s.Value())
	}
	return fmt.Sprintf("about %.3g %% (%.3g to %.3g %%)", 100*s.Value(), 100*s.Low, 100*s.High)
}
