package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"apollo/evaluator"
	"apollo/evaluator/report"
	"apollo/optimizer/space"
	"apollo/services/cli"
)

func (a *app) designNeighboursCommand() *cobra.Command {
	var flags designFlags
	var all bool
	c := &cobra.Command{
		Annotations: cli.PrintsRows(),
		Use:         "neighbours", Short: "Show what each change of one parameter does",
		Long: `Show what each change of one parameter to the next level below or above does to the
metrics of a design, or to every level with --all. Of an infeasible design, and of
changes that make a design infeasible, it says which rules a change repairs or breaks.`,
		Example: "  apollo design neighbours --preset baseline\n  apollo design neighbours --set cores=32 --set lanes=256 --all -o json",
		Args:    cli.Exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := flags.read(a, c)
			if err != nil {
				return err
			}
			n, err := neighboursOf(&s, all)
			if err != nil {
				return cli.Hinted(cli.ExitUsage, "", err)
			}
			return a.Print(n.answer(&s))
		},
	}
	flags.register(c, true)
	c.Flags().BoolVar(&all, "all", false, "change to every level, not only to the next ones")
	return c
}

// neighbours is the answer of `design neighbours`.
type neighbours struct {
	Design   report.Fields  `json:"design"`
	Feasible bool           `json:"feasible"`
	Metrics  report.Metrics `json:"metrics"`
	// Broken lists every rule that the design breaks.
	Broken     []brokenRule `json:"broken"`
	Neighbours []neighbour  `json:"neighbours"`
}

// brokenRule is a reason for which a design is infeasible.
type brokenRule struct {
	Code    string `json:"code"`
	Layer   string `json:"layer"`
	Message string `json:"message"`
}

// neighbour is the design after a change of one parameter.
type neighbour struct {
	Parameter string `json:"parameter"`
	Unit      string `json:"unit"`
	// From and To are numbers or labels.
	From     any            `json:"from"`
	To       any            `json:"to"`
	Feasible bool           `json:"feasible"`
	Metrics  report.Metrics `json:"metrics"`
	// Change is relative to the design, null where one of the two has no value.
	Change report.Metrics `json:"change"`
	// Fixes are codes of rules that the design breaks and the neighbour keeps,
	// Breaks the other way round; Left are broken before and after.
	Fixes  []string `json:"fixes"`
	Breaks []string `json:"breaks"`
	Left   []string `json:"left"`

	from, to space.Value
}

func neighboursOf(s *subject, all bool) (*neighbours, error) {
	home, err := s.Inspect(s.point, nil)
	if err != nil {
		return nil, err
	}
	before, err := s.Template.Broken(s.Networks, s.point)
	if err != nil {
		return nil, err
	}
	n := &neighbours{Design: home.Design, Feasible: home.Feasible, Metrics: home.Metrics, Broken: []brokenRule{}, Neighbours: []neighbour{}}
	for _, r := range before {
		n.Broken = append(n.Broken, brokenRule{r.Code, r.Layer, r.Message})
	}
	for i, p := range s.Template.Params {
		from := s.point.Values[i]
		for _, to := range levelsAround(p.Param, from, all) {
			near, err := s.neighbour(s.changed(i, to), &home, before)
			if err != nil {
				return nil, err
			}
			near.Parameter, near.Unit, near.From, near.To = p.Name, p.Unit, plainValue(from), plainValue(to)
			near.from, near.to = from, to
			n.Neighbours = append(n.Neighbours, near)
		}
	}
	return n, nil
}

// changed is the design with one parameter changed.
func (s *subject) changed(parameter int, to space.Value) report.Point {
	p := s.point
	p.Values = slices.Clone(p.Values)
	p.Values[parameter] = to
	return p
}

