package compare

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"apollo/services/cli"
	"apollo/services/draw"
)

// GoalText says what all studies are to do.
func (r *Report) GoalText() string {
	var parts []string
	for _, o := range r.Objectives {
		parts = append(parts, o.Goal+" "+cli.Bare(o.Metric, o.Unit))
	}
	return strings.Join(parts, ", ")
}

// ValueText is a best value or a hypervolume for people.
func (r *Report) ValueText(v *float64) string {
	switch {
	case v == nil:
		return "-"
	case len(r.Objectives) > 1:
		return strconv.FormatFloat(*v, 'g', 4, 64)
	}
	return cli.Quantity(*v, r.Objectives[0].Unit)
}

func countOr(n *int) string {
	if n == nil {
		return "-"
	}
	return cli.Count(*n)
}

// Text prints the comparison for people.
func (r *Report) Text(w io.Writer, p cli.Paint) {
	several := len(r.Objectives) > 1
	fmt.Fprintf(w, "%s\n\n", p.Bold(r.GoalText()))
	g := &cli.Grid{Header: []string{"STUDY", "ALGORITHM", ">TRIALS", ">FEASIBLE"}}
	if several {
		g.Header = append(g.Header, ">FRONT", ">JOINT", ">HYPERVOLUME", ">TO REACH")
	} else {
		g.Header = append(g.Header, ">BEST", ">TRIAL", ">TO REACH")
	}
	if r.Level != nil {
		g.Header[len(g.Header)-1] += " " + r.ValueText(r.Level)
	}
	for i := range r.Studies {
		s := &r.Studies[i]
		row := []string{s.Name, s.Algorithm, cli.Count(s.Trials), s.FeasibleShare()}
		if several {
			row = append(row, cli.Count(s.FrontSize), cli.Count(s.Joint), r.ValueText(s.Value))
		} else {
			row = append(row, r.ValueText(s.Value), countOr(s.Trial))
		}
		g.Add(append(row, countOr(s.TrialsToLevel))...)
	}
	g.Text(w, p)
	if several && r.Level != nil {
		beyond := ""
		if n := r.beyond(); n > 0 {
			beyond = fmt.Sprintf("; designs of the fronts beyond it, which add nothing: %s", cli.Count(n))
		}
		fmt.Fprintf(w, "\nhypervolume up to %s%s; joint: on the front of all studies together\n", cli.Corner(r.spec, r.Reference), beyond)
	}
	for i := range r.Studies {
		s := &r.Studies[i]
		if s.Voided > 0 {
			fmt.Fprintf(w, "\n%s: %s of its trials are voided: measured anew; FEASIBLE is of the others\n", s.Name, cli.Count(s.Voided))
		}
		if s.LowFidelity > 0 {
			fmt.Fprintf(w, "\n%s: %s of its trials are of low fidelity; FEASIBLE is of the others\n", s.Name, cli.Count(s.LowFidelity))
		}
	}
	r.armsText(w, p)
	r.differenceText(w, p)
}

// shownDifferences is how many fields the table shows, and cellWidth how much of
// a value.
const (
	shownDifferences = 24
	cellWidth        = 40
)

func (r *Report) differenceText(w io.Writer, p cli.Paint) {
	if len(r.Differences) == 0 {
		fmt.Fprintf(w, "\nthe specifications are the same\n")
		return
	}
	fmt.Fprintln(w)
	g := &cli.Grid{Header: []string{"DIFFERS IN"}}
	for i := range r.Studies {
		g.Header = append(g.Header, r.Studies[i].Name)
	}
	for _, d := range r.Differences[:min(len(r.Differences), shownDifferences)] {
		row := []string{d.Field}
		for _, v := range d.Values {
			row = append(row, cell(v))
		}
		g.Add(row...)
	}
	g.Text(w, p)
	if hidden := len(r.Differences) - shownDifferences; hidden > 0 {
		fmt.Fprintf(w, "and %s fields more: -o json\n", cli.Count(hidden))
	}
}

// cell is a JSON value as it fits into a table.
func cell(v string) string {
	if text, err := strconv.Unquote(v); err == nil {
		v = text
	}
	if v == "" {
		return "-"
	}
	if runes := []rune(v); len(runes) > cellWidth {
		return string(runes[:cellWidth-1]) + "…"
	}
	return v
}

// Sheet is the studies as rows for csv, with plain numbers.
func (r *Report) Sheet() *cli.Grid {
	g := &cli.Grid{Header: []string{"study", "run", "state", "algorithm", "seed", "trials", "feasible", "value", "trial", "front_size", "joint", "trials_to_level", "low_fidelity", "voided"}}
	integer := func(n *int) string {
		if n == nil {
			return ""
		}
		return strconv.Itoa(*n)
	}
	for i := range r.Studies {
		s := &r.Studies[i]
		value := ""
		if s.Value != nil {
			value = strconv.FormatFloat(*s.Value, 'g', -1, 64)
		}
		g.Add(s.Study, s.Run, s.State, s.Algorithm, strconv.FormatUint(s.Seed, 10), strconv.Itoa(s.Trials), strconv.Itoa(s.Feasible),
			value, integer(s.Trial), strconv.Itoa(s.FrontSize), strconv.Itoa(s.Joint), integer(s.TrialsToLevel), strconv.Itoa(s.LowFidelity), strconv.Itoa(s.Voided))
	}
	return g
}

// Draw draws the curves: how far each study was from the best value of all, or
// which share of the largest hypervolume it had, and its share of feasible
// trials.
func (r *Report) Draw(w io.Writer, format string) error {
	best := r.bestOfAll()
	if best == nil {
		return cli.Usagef("there is nothing to draw: no study has a feasible trial")
	}
	const floor = 1e-3 // a tenth of a percent is no distance
	curves := draw.Plot{Title: "Best so far, above " + r.ValueText(best), X: "trials", Y: "", Log: true, Floor: floor}
	relative := func(v float64) float64 {
		scale := math.Abs(*best)
		if scale == 0 {
			scale = 1
		}
		return math.Abs(v-*best) / scale
	}
	if len(r.Objectives) > 1 {
		curves = draw.Plot{Title: "Hypervolume, share of " + r.ValueText(best), X: "trials"}
		relative = func(v float64) float64 { return v / *best }
		if *best == 0 {
			relative = func(float64) float64 { return 0 }
		}
	}
	shares := draw.Plot{Title: "Feasible share so far", X: "trials"}
	for i := range r.Studies {
		s := &r.Studies[i]
		line := draw.Line{Name: s.Name, Y: make([]float64, s.Trials)}
		at, value := 0, math.NaN()
		for k := range line.Y {
			if at < len(s.Curve) && s.Curve[at].Trials == k+1 {
				value = relative(s.Curve[at].Value)
				at++
			}
			line.Y[k] = value
		}
		curves.Lines = append(curves.Lines, line)
		shares.Lines = append(shares.Lines, draw.Line{Name: s.Name, Y: s.of.shares()})
	}
	return draw.Plots(w, format, r.GoalText(), [][]draw.Plot{{curves, shares}})
}

func (r *Report) bestOfAll() *float64 {
	var best *float64
	for i := range r.Studies {
		if v := r.Studies[i].Value; v != nil && (best == nil || r.better(*v, *best)) {
			best = v
		}
	}
	return best
}
