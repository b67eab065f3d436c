package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"apollo/evaluator"
	"apollo/evaluator/edge"
	"apollo/optimizer/space"
	"apollo/services/studyfile/unit"
)

func (a *app) designCommand() *cobra.Command {
	return a.group("design", "Look at single designs", "  apollo design eval --workload mobilenet_v2 --preset v2",
		a.designEvalCommand())
}

func (a *app) designEvalCommand() *cobra.Command {
	var template, preset string
	var networks, sets []string
	c := &cobra.Command{
		Use: "eval", Short: "Evaluate one design on the cost model, layer by layer",
		Long: `Evaluate one design on the cost model, without a bus: the metrics, what each layer waits
for, and where area, time and energy go. Parameters that are not set are those of the
preset. An infeasible design is an answer too: it says what it needs and what it has.`,
		Example: "  apollo design eval --template edge --workload mobilenet_v2 --set pes_x=4 --set pe_memory=512KiB\n" +
			"  apollo design eval --workload mobilenet_v2 --preset v2 -o json",
		Args: exactly(0),
		RunE: func(*cobra.Command, []string) error {
			t, _, err := findTemplate(template)
			if err != nil {
				return err
			}
			task, err := weighted(networks)
			if err != nil {
				return err
			}
			chip, err := chipOf(t, preset, sets)
			if err != nil {
				return err
			}
			report, err := edge.ExplainChip(task, chip)
			if err != nil {
				return hinted(exitUsage, "", err)
			}
			return a.print(designAnswer(t, chip, &report))
		},
	}
	f := c.Flags()
	f.StringVar(&template, "template", "edge", "`name` of the template")
	f.StringArrayVar(&networks, "workload", []string{"mobilenet_v2"}, "`network` to run, as often as wanted: a name or a workload file, =weight behind it")
	f.StringArrayVar(&sets, "set", nil, "`parameter` of the design, as often as wanted: pes_x=4, pe_memory=512KiB")
	f.StringVar(&preset, "preset", "baseline", "`chip` to start from: "+strings.Join(presetNames(), "|"))
	_ = c.RegisterFlagCompletionFunc("workload", completeNetworks)
	_ = c.RegisterFlagCompletionFunc("template", completeTemplates)
	_ = c.RegisterFlagCompletionFunc("preset", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return presetNames(), cobra.ShellCompDirectiveNoFileComp
	})
	return c
}

func presetNames() []string {
	var names []string
	for _, p := range edge.Presets() {
		names = append(names, p.Name)
	}
	return names
}

// weighted reads networks with their weights: "name" or "name=weight".
func weighted(networks []string) ([]evaluator.Network, error) {
	var out []evaluator.Network
	for _, text := range networks {
		name, weight, given := strings.Cut(text, "=")
		n := evaluator.Network{Weight: 1}
		var err error
		if n.Workload, err = network(name); err != nil {
			return nil, err
		}
		if given {
			if n.Weight, err = strconv.ParseFloat(weight, 64); err != nil || !(n.Weight > 0) {
				return nil, usageErrorf("--workload %s: the weight must be a positive number", text)
			}
		}
		out = append(out, n)
	}
	return out, nil
}

// chipOf is a preset with some parameters set.
func chipOf(t evaluator.Template, preset string, sets []string) (edge.Chip, error) {
	p, ok := edge.PresetNamed(preset)
	if !ok {
		return edge.Chip{}, hinted(exitNotFound, "there are: "+strings.Join(presetNames(), ", "), fmt.Errorf("no preset is called %q", preset))
	}
	design := p.Chip.Values()
	for _, set := range sets {
		i, value, err := parameterValue(t.Params, set)
		if err != nil {
			return edge.Chip{}, err
		}
		design[i].Num = value
	}
	chip, err := edge.ChipOf(design)
	if err != nil {
		return chip, hinted(exitUsage, "", err)
	}
	chip.ClockHz = p.Chip.ClockHz
	return chip, nil
}

// parameterValue reads "pe_memory=512KiB" as a parameter and its value in the
// parameter's unit.
func parameterValue(params []space.Param, set string) (index int, value float64, err error) {
	name, text, ok := strings.Cut(set, "=")
	if !ok {
		return 0, 0, usageErrorf("--set %q: want parameter=value", set)
	}
	index = slices.IndexFunc(params, func(p space.Param) bool { return p.Name == name })
	if index < 0 {
		var names []string
		for _, p := range params {
			names = append(names, p.Name)
		}
		return 0, 0, hinted(exitUsage, "there are: "+strings.Join(names, ", "), fmt.Errorf("--set %s: there is no parameter %q", set, name))
	}
	q, err := unit.Parse(text)
	if err != nil {
		return 0, 0, hinted(exitUsage, "", fmt.Errorf("--set %s: %w", set, err))
	}
	want, known := unit.Find(params[index].Unit)
	switch {
	case q.Unit.Symbol == "": // a plain number is in the parameter's unit
		return index, q.Base(), nil
	case !known || q.Unit.Dimension != want.Dimension:
		return 0, 0, usageErrorf("--set %s: %s is %s, the parameter is in %s", set, text, q.Unit.Dimension.Phrase(), orCount(params[index].Unit))
	}
	return index, q.In(want), nil
}

