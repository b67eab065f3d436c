package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"apollo/services/cli"
)

func (n *neighbours) answer(s *subject) cli.Answer {
	var metrics []string
	for _, m := range n.Metrics {
		metrics = append(metrics, cli.Bare(m.Name, m.Unit)+" "+orNone(m.Value, m.Unit))
	}
	g := n.table()
	var items []any
	for i := range n.Neighbours {
		items = append(items, &n.Neighbours[i])
	}
	return cli.Answer{Value: n, Items: items, Grid: g, Text: func(w io.Writer, p cli.Paint) {
		for i, text := range s.texts(s.point) {
			fmt.Fprintf(w, "%-19s %14s\n", s.params()[i].Name, text)
		}
		fmt.Fprintln(w, "\n"+p.Wrap(strings.Join(metrics, ", "), "  "))
		for _, b := range n.Broken {
			fmt.Fprintf(w, "%s: %s: %s\n", p.Red("infeasible"), b.Code, b.Message)
		}
		fmt.Fprintln(w)
		if len(g.Rows) > 0 {
			g.Text(w, p)
			fmt.Fprintln(w)
		}
		for i := range n.Neighbours {
			if text := n.Neighbours[i].rules(); text != "" {
				fmt.Fprintln(w, p.Wrap(n.Neighbours[i].changeText()+": "+text, "  "))
			}
		}
	}}
}

// changeText is what changes, for people.
func (n *neighbour) changeText() string {
	text := n.Parameter + " " + rivalText(n.to, n.Unit)
	if x := n.Second; x != nil {
		text += " and " + x.Parameter + " " + rivalText(x.step.To, x.Unit)
	}
	return text
}

// table lists the neighbours that are possible: what counts first, then the other
// metrics.
func (n *neighbours) table() *cli.Grid {
	g := &cli.Grid{Header: []string{"PARAMETER", ">FROM", ">TO"}}
	shown := make([]int, len(n.Metrics))
	for i := range shown {
		shown[i] = i
	}
	slices.SortStableFunc(shown, func(a, b int) int { return cmp.Compare(n.rank(a), n.rank(b)) })
	for k, i := range shown {
		m := n.Metrics[i]
		g.Header = append(g.Header, ">"+strings.ToUpper(cli.Bare(m.Name, m.Unit)), ">CHANGE")
		if k == 0 {
			g.Header = append(g.Header, ">PER MM2")
		}
	}
	for i := range n.Neighbours {
		m := &n.Neighbours[i]
		if !m.possible() {
			continue
		}
		row := []string{m.Parameter, valueText(m.from, m.Unit), valueText(m.to, m.Unit)}
		if x := m.Second; x != nil {
			row = []string{m.Parameter + "\n" + x.Parameter, row[1] + "\n" + valueText(x.step.From, x.Unit), row[2] + "\n" + valueText(x.step.To, x.Unit)}
		}
		for k, i := range shown {
			x := m.Metrics[i]
			row = append(row, orNone(x.Value, x.Unit), signed(m.Change[i].Value))
			if k == 0 {
				row = append(row, n.price(m))
			}
		}
		g.Add(row...)
	}
	return g
}

// rank is the place of a metric: what is gained, the area that it costs, the others.
func (n *neighbours) rank(metric int) int {
	switch m := n.Metrics[metric]; {
	case m.Name == n.Gain:
		return 0
	case m.Unit == areaUnit:
		return 1
	}
	return 2
}

// price is the gain for each mm2.
func (n *neighbours) price(m *neighbour) string {
	switch {
	case !m.possible() || m.Gain == nil:
		return "-"
	case m.class() == 0:
		return "free"
	case m.GainPerMM2 == nil:
		return "-"
	}
	for _, x := range n.Metrics {
		if x.Name == n.Gain {
			return cli.Metric(*m.GainPerMM2, x.Unit)
		}
	}
	return "-"
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
	if r := n.Repair; r != nil {
		parts = append(parts, fmt.Sprintf("%s=%s repairs it", r.Parameter, rivalText(r.step.To, r.Unit)))
	}
	return strings.Join(parts, "; ")
}
