package main

import (
	"fmt"
	"io"
	"strconv"

	"apollo/evaluator/edge"
)

// landscapeAnswer prints the report as tables.
func landscapeAnswer(r *landscapeReport) answer {
	return answer{value: r, grid: r.optimaGrid(), text: func(w io.Writer, p paint) {
		fmt.Fprintf(w, "Template %s, version %s: %s uniform draws, no area limit. Shares of designs that break each rule, taken alone.\n\n", r.Template, r.Version, count(r.Draws))
		r.rejectionGrid().text(w, p)
		fmt.Fprintf(w, "\nProven optima of latency.\n\n")
		r.optimaGrid().text(w, p)
		fmt.Fprintf(w, "\nLevels of the %d optima: value x number of optima.\n\n", len(r.Optima))
		r.levelGrid().text(w, p)
		for i, area := range landscapeBudgets() {
			fmt.Fprintf(w, "\nRegret within %s: how much slower than on its own optimum each network (column) is on the optimum of another (row), or the rule that it breaks there.\n\n", areaText(area))
			n := len(r.Networks)
			r.regretGrid(r.Regret[i*n:(i+1)*n]).text(w, p)
		}
	}}
}

func (r *landscapeReport) rejectionGrid() *grid {
	g := &grid{header: []string{"NETWORK"}}
	for _, x := range r.Networks[0].Rejections {
		g.header = append(g.header, ">"+x.Code)
	}
	g.header = append(g.header, ">INFEASIBLE", ">MINIMUM", ">MEAN/MIN", ">MAX/MIN")
	for i := range r.Networks {
		n := &r.Networks[i]
		row := []string{n.Network}
		for _, x := range n.Rejections {
			row = append(row, tenths(float64(x.Alone)/float64(r.Draws)))
		}
		g.add(append(row, tenths(n.Infeasible), quantity(n.MinSeconds, "s"), significant(n.MeanSeconds/n.MinSeconds), significant(n.MaxSeconds/n.MinSeconds))...)
	}
	return g
}

func (r *landscapeReport) optimaGrid() *grid {
	g := &grid{header: []string{"NETWORK", ">AREA LIMIT", ">LATENCY", ">TIED", ">LEGAL", ">EVALUATED", ">SECONDS"}}
	params := edge.Template().Params
	for _, p := range params {
		g.header = append(g.header, ">"+p.Name)
	}
	for i := range r.Optima {
		o := &r.Optima[i]
		row := []string{
			o.Network, areaText(o.MaxAreaMM2), quantity(o.LatencySeconds, "s"), count(o.Tied), count(o.Legal), count(o.Evaluated),
			strconv.FormatFloat(o.Seconds, 'f', 1, 64),
		}
		for _, p := range params {
			v, _ := o.Design[p.Name].(float64)
			row = append(row, levelText(v, p.Unit))
		}
		g.add(row...)
	}
	return g
}

// levelText is a level without the unit where the column says it.
func levelText(v float64, unit string) string {
	if unit == "entries" {
		unit = ""
	}
	return quantity(v, unit)
}

func (r *landscapeReport) levelGrid() *grid {
	g := &grid{header: []string{"PARAMETER", "LEVELS"}}
	last := ""
	for _, l := range r.Levels {
		if l.Parameter != last {
			g.add(l.Parameter, "")
			last = l.Parameter
		}
		if l.Optima == 0 {
			continue
		}
		cell := &g.rows[len(g.rows)-1][1]
		if *cell != "" {
			*cell += ", "
		}
		*cell += fmt.Sprintf("%s x %d", levelText(l.Value, l.Unit), l.Optima)
	}
	return g
}

func (r *landscapeReport) regretGrid(rows []networkRegret) *grid {
	g := &grid{header: []string{"OPTIMUM OF"}}
	for i := range r.Networks {
		g.header = append(g.header, ">"+r.Networks[i].Network)
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
		g.add(row...)
	}
	return g
}

// tenths is a share in percent with one decimal.
func tenths(share float64) string { return strconv.FormatFloat(100*share, 'f', 1, 64) + " %" }
