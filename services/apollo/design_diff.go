package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"apollo/evaluator/report"
	"apollo/optimizer/space"
	"apollo/services/cli"
)

func (a *app) designDiffCommand() *cobra.Command {
	var flags designFlags
	c := &cobra.Command{
		Use: "diff A B", Short: "Compare two designs: parameters, metrics, parts, layers",
		Long: `Compare two designs of a template on the cost model: the parameters in which they differ,
the metrics, where area, time and energy differ, and the layers that gain or lose most.
A design is a preset or @FILE (a JSON answer of run, certify or trial show), with changes after commas.
With --study it may be a trial of the study: best, or a number.`,
		Example: "  apollo design diff --study mobilenetv2-6p8 baseline best\n  apollo design diff baseline v2\n  apollo design diff baseline baseline,lanes=32,pe_memory=512KiB\n" +
			"  apollo certify STUDY.yaml -o json > best.json && apollo design diff baseline @best.json\n" +
			"  apollo design diff --template systolic baseline baseline,dataflow=os",
		Args: cli.Exactly(2),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := flags.read(a, c, args...)
			if err != nil {
				return err
			}
			d := designDiff{A: designSide{Name: args[0]}, B: designSide{Name: args[1]}}
			for _, side := range []*designSide{&d.A, &d.B} {
				if side.point, err = s.named(side.Name); err != nil {
					return err
				}
				if side.report, err = s.Inspect(side.point, nil); err != nil {
					return cli.Hinted(cli.ExitUsage, "", err)
				}
				side.Feasible, side.Reason, side.Metrics = side.report.Feasible, side.report.Reason, side.report.Metrics
			}
			d.compare(&s)
			return a.Print(cli.Answer{Value: d, Text: d.text})
		},
	}
	flags.register(c, false)
	c.ValidArgsFunction = func(c *cobra.Command, args []string, text string) ([]string, cobra.ShellCompDirective) {
		const sides = 2
		if len(args) == sides {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return a.completeDesigns(&flags)(c, args, text)
	}
	return c
}

// designSide is one of the two designs.
type designSide struct {
	Name     string         `json:"name"`
	Feasible bool           `json:"feasible"`
	Reason   *report.Reason `json:"reason"`
	Metrics  report.Metrics `json:"metrics"`

	point  report.Point
	report report.Design
}

// designDiff is the answer of `design diff`.
type designDiff struct {
	A designSide `json:"a"`
	B designSide `json:"b"`
	// Parameters differ; Parts are those of area, latency and energy.
	Parameters []changedParameter `json:"parameters"`
	Metrics    []changed          `json:"metrics"`
	Parts      []changed          `json:"parts"`
	// Layers are those of which the time differs, largest difference first.
	Layers []changedLayer `json:"layers"`
}

// changed is a number of both designs, null where a design has none.
type changed struct {
	Name string   `json:"name"`
	Unit string   `json:"unit"`
	A    *float64 `json:"a"`
	B    *float64 `json:"b"`
	// Change is (B-A)/A.
	Change *float64 `json:"change"`
}

// changedParameter is a parameter's value in both designs, a number or a label; null where
// it means nothing.
type changedParameter struct {
	Name string `json:"name"`
	Unit string `json:"unit"`
	A    any    `json:"a"`
	B    any    `json:"b"`
	// Change is (B-A)/A, null for labels.
	Change *float64 `json:"change"`

	a, b string // for people
}

func newChangedParameter(name, unit string, a, b space.Value) changedParameter {
	c := changedParameter{Name: name, Unit: unit, A: plainValue(a), B: plainValue(b), a: valueText(a, unit), b: valueText(b, unit)}
	if a.Label == "" && b.Label == "" {
		c.Change = newChanged("", "", &a.Num, &b.Num).Change
	}
	return c
}

type changedLayer struct {
	Layer       string  `json:"layer"`
	A           float64 `json:"a_s"`
	B           float64 `json:"b_s"`
	ABottleneck string  `json:"a_bottleneck"`
	BBottleneck string  `json:"b_bottleneck"`
}

func newChanged(name, unit string, a, b *float64) changed {
	c := changed{Name: name, Unit: unit, A: a, B: b}
	if a != nil && b != nil && *a != 0 {
		c.Change = new((*b - *a) / *a)
	}
	return c
}

