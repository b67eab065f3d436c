package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"apollo/evaluator/report"
	"apollo/events"
	"apollo/services/cli"
	"apollo/services/draw"
)

func (a *app) designEvalCommand() *cobra.Command {
	var flags designFlags
	var mapping string
	var nests []string
	var order layerOrder
	c := &cobra.Command{
		Annotations: cli.PrintsRowsAndPictures(),
		Use:         "eval", Short: "Evaluate one design on the cost model, layer by layer",
		Long: `Evaluate one design of a template on the cost model, without a bus: the metrics, what each
layer waits for, and where area, time and energy go. Parameters that are not set are those
of the preset. An infeasible design is an answer too: it says what it needs and what it
has. --study takes the design, the networks and the metrics of a study. --mapping gives
layers a mapping instead of the mapper's, --mapping-of prints loop nests. --by puts the
layers in order, --top leaves all but the first out. -o json has, for every layer, its
mapping, the accesses per level and operand, and its place under the roofline; -o svg and
-o png draw them.`,
		Example: "  apollo design eval --template edge --workload mobilenet_v2 --set pes_x=4 --set pe_memory=512KiB\n" +
			"  apollo design eval --template nvdla --mapping-of logits\n  apollo design eval --study mobilenetv2-6p8/17\n  apollo design eval --preset v2 -o svg > v2.svg",
		Args: cli.Exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := flags.read(a, c)
			if err != nil {
				return err
			}
			if err := order.check(c); err != nil {
				return err
			}
			given, err := s.readMappings(mapping)
			if err != nil {
				return err
			}
			r, err := s.Inspect(s.point, given)
			if err != nil {
				return cli.Hinted(cli.ExitUsage, "", err)
			}
			if err := knownLayers(&r, nests); err != nil {
				return err
			}
			return a.Print(s.answer(&evalAnswer{&r, s.Spec, flags.workloads(&s)}, nests, order))
		},
	}
	flags.register(c, true)
	order.register(c)
	c.Flags().StringVar(&mapping, "mapping", "", "`file` of mappings to use instead of the mapper's, or the folder of an export for ZigZag or AccelForge")
	c.Flags().StringArrayVar(&nests, "mapping-of", nil, "print the loop nest of this `layer`, as often as wanted: an id, network/id, or all")
	return c
}

// everyLayer is the --mapping-of of all layers.
const everyLayer = "all"

// asked reports whether the loop nest of a layer is asked for.
func asked(l *report.Layer, nests []string) bool {
	return slices.ContainsFunc(nests, func(n string) bool { return n == everyLayer || n == l.ID || n == l.Network+"/"+l.ID })
}

// knownLayers refuses layers that no network of a feasible design has.
func knownLayers(r *report.Design, nests []string) error {
	for _, n := range nests {
		if r.Feasible && !slices.ContainsFunc(r.Layers, func(l report.Layer) bool { return asked(&l, []string{n}) }) {
			return cli.Hinted(cli.ExitNotFound, "`apollo workload show` lists the layers", fmt.Errorf("--mapping-of: no layer is called %q", n))
		}
	}
	return nil
}

// evalAnswer is the answer of `design eval`.
type evalAnswer struct {
	*report.Design
	// Spec is the study that the design is of, Workload the networks as --workload
	// takes them: one of the two, so that what reads the answer needs nothing else.
	Spec     *events.Spec `json:"spec,omitempty"`
	Workload []string     `json:"workload,omitempty"`
}

