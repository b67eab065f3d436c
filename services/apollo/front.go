package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"apollo/archiver"
	"apollo/events"
	"apollo/optimizer/pareto"
	"apollo/services/cli"
	"apollo/services/client"
	"apollo/services/inspect"
)

// frontJSON is the answer of a study with several objectives; nil for one.
type frontJSON struct {
	// Front is the feasible trials that no other dominates, in order.
	Front []events.BestTrial `json:"front"`
	// Hypervolume is what they dominate below Reference, in the product of the
	// objectives' units; both are null while the reference is not known.
	Hypervolume *float64           `json:"hypervolume"`
	Reference   map[string]float64 `json:"reference"`
}

func frontOf(view *client.StudyView) *frontJSON {
	if len(view.Spec.Objectives) < 2 {
		return nil
	}
	f := &frontJSON{Front: view.Front, Hypervolume: view.Hypervolume, Reference: view.Reference}
	if f.Front == nil {
		f.Front = []events.BestTrial{}
	}
	return f
}

// answerInBrief is the best trial or the front in a few words.
func answerInBrief(view *client.StudyView) string {
	if len(view.Front) > 0 {
		return frontText(view.Spec, len(view.Front), view.Hypervolume)
	}
	return bestText(view.Spec, view.Best)
}

// frontText is a front's size and hypervolume.
func frontText(spec *events.Spec, size int, volume *float64) string {
	text := fmt.Sprintf("front of %s", cli.Count(size))
	if volume != nil {
		text += ", hypervolume " + volumeText(spec, *volume)
	}
	return text
}

func volumeText(spec *events.Spec, volume float64) string {
	words := []string{strconv.FormatFloat(volume, 'g', 4, 64)}
	for _, o := range spec.Objectives {
		if unit := spec.Metrics[spec.MetricIndex(o.Metric)].Unit; unit != "" {
			words = append(words, unit)
		}
	}
	return strings.Join(words, " ")
}

// sizeText says how large the front is and what it dominates.
func (f *frontJSON) sizeText(spec *events.Spec) string {
	text := cli.Count(len(f.Front)) + " designs"
	if len(f.Front) == 1 {
		text = "1 design"
	}
	if f.Hypervolume == nil {
		return text + "; the hypervolume has no reference before ten trials are feasible"
	}
	text = fmt.Sprintf("%s, hypervolume %s up to %s", text, volumeText(spec, *f.Hypervolume), cli.Corner(spec, f.Reference))
	if n := f.beyond(spec); n > 0 {
		text += fmt.Sprintf("; %s beyond it add nothing", cli.Count(n))
	}
	return text
}

// beyond is how many designs of the front are no better than the reference in an objective.
func (f *frontJSON) beyond(spec *events.Spec) (n int) {
	for i := range f.Front {
		if slices.ContainsFunc(spec.Objectives, func(o events.Objective) bool {
			v, corner := f.Front[i].Metrics[o.Metric], f.Reference[o.Metric]
			return v == corner || (v > corner) == (o.Goal == "minimize")
		}) {
			n++
		}
	}
	return n
}

const (
	// frontRows is how many designs of a front the table shows.
	frontRows = 20
)

// table prints a front for people: by the first objective, with the parameters
// that differ most, and the baseline below.
func (f *frontJSON) table(w io.Writer, p cli.Paint, spec *events.Spec, base inspect.Baseline) {
	shown := f.shown(spec)
	keys, of := f.keys(spec), inspect.MeaningOf(spec)
	g := &cli.Grid{Header: []string{">TRIAL"}, Fold: true}
	for _, m := range objectivesFirst(spec) {
		g.Header = append(g.Header, ">"+strings.ToUpper(cli.Bare(m.Name, m.Unit)))
	}
	for _, k := range keys {
		g.Header = append(g.Header, ">"+spec.Parameters[k].Name)
	}
	row := func(name string, metrics map[string]float64, design events.Design) {
		cells := []string{name}
		for _, m := range objectivesFirst(spec) {
			text := "-"
			if v, ok := metrics[m.Name]; ok {
				text = cli.Quantity(v, m.Unit)
			}
			cells = append(cells, text)
		}
		texts := of.Texts(design, noLevel, valueText)
		for _, k := range keys {
			cells = append(cells, texts[k])
		}
		g.Add(cells...)
	}
	for i := range shown {
		row(strconv.Itoa(shown[i].Trial), shown[i].Metrics, inspect.DesignOf(spec, shown[i].Design))
	}
	if base.Metrics != nil {
		row("baseline", base.Metrics, base.Design)
	}
	g.Text(w, p)
	designs := make([]events.Design, 0, len(shown)+1)
	for i := range shown {
		designs = append(designs, inspect.DesignOf(spec, shown[i].Design))
	}
	networkNamesOf(spec).list(w, append(designs, base.Design))
	if len(f.Front) > 1 && len(keys) < len(spec.Parameters) {
		var same []string
		for k, text := range of.Texts(inspect.DesignOf(spec, f.Front[0].Design), noLevel, valueText) {
			if !slices.Contains(keys, k) && text != noLevel {
				same = append(same, spec.Parameters[k].Name+" "+text)
			}
		}
		fmt.Fprintln(w, p.Wrap("in all of them: "+strings.Join(same, ", "), "  "))
	}
	if hidden := len(f.Front) - len(shown); hidden > 0 {
		fmt.Fprintf(w, "and %s designs more: -o json or csv\n", cli.Count(hidden))
	}
}