func (d *designDiff) compare(s *subject) {
	d.Parameters, d.Parts, d.Layers = []changedParameter{}, []changed{}, []changedLayer{}
	va, vb := d.A.point.Values, d.B.point.Values
	ta, tb := s.texts(d.A.point), s.texts(d.B.point)
	for i, p := range s.params() {
		if va[i] == vb[i] && ta[i] == tb[i] {
			continue
		}
		c := newChangedParameter(p.Name, p.Unit, va[i], vb[i])
		if c.a = ta[i]; c.a == noLevel {
			c.A, c.Change = nil, nil
		}
		if c.b = tb[i]; c.b == noLevel {
			c.B, c.Change = nil, nil
		}
		d.Parameters = append(d.Parameters, c)
	}
	if a, b := float64(d.A.report.ClockHz), float64(d.B.report.ClockHz); a != b {
		d.Parameters = append(d.Parameters, newChangedParameter("clock", "Hz", space.Value{Num: a}, space.Value{Num: b}))
	}
	for i, a := range d.A.Metrics {
		d.Metrics = append(d.Metrics, newChanged(cli.Bare(a.Name, a.Unit), a.Unit, a.Value, d.B.Metrics[i].Value))
	}
	d.parts("area", "mm2", d.A.report.Area.Parts(), d.B.report.Area.Parts())
	if !d.A.Feasible || !d.B.Feasible {
		return
	}
	for i := range d.A.report.Networks {
		na, nb := &d.A.report.Networks[i], &d.B.report.Networks[i]
		prefix := ""
		if len(d.A.report.Networks) > 1 {
			prefix = na.Name + " "
		}
		d.parts(prefix+"latency", "s", na.Latency.Parts(), nb.Latency.Parts())
		d.parts(prefix+"energy", "J", na.Energy.Parts(), nb.Energy.Parts())
	}
	d.layers()
}

// parts adds the parts of a breakdown that differ, those of the first design first.
func (d *designDiff) parts(of, unit string, a, b report.Breakdown) {
	add := func(name string, va, vb *float64) {
		if va == nil || vb == nil || *va != *vb {
			d.Parts = append(d.Parts, newChanged(of+": "+strings.ReplaceAll(name, "_", " "), unit, va, vb))
		}
	}
	for i := range a {
		add(a[i].Name, &a[i].Value, b.Of(a[i].Name))
	}
	for i := range b {
		if a.Of(b[i].Name) == nil {
			add(b[i].Name, nil, &b[i].Value)
		}
	}
}

func (d *designDiff) layers() {
	sameName := func(a, b report.Network) bool { return a.Name == b.Name }
	if !slices.EqualFunc(d.A.report.Networks, d.B.report.Networks, sameName) {
		return // layers of the same name are others
	}
	for i := range d.A.report.Layers {
		a, b := &d.A.report.Layers[i], &d.B.report.Layers[i]
		if a.LatencySeconds == b.LatencySeconds {
			continue
		}
		name := a.ID
		if len(d.A.report.Networks) > 1 {
			name = a.Network + "/" + a.ID
		}
		d.Layers = append(d.Layers, changedLayer{name, a.LatencySeconds, b.LatencySeconds, a.Bottleneck, b.Bottleneck})
	}
	slices.SortStableFunc(d.Layers, func(x, y changedLayer) int {
		dx, dy := math.Abs(x.B-x.A), math.Abs(y.B-y.A)
		switch {
		case dx > dy:
			return -1
		case dx < dy:
			return 1
		}
		return 0
	})
}

// shownLayers is how many layers the table for people has.
const shownLayers = 10

func (d *designDiff) text(w io.Writer, p cli.Paint) {
	for _, side := range []*designSide{&d.A, &d.B} {
		if !side.Feasible {
			fmt.Fprintf(w, "%s is %s: %s\n", side.Name, p.Red("infeasible"), side.Reason.Message)
		}
	}
	if len(d.Parameters) == 0 {
		fmt.Fprintln(w, "the designs are the same")
		return
	}
	changes := func(title string, rows []changed) {
		if len(rows) == 0 {
			return
		}
		g := &cli.Grid{Header: []string{title, ">" + d.A.Name, ">" + d.B.Name, ">CHANGE"}}
		for i := range rows {
			c := &rows[i]
			g.Add(c.Name, orNone(c.A, c.Unit), orNone(c.B, c.Unit), signed(c.Change))
		}
		g.Text(w, p)
		fmt.Fprintln(w)
	}
	if len(d.Parameters) > 0 {
		g := &cli.Grid{Header: []string{"PARAMETER", ">" + d.A.Name, ">" + d.B.Name, ">CHANGE"}}
		for i := range d.Parameters {
			c := &d.Parameters[i]
			g.Add(c.Name, c.a, c.b, signed(c.Change))
		}
		g.Text(w, p)
		fmt.Fprintln(w)
	}
	changes("METRIC", d.Metrics)
	changes("PART", d.Parts)
	if len(d.Layers) == 0 {
		return
	}
	g := &cli.Grid{Header: []string{"LAYER", ">" + d.A.Name, ">" + d.B.Name, ">DIFFERENCE", "WAITED FOR", "WAITS FOR"}}
	for _, l := range d.Layers[:min(shownLayers, len(d.Layers))] {
		g.Add(l.Layer, cli.Quantity(l.A, "s"), cli.Quantity(l.B, "s"), cli.Quantity(l.B-l.A, "s"), l.ABottleneck, l.BBottleneck)
	}
	g.Text(w, p)
	if more := len(d.Layers) - shownLayers; more > 0 {
		fmt.Fprintf(w, "and %s with smaller differences\n", cli.Plural(more, "layer"))
	}
}

// orNone is a quantity, or "-" where there is none.
func orNone(v *float64, unit string) string {
	if v == nil {
		return "-"
	}
	return cli.Metric(*v, unit)
}

// signed is a relative change with its sign, "-" where there is none.
func signed(change *float64) string {
	switch {
	case change == nil:
		return "-"
	case *change > 0:
		return "+" + cli.Percent(*change)
	}
	return cli.Percent(*change)
}