func (s *subject) answer(v *evalAnswer, nests []string, order layerOrder) cli.Answer {
	r := v.Design
	g := &cli.Grid{Header: []string{"LAYER", "OP", ">LATENCY", ">SHARE", ">OF PEAK", "WAITS FOR", ">ENERGY", ">OFF-CHIP", ">KMACS"}}
	var items []any // none for an infeasible design: -o jsonl prints the report then
	runs := map[string]float64{}
	for i := range r.Networks {
		runs[r.Networks[i].Name] = float64(r.Networks[i].Runs)
	}
	var total float64
	for i := range r.Layers {
		total += r.Layers[i].LatencySeconds * runs[r.Layers[i].Network]
	}
	for _, i := range order.of(r.Layers, runs) {
		l := &r.Layers[i]
		items = append(items, l)
		name := l.ID
		if len(r.Networks) > 1 {
			name = l.Network + "/" + l.ID
		}
		g.Add(name, l.Op, cli.Quantity(l.LatencySeconds, "s"), cli.Percent(l.LatencySeconds*runs[l.Network]/total), cli.Percent(l.Utilisation),
			l.Bottleneck, cli.Quantity(l.EnergyJ, "J"), cli.Quantity(float64(l.Bytes.Of(report.OffChip)), "B"), cli.Count(l.MACs/1000))
	}
	picture := func(w io.Writer, format string) error {
		if !r.Feasible {
			return cli.Hinted(cli.ExitInfeasible, "-o table says what it needs and what it has", fmt.Errorf("an infeasible design has no picture: %s", r.Reason.Message))
		}
		return draw.Design(w, format, r)
	}
	return cli.Answer{Value: v, Items: items, Sheet: layerSheet(items), Grid: g, Draw: picture, Text: func(w io.Writer, p cli.Paint) {
		s.text(w, p, r)
		if r.Feasible {
			fmt.Fprintln(w)
			g.Text(w, p)
			if hidden := len(r.Layers) - len(g.Rows); hidden > 0 {
				fmt.Fprintf(w, "and %s more\n", cli.Plural(hidden, "layer"))
			}
			fmt.Fprintln(w)
			kindsOf(r.Layers, runs).Text(w, p)
		}
		for i := range r.Layers {
			if l := &r.Layers[i]; asked(l, nests) {
				note := "the mapper's"
				if l.Given {
					note = "as given"
				}
				fmt.Fprintf(w, "\n%s/%s, %s:\n%s\n", l.Network, l.ID, note, strings.TrimSuffix(l.Mapping, "\n"))
			}
		}
	}}
}

// layerSheet has a row per layer; what is accessed has a column per level, operand and way.
// It is nil for no layers.
func layerSheet(layers []any) *cli.Grid {
	type moves struct {
		Reads   int64 `json:"reads"`
		Fills   int64 `json:"fills"`
		Updates int64 `json:"updates"`
		Drains  int64 `json:"drains"`
	}
	type row struct {
		*report.Layer
		Accesses map[string]map[string]moves `json:"accesses"`
	}
	var rows []any
	for _, l := range layers {
		r := row{l.(*report.Layer), map[string]map[string]moves{}}
		for _, a := range r.Layer.Accesses {
			level := strings.ToLower(strings.NewReplacer(" ", "_", "-", "_").Replace(a.Level))
			if r.Accesses[level] == nil {
				r.Accesses[level] = map[string]moves{}
			}
			r.Accesses[level][a.Operand] = moves{a.Reads, a.Fills, a.Updates, a.Drains}
		}
		rows = append(rows, r)
	}
	sheet, err := cli.Flatten(rows)
	if err != nil || len(rows) == 0 {
		return nil
	}
	return sheet
}

