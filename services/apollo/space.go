package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"apollo/evaluator"
	"apollo/evaluator/frame"
	"apollo/evaluator/template"
	"apollo/events"
	"apollo/optimizer/space"
	"apollo/services/cli"
	"apollo/services/inspect"
)

func (a *app) spaceCommand() *cobra.Command {
	return a.Group("space", "Show the design spaces", "  apollo space show edge",
		a.spaceLsCommand(), a.spaceShowCommand(), a.spaceSizeCommand())
}

// findTemplate returns a template of this build.
func findTemplate(name string) (*frame.Spec, error) {
	t, ok := template.Named(name)
	if !ok {
		return nil, cli.Hinted(cli.ExitNotFound, "there are: "+strings.Join(templateNames(), ", "), fmt.Errorf("no template is called %q", name))
	}
	return t, nil
}

// templateNames are the templates of this build; the first is the default.
func templateNames() []string {
	var names []string
	for _, t := range template.All() {
		names = append(names, t.Name)
	}
	return names
}

func defaultTemplate() string { return templateNames()[0] }

// spaceArg is the template that the first argument names, or the default.
func spaceArg(args []string) (t evaluator.Template, s space.Space, err error) {
	name := defaultTemplate()
	if len(args) > 0 {
		name = args[0]
	}
	x, err := findTemplate(name)
	if err != nil {
		return t, s, err
	}
	t = x.Template()
	s, err = space.New(t.Params...)
	return t, s, err
}

func (a *app) spaceLsCommand() *cobra.Command {
	return &cobra.Command{
		Annotations: cli.PrintsRows(),
		Use:         "ls", Short: "List the templates and the size of their spaces",
		Example: "  apollo space ls", Args: cli.Exactly(0),
		RunE: func(*cobra.Command, []string) error {
			type row struct {
				Template   string `json:"template"`
				Parameters int    `json:"parameters"`
				Designs    uint64 `json:"designs"`
				Doc        string `json:"doc"`
			}
			rows, items := []row{}, []any{}
			g := &cli.Grid{Header: []string{"TEMPLATE", ">PARAMETERS", ">DESIGNS", "WHAT"}}
			for _, t := range inspect.Builtins().Templates {
				s, err := space.New(t.Params...)
				if err != nil {
					return err
				}
				designs, err := events.Designs(inspect.Parameters(t))
				if err != nil {
					return err
				}
				r := row{t.Name, s.Len(), designs, t.Doc}
				rows, items = append(rows, r), append(items, r)
				g.Add(r.Template, strconv.Itoa(r.Parameters), cli.Count(r.Designs), firstSentence(r.Doc))
			}
			return a.Print(cli.Answer{Value: rows, Items: items, Grid: g})
		},
	}
}

func (a *app) spaceShowCommand() *cobra.Command {
	return &cobra.Command{
		Annotations: cli.PrintsRows(),
		Use:         "show [TEMPLATE]", Short: "Show the parameters of a template with their values",
		Example: "  apollo space show edge", Args: cli.Between(0, 1),
		ValidArgsFunction: completeTemplates,
		RunE: func(_ *cobra.Command, args []string) error {
			t, s, err := spaceArg(args)
			if err != nil {
				return err
			}
			designs, err := events.Designs(inspect.Parameters(t))
			if err != nil {
				return err
			}
			return a.Print(showSpace(t, s, designs))
		},
	}
}

// shownParam is a parameter as `space show -o json` prints it.
type shownParam struct {
	Name     string   `json:"name"`
	Unit     string   `json:"unit,omitempty"`
	Values   []any    `json:"values"`
	Baseline any      `json:"baseline,omitempty"`
	Doc      string   `json:"doc,omitempty"`
	texts    []string // the values for people
}

