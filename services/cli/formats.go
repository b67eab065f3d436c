package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"apollo/services/draw"
)

// FormatsOf lists the values of --output that a command knows; the first is
// the one for people. It is the one place that knows: print refuses the rest.
func FormatsOf(c *cobra.Command) []string {
	value := []string{"table", "json", "jsonl", "yaml"}
	rows := slices.Concat(value, []string{"csv"})
	switch strings.TrimPrefix(c.CommandPath(), c.Root().Name()+" ") {
	case "up", "serve", "evaluator run", "bench worker": // they print no answer
		return value[:1]
	case "events tail": // its lines never end
		return []string{"table", "jsonl"}
	case "run", "study watch", "study show", "study ls", "study lint", "trial ls", "dlq ls",
		"design neighbours", "design sensitivity", "design export", "space ls", "space show",
		"workload ls", "workload show", "workload import", "evaluator ls", "evaluator check",
		"events schema", "events validate", "bench suites", "validate", "doctor":
		return rows
	case "compare", "design eval", "bench", "bench report":
		return slices.Concat(rows, draw.Formats())
	case "transfer report":
		return slices.Concat(value, draw.Formats())
	}
	return value
}

// CheckFormat refuses a format that the command cannot print before it begins:
// hours of search must not end in an answer that nobody sees.
func (a *Terminal) CheckFormat(c *cobra.Command) error {
	known := FormatsOf(c)
	switch {
	case slices.Contains(known, a.Output):
		return nil
	case len(known) == 1:
		return Usagef("%s prints no answer: -o %s has no place here", c.CommandPath(), a.Output)
	}
	return Usagef("%s has no output format %q: want %s", c.CommandPath(), a.Output, strings.Join(known, ", "))
}