func (s *subject) text(w io.Writer, p cli.Paint, r *report.Design) {
	for i, text := range s.texts(s.point) {
		note := ""
		if _, on := s.params()[i].Level(s.point.Values[i]); !on {
			note = "  (no level of the space)"
		}
		fmt.Fprintf(w, "%-19s %14s%s\n", s.params()[i].Name, text, note)
	}
	fmt.Fprintf(w, "\n%s MACs per cycle at %s, %s TOPS at best\n\n", cli.Count(r.MACsPerCycle), cli.Quantity(float64(r.ClockHz), "Hz"), cli.Significant(r.PeakTOPS))
	if !r.Feasible {
		fmt.Fprintf(w, "%s: %s\n", p.Red("infeasible"), r.Reason.Code)
		if r.Reason.Layer != "" {
			fmt.Fprintf(w, "layer    %s\n", r.Reason.Layer)
		}
		fmt.Fprintf(w, "needs    %s\nhas      %s\n%s\n", cli.Quantity(r.Reason.Need, r.Reason.Unit), cli.Quantity(r.Reason.Have, r.Reason.Unit), r.Reason.Message)
	}
	width := len("latency") + 1
	for _, m := range r.Metrics {
		width = max(width, len(cli.Bare(m.Name, m.Unit)))
	}
	for _, m := range r.Metrics {
		if m.Value != nil {
			fmt.Fprintf(w, "%-*s %s%s\n", width, cli.Bare(m.Name, m.Unit), cli.Metric(*m.Value, m.Unit), s.wanted(m, p))
		}
	}
	if rules, err := s.Broken(s.point); err == nil {
		for _, x := range rules {
			fmt.Fprintf(w, "the study's rule %q is %s: %s\n", x.ID, p.Red("not kept"), x.Expr)
		}
	}
	breakdown(w, p, "area", r.Area.Parts(), "mm2")
	if len(r.Array) > 0 {
		fmt.Fprintln(w)
		wires := &cli.Grid{Header: []string{"AXIS", ">UNITS", ">LENGTH", ">CYCLES", "WEIGHTS", "INPUTS", "SUMS"}}
		for _, a := range r.Array {
			wires.Add(a.Loop, cli.Count(a.Units), fmt.Sprintf("%.2g mm", a.LengthMM), cli.Count(a.Cycles), a.Weights, a.Inputs, a.Outputs)
		}
		wires.Text(w, p)
	}
	for i := range r.Networks {
		n := &r.Networks[i]
		if len(r.Networks) > 1 {
			var metrics []string
			for _, m := range n.Metrics {
				metrics = append(metrics, orNone(m.Value, m.Unit))
			}
			fmt.Fprintf(w, "\n%s (%s): %s\n", n.Name, countsAs(n), strings.Join(metrics, ", "))
		}
		breakdown(w, p, "latency", n.Latency.Parts(), "s")
		for _, part := range n.Latency.Parts() {
			if share := part.Value / n.Latency.Total; share >= smallestShare {
				fmt.Fprintln(w, p.Wrap(fmt.Sprintf("- %s %s: %s", part.Name, cli.Percent(share), timeSpent(part.Name)), "  "))
			}
		}
		breakdown(w, p, "energy", n.Energy.Parts(), "J")
		fmt.Fprintln(w, p.Wrap(fmt.Sprintf("power of %s in the mean; layer %s draws most, %s", cli.Quantity(n.Power.Mean, "W"), n.Power.PeakLayer, cli.Quantity(n.Power.Peak, "W")), "  "))
		fmt.Fprintln(w, p.Wrap(fmt.Sprintf("%s of the peak rate; %s cross the chip's border%s", cli.Percent(n.Utilisation), cli.Quantity(float64(n.OffChipBytes), "B"), crossing(n.Crossing)), "  "))
	}
}

// countsAs says how a network counts among several.
func countsAs(n *report.Network) string {
	if n.Runs > 1 {
		return fmt.Sprintf("weight %g, %s times", n.Weight, cli.Count(n.Runs))
	}
	return fmt.Sprintf("weight %g", n.Weight)
}

// crossing lists what crosses the border by kind.
func crossing(counts report.Counts) string {
	var texts []string
	for _, c := range counts {
		texts = append(texts, c.Name+" "+cli.Quantity(float64(c.Value), "B"))
	}
	if len(texts) == 0 {
		return ""
	}
	return ": " + strings.Join(texts, ", ")
}

// breakdown prints the parts of a number, largest first.
func breakdown(w io.Writer, p cli.Paint, name string, parts []report.Part, unit string) {
	var sum float64
	for _, part := range parts {
		sum += part.Value
	}
	slices.SortStableFunc(parts, func(a, b report.Part) int {
		switch {
		case a.Value > b.Value:
			return -1
		case a.Value < b.Value:
			return 1
		}
		return 0
	})
	var texts []string
	for _, part := range parts {
		if part.Value > 0 {
			texts = append(texts, fmt.Sprintf("%s %s", strings.ReplaceAll(part.Name, "_", " "), cli.Percent(part.Value/sum)))
		}
	}
	fmt.Fprintln(w, p.Wrap(fmt.Sprintf("%s of %s: %s", name, cli.Quantity(sum, unit), strings.Join(texts, ", ")), "  "))
}
