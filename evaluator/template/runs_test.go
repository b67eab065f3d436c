package template

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"apollo/evaluator"
	"apollo/evaluator/workload"
	"apollo/optimizer/space"
)

var rewrite = flag.Bool("rewrite", false, "write the tables of the documentation again")

// The table of docs/workloads.md says which template runs which network: its
// baseline does ("yes"), another design of its space does ("elsewhere"), or the
// rule that refused the last of many designs with the largest memories. At least
// four templates run every network.
func TestNetworksOnTemplates(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("maps every network on every template")
	}
	table := []string{"| network |", "|---|"}
	for _, s := range All() {
		table[0] += " `" + s.Name + "` |"
		table[1] += "---|"
	}
	for _, name := range workload.Names() {
		row, runs := []string{"`" + name + "`"}, 0
		w := sizedNetwork(t, name, workload.Sizes{})
		for _, s := range All() {
			cell := runsOn(t, s.Template(), w)
			if cell == "yes" || cell == "elsewhere" {
				runs++
			}
			row = append(row, cell)
		}
		if runs < 4 {
			t.Errorf("%d templates run %s, want 4 or more", runs, name)
		}
		table = append(table, "| "+strings.Join(row, " | ")+" |")
	}
	const file, start, end = "../../docs/workloads.md", "<!-- runs -->\n", "<!-- end -->"
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(page), start)
	old, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no table between %q and %q", file, start, end)
	}
	want := strings.Join(table, "\n") + "\n"
	if old == want {
		return
	}
	if !*rewrite {
		t.Fatalf("the table of %s lags behind: go test ./evaluator/template -run TestNetworksOnTemplates -rewrite\n%s", file, want)
	}
	if err := os.WriteFile(file, []byte(before+start+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// runsOn is a cell of the table.
func runsOn(t *testing.T, tpl evaluator.Template, w *workload.Workload) string {
	t.Helper()
	ev, err := tpl.Backend.New(evaluator.Task{Params: tpl.Params, Networks: []evaluator.Network{{Workload: w, Weight: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	reason := func(design []space.Value) string {
		r, err := ev.Evaluate(context.Background(), evaluator.Request{Design: design})
		if err != nil {
			t.Fatal(err)
		}
		if r.Outcome == evaluator.Measured {
			return ""
		}
		return r.Reason.Code
	}
	if reason(tpl.Baseline) == "" {
		return "yes"
	}
	const draws = 400 // chosen: the networks that run anywhere do within a few dozen
	rng := rand.New(rand.NewPCG(1, 0))
	last := ""
	for range draws {
		design := make([]space.Value, len(tpl.Params))
		for i := range tpl.Params {
			p := &tpl.Params[i]
			level := rng.IntN(p.Len())
			if p.Unit == "B" || strings.HasSuffix(p.Name, "_memory") || strings.HasSuffix(p.Name, "_words") {
				level = p.Len() - 1
			}
			design[i] = p.Value(level)
		}
		if last = reason(design); last == "" {
			return "elsewhere"
		}
	}
	return fmt.Sprintf("`%s`", last)
}