func orCount(unit string) string {
	if unit == "" {
		return "plain numbers"
	}
	return unit
}

func designAnswer(t evaluator.Template, chip edge.Chip, r *edge.Report) answer {
	g := &grid{header: []string{"LAYER", "OP", ">KMACS", ">LATENCY", ">SHARE", ">UTILISATION", "WAITS FOR", ">OFF-CHIP", ">ENERGY"}}
	var items []any // none for an infeasible design: -o jsonl prints the report then
	var total float64
	for i := range r.Layers {
		total += r.Layers[i].LatencySeconds
	}
	for i := range r.Layers {
		l := &r.Layers[i]
		items = append(items, l)
		name := l.ID
		if len(r.Networks) > 1 {
			name = l.Network + "/" + l.ID
		}
		g.add(name, l.Op, count(l.MACs/1000), quantity(l.LatencySeconds, "s"), percent(l.LatencySeconds/total), percent(l.Utilisation),
			l.Bottleneck, quantity(float64(l.Bytes.OffChip), "B"), quantity(l.EnergyJ, "J"))
	}
	return answer{value: r, items: items, grid: g, text: func(w io.Writer, p paint) {
		designText(w, p, t, chip, r)
		if r.Feasible {
			fmt.Fprintln(w)
			g.text(w, p)
		}
	}}
}

func designText(w io.Writer, p paint, t evaluator.Template, chip edge.Chip, r *edge.Report) {
	for i, v := range chip.Values() {
		note := ""
		if _, on := t.Params[i].Level(v); !on {
			note = "  (no level of the space)"
		}
		fmt.Fprintf(w, "%-19s %14s%s\n", t.Params[i].Name, valueText(v, t.Params[i].Unit), note)
	}
	fmt.Fprintf(w, "\n%s MACs per cycle at %s, %s TOPS at best\n\n", count(r.MACsPerCycle), quantity(float64(r.Chip.ClockHz), "Hz"), significant(r.PeakTOPS))
	if !r.Feasible {
		fmt.Fprintf(w, "%s: %s\n", p.red("infeasible"), r.Reason.Code)
		if r.Reason.Layer != "" {
			fmt.Fprintf(w, "layer    %s\n", r.Reason.Layer)
		}
		fmt.Fprintf(w, "needs    %s\nhas      %s\n%s\n", quantity(r.Reason.Need, r.Reason.Unit), quantity(r.Reason.Have, r.Reason.Unit), r.Reason.Message)
	}
	for _, m := range []struct {
		name, unit string
		value      *float64
	}{{"latency", "s", r.Metrics.LatencySeconds}, {"area", "mm2", r.Metrics.AreaMM2}, {"energy", "J", r.Metrics.EnergyJ}} {
		if m.value != nil {
			fmt.Fprintf(w, "%-8s %s\n", m.name, quantity(*m.value, m.unit))
		}
	}
	breakdown(w, "area", r.Area.Parts(), "mm2")
	for i := range r.Networks {
		n := &r.Networks[i]
		if len(r.Networks) > 1 {
			fmt.Fprintf(w, "\n%s (weight %g): %s, %s\n", n.Name, n.Weight, quantity(n.LatencySeconds, "s"), quantity(n.EnergyJ, "J"))
		}
		breakdown(w, "latency", latencyParts(&n.Latency), "s")
		breakdown(w, "energy", n.Energy.Parts(), "J")
		fmt.Fprintf(w, "%s of the peak rate; %s cross the chip's border\n", percent(n.Utilisation), quantity(float64(n.OffChipBytes), "B"))
	}
}

func latencyParts(l *edge.LatencySplit) []edge.Part {
	return []edge.Part{{Name: "compute", Value: l.Compute}, {Name: "memory", Value: l.Memory}, {Name: "I/O", Value: l.IO}, {Name: "instructions", Value: l.Instruction}, {Name: "serial", Value: l.Serial}}
}

// breakdown prints the parts of a number, largest first.
func breakdown(w io.Writer, name string, parts []edge.Part, unit string) {
	var sum float64
	for _, part := range parts {
		sum += part.Value
	}
	slices.SortStableFunc(parts, func(a, b edge.Part) int {
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
			texts = append(texts, fmt.Sprintf("%s %s", strings.ReplaceAll(part.Name, "_", " "), percent(part.Value/sum)))
		}
	}
	fmt.Fprintf(w, "%s of %s: %s\n", name, quantity(sum, unit), strings.Join(texts, ", "))
}

func percent(v float64) string { return strconv.FormatFloat(100*v, 'f', 1, 64) + " %" }