// levelsAround returns the levels other than v: the next below and above, or
// all; of labels, which have no order, always all.
func levelsAround(p space.Param, v space.Value, all bool) []space.Value {
	var out []space.Value
	if p.Categorical() {
		for _, label := range p.Labels {
			if label != v.Label {
				out = append(out, space.Value{Label: label})
			}
		}
		return out
	}
	at, on := slices.BinarySearch(p.Values, v.Num)
	above := at
	if on {
		above++
	}
	low, high := max(at-1, 0), min(above+1, len(p.Values))
	if all {
		low, high = 0, len(p.Values)
	}
	for _, num := range slices.Concat(p.Values[low:at], p.Values[above:high]) {
		out = append(out, space.Value{Num: num})
	}
	return out
}

func (s *subject) neighbour(p report.Point, home *report.Design, before []*evaluator.Reason) (neighbour, error) {
	n := neighbour{Fixes: []string{}, Breaks: []string{}, Left: []string{}}
	r, err := s.Inspect(p, nil)
	if err != nil {
		return n, err
	}
	after, err := s.Template.Broken(s.Networks, p)
	if err != nil {
		return n, err
	}
	n.Feasible, n.Metrics = r.Feasible, r.Metrics
	n.Change = slices.Clone(r.Metrics)
	for i, m := range home.Metrics {
		n.Change[i].Value = newChanged("", "", m.Value, r.Metrics[i].Value).Change
	}
	was, is := codes(before), codes(after)
	for _, code := range was {
		if slices.Contains(is, code) {
			n.Left = append(n.Left, code)
		} else {
			n.Fixes = append(n.Fixes, code)
		}
	}
	for _, code := range is {
		if !slices.Contains(was, code) {
			n.Breaks = append(n.Breaks, code)
		}
	}
	return n, nil
}

// codes lists the codes of reasons, each once.
func codes(reasons []*evaluator.Reason) []string {
	var out []string
	for _, r := range reasons {
		if !slices.Contains(out, r.Code) {
			out = append(out, r.Code)
		}
	}
	return out
}

func (n *neighbours) answer(s *subject) cli.Answer {
	g := &cli.Grid{Header: []string{"PARAMETER", ">FROM", ">TO"}}
	var metrics []string
	for _, m := range n.Metrics {
		g.Header = append(g.Header, ">"+strings.ToUpper(cli.Bare(m.Name, m.Unit)), ">CHANGE")
		metrics = append(metrics, cli.Bare(m.Name, m.Unit)+" "+orNone(m.Value, m.Unit))
	}
	g.Header = append(g.Header, "RULES")
	var items []any
	for i := range n.Neighbours {
		m := &n.Neighbours[i]
		items = append(items, m)
		row := []string{m.Parameter, valueText(m.from, m.Unit), valueText(m.to, m.Unit)}
		for k, x := range m.Metrics {
			row = append(row, orNone(x.Value, x.Unit), signed(m.Change[k].Value))
		}
		g.Add(append(row, m.rules())...)
	}
	return cli.Answer{Value: n, Items: items, Grid: g, Text: func(w io.Writer, p cli.Paint) {
		for i, v := range s.point.Values {
			fmt.Fprintf(w, "%-19s %14s\n", s.Template.Params[i].Name, valueText(v, s.Template.Params[i].Unit))
		}
		fmt.Fprintf(w, "\n%s\n", strings.Join(metrics, ", "))
		for _, b := range n.Broken {
			fmt.Fprintf(w, "%s: %s: %s\n", p.Red("infeasible"), b.Code, b.Message)
		}
		fmt.Fprintln(w)
		g.Text(w, p)
	}}
}

// rules says what a change does to the rules, for people.
func (n *neighbour) rules() string {
	var parts []string
	for _, of := range []struct {
		what  string
		codes []string
	}{{"repairs", n.Fixes}, {"breaks", n.Breaks}, {"leaves", n.Left}} {
		if len(of.codes) > 0 {
			parts = append(parts, of.what+" "+strings.Join(of.codes, ", "))
		}
	}
	return strings.Join(parts, "; ")
}