// shown is the rows of the table: of a large front the least crowded designs.
func (f *frontJSON) shown(spec *events.Spec) []events.BestTrial {
	points := make([][]float64, len(f.Front))
	all := make([]int, len(f.Front))
	for i := range f.Front {
		points[i], all[i] = minimisedOf(spec, f.Front[i].Metrics), i
	}
	kept := pareto.Spread(points, all)
	kept = kept[:min(len(kept), frontRows)]
	slices.SortFunc(kept, func(a, b int) int {
		return cmp.Or(slices.Compare(points[a], points[b]), cmp.Compare(a, b))
	})
	out := make([]events.BestTrial, len(kept))
	for k, i := range kept {
		out[k] = f.Front[i]
	}
	return out
}

// keys are the parameters that differ on the front, in order.
func (f *frontJSON) keys(spec *events.Spec) []int {
	var keys []int
	for i, p := range spec.Parameters {
		distinct := map[any]bool{}
		for k := range f.Front {
			distinct[f.Front[k].Design[p.Name]] = true
		}
		if len(distinct) > 1 {
			keys = append(keys, i)
		}
	}
	return keys
}

// objectivesFirst is the metrics of a study, the objectives before the others.
func objectivesFirst(spec *events.Spec) []events.Metric {
	var first, rest []events.Metric
	for _, o := range spec.Objectives {
		first = append(first, spec.Metrics[spec.MetricIndex(o.Metric)])
	}
	for _, m := range spec.Metrics {
		if !slices.Contains(first, m) {
			rest = append(rest, m)
		}
	}
	return append(first, rest...)
}

// answerSheet is the front, or the best trial, as rows for csv with plain
// numbers.
func answerSheet(spec *events.Spec, f *frontJSON, best *events.BestTrial) *cli.Grid {
	var trials []events.BestTrial
	switch {
	case f != nil:
		trials = f.Front
	case best != nil:
		trials = []events.BestTrial{*best}
	}
	g := &cli.Grid{Header: []string{"trial"}}
	for _, m := range spec.Metrics {
		g.Header = append(g.Header, archiver.MetricColumn(m.Name))
	}
	g.Header = append(append(g.Header, inspect.ParameterColumns(spec)...), "feasible")
	of := inspect.MeaningOf(spec)
	for i := range trials {
		b := &trials[i]
		cells := []string{strconv.Itoa(b.Trial)}
		for _, m := range spec.Metrics {
			text := ""
			if v, ok := b.Metrics[m.Name]; ok {
				text = inspect.Plain(v)
			}
			cells = append(cells, text)
		}
		cells = append(append(cells, of.Cells(inspect.DesignOf(spec, b.Design))...), "true") // a best design is feasible
		g.Add(cells...)
	}
	return g
}

// minimisedOf is the objectives of a trial, all to be minimised.
func minimisedOf(spec *events.Spec, metrics map[string]float64) []float64 {
	p := make([]float64, len(spec.Objectives))
	for i, o := range spec.Objectives {
		p[i] = metrics[o.Metric]
		if o.Goal == "maximize" {
			p[i] = -p[i]
		}
	}
	return p
}

// ranked orders feasible trials, best first: by the one objective, or by fronts
// and crowding.
func ranked(spec *events.Spec, trials []*trial) []*trial {
	points := make([][]float64, len(trials))
	for i, t := range trials {
		points[i] = minimisedOf(spec, inspect.Metrics(spec, t.result.Values))
	}
	out := make([]*trial, len(trials))
	for k, i := range rankedPoints(points) {
		out[k] = trials[i]
	}
	return out
}

// rankedPoints is the order of trials with these objectives, to be minimised, of which all
// have as many.
func rankedPoints(points [][]float64) []int {
	if len(points) > 0 && len(points[0]) > 1 {
		return pareto.Rank(points)
	}
	order := make([]int, len(points))
	for i := range order {
		order[i] = i
	}
	// Stable, so that the earlier trial wins a tie.
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(points[a][0], points[b][0]) })
	return order
}

// frontQuery is the front of a log in DuckDB's SQL.
func frontQuery(spec *events.Spec, files, metrics string) string {
	var notWorse, better []string
	for _, o := range spec.Objectives {
		sign := "<"
		if o.Goal == "maximize" {
			sign = ">"
		}
		notWorse = append(notWorse, fmt.Sprintf("o.%s %s= t.%[1]s", sqlName(o.Metric), sign))
		better = append(better, fmt.Sprintf("o.%s %s t.%[1]s", sqlName(o.Metric), sign))
	}
	return fmt.Sprintf("WITH t AS (FROM read_parquet('%s') WHERE feasible) FROM t SELECT trial, %s WHERE NOT EXISTS (FROM t o WHERE %s AND (%s)) ORDER BY %s",
		files, metrics, strings.Join(notWorse, " AND "), strings.Join(better, " OR "), sqlName(spec.Objectives[0].Metric))
}
