package commands

import (
	"fmt"
	"io"
	"strconv"

	"apollo/services/cli"
)

// landscapeAnswer prints the report as tables.
func landscapeAnswer(r *landscapeReport) cli.Answer {
	return cli.Answer{Value: r, Grid: r.optimaGrid(), Text: func(w io.Writer, p cli.Paint) {
		fmt.Fprintf(w, "Template %s, version %s: %s uniform draws, no area limit. Shares of designs that break each rule, taken alone.\n\n", r.Template, r.Version, cli.Count(r.Draws))
		r.rejectionGrid().Text(w, p)
		fmt.Fprintf(w, "\nProven optima of latency.\n\n")
		r.optimaGrid().Text(w, p)
		fmt.Fprintf(w, "\nLevels of the %d optima: value x number of optima.\n\n", len(r.Optima))
		r.levelGrid().Text(w, p)
		for i, area := range landscapeBudgets() {
			fmt.Fprintf(w, "\nRegret within %s: how much slower than on its own optimum each network (column) is on the optimum of another (row), or the rule that it breaks there.\n\n", areaText(area))
			n := len(r.Networks)
			r.regretGrid(r.Regret[i*n:(i+1)*n]).Text(w, p)
		}
	}}
}

func (r *landscapeReport) rejectionGrid() *cli.Grid {
	g := &cli.Grid{Header: []string{"NETWORK"}}
	for _, x := range r.Networks[0].Rejections {
		g.Header = append(g.Header, ">"+x.Code)
	}
	g.Header = append(g.Header, ">INFEASIBLE", ">MINIMUM", ">MEAN/MIN", ">MAX/MIN")
	for i := range r.Networks {
		n := &r.Networks[i]
		row := []string{n.Network}
		for _, x := range n.Rejections {
			row = append(row, tenths(float64(x.Alone)/float64(r.Draws)))
		}
		g.Add(append(row, tenths(n.Infeasible), cli.Quantity(n.MinSeconds, "s"), cli.Significant(n.MeanSeconds/n.MinSeconds), cli.Significant(n.MaxSeconds/n.MinSeconds))...)
	}
	return g
}

func (r *landscapeReport) optimaGrid() *cli.Grid {
	g := &cli.Grid{Header: []string{"NETWORK", ">AREA LIMIT", ">LATENCY", ">TIED", ">LEGAL", ">EVALUATED", ">SECONDS"}}
	for _, p := range r.params {
		g.Header = append(g.Header, ">"+p.Name)
	}
	for i := range r.Optima {
		o := &r.Optima[i]
		row := []string{
			o.Network, areaText(o.MaxAreaMM2), cli.Quantity(o.LatencySeconds, "s"), cli.Count(o.Tied), cli.Count(o.Legal), cli.Count(o.Evaluated),
			strconv.FormatFloat(o.Seconds, 'f', 1, 64),
		}
		for _, p := range r.params {
			v, _ := o.Design[p.Name].(float64)
			row = append(row, levelText(v, p.Unit))
		}
		g.Add(row...)
	}
	return g
}

// levelText is a level without the unit where the column says it.
func levelText(v float64, unit string) string {
	if unit == "entries" {
		unit = ""
	}
	return cli.Quantity(v, unit)
}

func (r *landscapeReport) levelGrid() *cli.Grid {
	g := &cli.Grid{Header: []string{"PARAMETER", "LEVELS"}}
	last := ""
	for _, l := range r.Levels {
		if l.Parameter != last {
			g.Add(l.Parameter, "")
			last = l.Parameter
		}
		if l.Optima == 0 {
			continue
		}
		cell := &g.Rows[len(g.Rows)-1][1]
		if *cell != "" {
			*cell += ", "
		}
		*cell += fmt.Sprintf("%s x %d", levelText(l.Value, l.Unit), l.Optima)
	}
	return g
}

func (r *landscapeReport) regretGrid(rows []networkRegret) *cli.Grid {
	g := &cli.Grid{Header: []string{"OPTIMUM OF"}}
	for i := range r.Networks {
		g.Header = append(g.Header, ">"+r.Networks[i].Network)
	}
	for i := range rows {
		row := []string{rows[i].OptimumOf}
		for j, x := range rows[i].Regret {
			if x == nil {
				row = append(row, rows[i].Broken[j])
				continue
			}
			row = append(row, tenths(*x))
		}
		g.Add(row...)
	}
	return g
}

// tenths is a share in percent with one decimal.
func tenths(share float64) string { return strconv.FormatFloat(100*share, 'f', 1, 64) + " %" }
