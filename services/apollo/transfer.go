package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"apollo/events"
	"apollo/services/cli"
	"apollo/services/inspect"
	"apollo/services/proposer"
	"apollo/services/transfer"
)

func (a *app) transferCommand() *cobra.Command {
	return a.Group("transfer", "See what earlier studies give a study, and what they gave",
		"  apollo transfer candidates study.yaml\n  apollo transfer report mobilenetv2-5p8",
		a.transferCandidatesCommand(), a.transferReportCommand())
}

// candidatesJSON is the answer of `transfer candidates -o json`.
type candidatesJSON struct {
	Study  string `json:"study"`
	Method string `json:"method"`
	// Candidates are the sources, in the order in which they would be used.
	Candidates []transfer.Candidate `json:"candidates"`
	// Archive is how a search of the archive ranks its studies; left out when
	// the study names all its sources.
	Archive []transfer.Ranked `json:"archive,omitempty"`
}

func (a *app) transferCandidatesCommand() *cobra.Command {
	var sets []string
	c := &cobra.Command{
		Use: "candidates STUDY.yaml", Short: "Show what a study would take from its sources, and why",
		Long: `Show for each source of a study what it would be used for, what of it is matched by
name and unit, which rows are set aside, and what is dropped and why. Nothing is run.
A study without sources is shown what a search of the archive in --data would find.
It reads the trial log alone: who measured a source whose log does not tell it, only the
proposer asks the bus.`,
		Example: "  apollo transfer candidates examples/mobilenetv2-5p8-transfer.yaml\n  apollo transfer candidates study.yaml -o json", Args: cli.Exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			doc, err := a.readStudy(args[0], sets)
			if err != nil {
				return err
			}
			spec := *doc.Spec
			if spec.Transfer == nil {
				spec.Transfer = &events.Transfer{Sources: []events.Source{{Auto: true}}}
			}
			all, found, err := proposer.Candidates(c.Context(), inspect.Builtins(), trialLogs{a.archive()}, a.programsIn(folder(args[0])), &spec)
			if err != nil {
				return err
			}
			out := candidatesJSON{Study: spec.Study, Method: methodName(&spec), Candidates: all, Archive: found}
			if out.Candidates == nil {
				out.Candidates = []transfer.Candidate{}
			}
			if err := a.Print(cli.Answer{Value: out, Text: out.text}); err != nil {
				return err
			}
			return out.failure()
		},
	}
	setFlag(c, &sets)
	return c
}

// failure is the error of a study whose sources are all refused.
func (o *candidatesJSON) failure() error {
	if len(o.Candidates) == 0 || slices.ContainsFunc(o.Candidates, func(c transfer.Candidate) bool { return c.Refused == "" }) {
		return nil
	}
	return cli.Hinted(cli.ExitRejected, "each says why above", errors.New("every source is refused: the study would learn nothing"))
}

func methodName(spec *events.Spec) string {
	if spec.Transfer == nil || spec.Transfer.Method == "" {
		return "auto"
	}
	return spec.Transfer.Method
}

func (o *candidatesJSON) text(w io.Writer, p cli.Paint) {
	fmt.Fprintf(w, "%s: %s, method %s\n", p.Bold(o.Study), cli.Plural(len(o.Candidates), "source"), o.Method)
	for i := range o.Candidates {
		c := &o.Candidates[i]
		fmt.Fprintln(w)
		candidateText(w, p, c)
	}
	if o.Archive == nil {
		return
	}
	fmt.Fprintf(w, "\narchive: %s\n", cli.Plural(len(o.Archive), "ended run"))
	g := &cli.Grid{Header: []string{"STUDY", "RUN", ">SCORE", "CHOSEN", "WHY"}}
	for _, r := range o.Archive {
		chosen := "no"
		if r.Chosen {
			chosen = "yes"
		}
		g.Add(r.Study, r.Run, cli.Significant(r.Score), chosen, r.Why)
	}
	if len(g.Rows) > 0 {
		g.Text(w, p)
	}
}

func candidateText(w io.Writer, p cli.Paint, c *transfer.Candidate) {
	name := c.Study
	if c.Run != "" {
		name += ", run " + c.Run
	}
	if c.Refused != "" {
		fmt.Fprintf(w, "%s: %s: %s\n", p.Bold(name), p.Red("refused"), c.Refused)
	} else if c.Unordered {
		fmt.Fprintf(w, "%s: %s: its %s used values are in no order: each says nothing of the others\n", p.Bold(name), p.Red("dropped"), cli.Count(c.Kept))
	} else {
		fmt.Fprintf(w, "%s: %s, %s of %s rows are used\n", p.Bold(name), useText(c.Use), cli.Count(c.Kept), cli.Count(c.Rows))
	}
	if c.Why != "" {
		fmt.Fprintf(w, "  why         %s\n", c.Why)
	}
	if c.Measured != "" && c.Refused == "" {
		fmt.Fprintf(w, "  measured by %s%s\n", c.Measured, mergesWith(c.Use))
	}
	if c.WorkloadSimilarity != nil {
		fmt.Fprintf(w, "  workload    %.0f %% similar\n", 100**c.WorkloadSimilarity)
	}
	for _, q := range c.Quarantine {
		fmt.Fprintf(w, "  set aside   %s: %s\n", cli.Plural(q.Rows, "row"), transfer.ReasonText(q.Reason))
	}
	for _, n := range []struct {
		rows int
		why  string
	}{{c.Failed, transfer.ReasonText("failed")}, {c.Foreign, transfer.ReasonText("label")}, {c.Outside, transfer.ReasonText("outside")}, {c.Merged, transfer.ReasonText("same_point")}} {
		if n.rows > 0 {
			fmt.Fprintf(w, "  not used    %s: %s\n", cli.Plural(n.rows, "row"), n.why)
		}
	}
	for _, d := range c.Damaged {
		fmt.Fprintf(w, "  damaged     %s\n", d)
	}
	for _, f := range c.LeftOut {
		fmt.Fprintf(w, "  left out    %s\n", f)
	}
	if c.Empty > 0 {
		fmt.Fprintf(w, "  empty       %s\n", cli.Plural(c.Empty, "file"))
	}
	matchesText(w, "parameters", c.Parameters)
	matchesText(w, "metrics", c.Metrics)
}

// matchesText lists what is mapped as it is on one line, the rest line by line.
func matchesText(w io.Writer, what string, matches []transfer.Match) {
	var plain []string
	for _, m := range matches {
		if m.Use == transfer.Mapped && m.Note == "" {
			plain = append(plain, m.Name)
		}
	}
	if len(plain) > 0 {
		fmt.Fprintf(w, "  %-11s %s mapped: %s\n", what, cli.Count(len(plain)), strings.Join(plain, ", "))
	}
	for _, m := range matches {
		if m.Use == transfer.Mapped && m.Note == "" {
			continue
		}
		text := m.Note
		if m.Use == transfer.Converted {
			text = strings.TrimSpace(fmt.Sprintf("%s to %s %s", m.SourceUnit, m.Unit, text))
		}
		fmt.Fprintf(w, "  %-11s %s: %s\n", m.Use, m.Name, text)
	}
}

// mergesWith says what a run does that another evaluator measures.
func mergesWith(use string) string {
	if use != transfer.UseMerge {
		return ""
	}
	return ": where another program, or another version of it, measures this study, it is a model"
}

func useText(use string) string {
	switch use {
	case transfer.UseMerge:
		return "merge (the same measurement, judged again)"
	case transfer.UseSeed:
		return "seed (its best designs are tried first)"
	}
	return "model (seeds, and a prior that has to earn its weight)"
}