func showSpace(t evaluator.Template, s space.Space, designs uint64) cli.Answer {
	params, items := []shownParam{}, []any{}
	g := &cli.Grid{Header: []string{"PARAMETER", "BASELINE", "VALUES"}}
	what := &cli.Grid{Header: []string{"PARAMETER", "WHAT"}}
	for i, p := range s.Params() {
		sp := shownParam{Name: p.Name, Unit: p.Unit}
		for level := range p.Len() {
			v := p.Value(level)
			sp.Values = append(sp.Values, plain(v))
			sp.texts = append(sp.texts, valueText(v, p.Unit))
		}
		if p.Unit == "entries" {
			// The word once is enough.
			for i := range p.Len() - 1 {
				sp.texts[i] = strings.TrimSuffix(sp.texts[i], " entries")
			}
		}
		baseline := ""
		if i < len(t.Baseline) {
			sp.Baseline, baseline = plain(t.Baseline[i]), valueText(t.Baseline[i], p.Unit)
		}
		if i < len(t.ParamDocs) {
			sp.Doc = t.ParamDocs[i]
		}
		params, items = append(params, sp), append(items, sp)
		g.Add(p.Name, baseline, strings.Join(sp.texts, ", "))
		what.Add(p.Name, sp.Doc)
	}
	value := struct {
		Template   string       `json:"template"`
		Doc        string       `json:"doc"`
		Designs    uint64       `json:"designs"`
		Parameters []shownParam `json:"parameters"`
	}{t.Name, t.Doc, designs, params}
	return cli.Answer{Value: value, Items: items, Grid: g, Text: func(w io.Writer, p cli.Paint) {
		fmt.Fprintf(w, "%s\n\n", p.Wrap(t.Name+": "+t.Doc, "  "))
		g.Text(w, p)
		if len(t.ParamDocs) > 0 {
			fmt.Fprintln(w)
			what.Text(w, p)
		}
		fmt.Fprintf(w, "\n%s designs\n", cli.Count(designs))
	}}
}

func (a *app) spaceSizeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "size [TEMPLATE]", Short: "Print the number of designs of a template",
		Long: "Print the number of designs of a template. `apollo study lint` says it for a study\n" +
			"file, with the share that the study's rules and constraints leave.",
		Example: "  apollo space size edge", Args: cli.Between(0, 1),
		ValidArgsFunction: completeTemplates,
		RunE: func(_ *cobra.Command, args []string) error {
			t, _, err := spaceArg(args)
			if err != nil {
				return err
			}
			designs, err := events.Designs(inspect.Parameters(t))
			if err != nil {
				return err
			}
			value := struct {
				Template string `json:"template"`
				Designs  uint64 `json:"designs"`
			}{t.Name, designs}
			return a.Print(cli.Answer{Value: value, Text: func(w io.Writer, _ cli.Paint) { fmt.Fprintln(w, designs) }})
		},
	}
}

func completeTemplates(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return templateNames(), cobra.ShellCompDirectiveNoFileComp
}

// plain is a value as JSON shows it.
func plain(v space.Value) any {
	if v.Label != "" {
		return v.Label
	}
	return v.Num
}

// valueText is a value for people.
func valueText(v space.Value, unit string) string {
	if v.Label != "" {
		return v.Label
	}
	return cli.Quantity(v.Num, unit)
}

// firstSentence cuts a paragraph after its first sentence. The full stop of an
// initial or of an abbreviation ends none: only one before a capital letter
// that follows a word of lower-case letters, or a closing bracket, does.
func firstSentence(s string) string {
	s = strings.ReplaceAll(s, "\n", " ")
	for i := 2; i+2 < len(s); i++ {
		lower := s[i-1] >= 'a' && s[i-1] <= 'z' && s[i-2] >= 'a' && s[i-2] <= 'z'
		capital := s[i+2] >= 'A' && s[i+2] <= 'Z'
		if s[i] == '.' && s[i+1] == ' ' && (lower || s[i-1] == ')') && capital && !strings.HasSuffix(s[:i], " al") {
			return s[:i]
		}
	}
	return strings.TrimSuffix(s, ".")
}
