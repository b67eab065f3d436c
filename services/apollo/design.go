package main

import (
	"encoding/json"
	"fmt"
	"os"
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
		a.designEvalCommand(), a.designDiffCommand(), a.designNeighboursCommand(), a.designSensitivityCommand(), a.designExportCommand())
}

// designFlags are the flags that name a design and what it runs.
type designFlags struct {
	template, preset string
	networks, sets   []string
}

// add registers the flags; withDesign leaves out those that name one design.
func (f *designFlags) add(c *cobra.Command, withDesign bool) {
	flags := c.Flags()
	flags.StringVar(&f.template, "template", "edge", "`name` of the template")
	flags.StringArrayVar(&f.networks, "workload", []string{"mobilenet_v2"}, "`network` to run, as often as wanted: name or name=weight")
	_ = c.RegisterFlagCompletionFunc("workload", completeNetworks)
	_ = c.RegisterFlagCompletionFunc("template", completeTemplates)
	if !withDesign {
		return
	}
	flags.StringArrayVar(&f.sets, "set", nil, "`parameter` of the design, as often as wanted: pes_x=4, pe_memory=512KiB")
	flags.StringVar(&f.preset, "preset", "baseline", "`design` to start from: "+strings.Join(presetNames(), "|")+", or @FILE, a JSON answer of run, certify, study show or trial show")
	_ = c.RegisterFlagCompletionFunc("preset", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return presetNames(), cobra.ShellCompDirectiveNoFileComp
	})
}

// subject is what a design command looks at.
type subject struct {
	template evaluator.Template
	networks []evaluator.Network
	chip     edge.Chip
}

func (f *designFlags) read() (s subject, err error) {
	if s.template, _, err = findTemplate(f.template); err != nil {
		return s, err
	}
	if s.template.Name != edge.Name {
		return s, usageErrorf("--template %s: this command knows designs of the template %s", f.template, edge.Name)
	}
	if s.networks, err = weighted(f.networks); err != nil {
		return s, err
	}
	if f.preset == "" {
		return s, nil
	}
	s.chip, err = chipOf(s.template, f.preset, f.sets)
	return s, err
}

// namedDesign reads "v2", "@best.json" or either with changes:
// "v2,lanes=32,pe_memory=1MiB".
func namedDesign(t evaluator.Template, text string) (edge.Chip, error) {
	name, changes, _ := strings.Cut(text, ",")
	var sets []string
	if changes != "" {
		sets = strings.Split(changes, ",")
	}
	return chipOf(t, name, sets)
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
	start, err := startOf(t, preset)
	if err != nil {
		return edge.Chip{}, err
	}
	design := start.Values()
	for _, set := range sets {
		i, value, err := parameterValue(t.Params, set)
		if err != nil {
			return edge.Chip{}, err
		}
		design[i].Num = value
	}
	changed, err := edge.ChipOf(design)
	if err != nil {
		return changed, hinted(exitUsage, "", err)
	}
	// What a preset has beyond the template's parameters, its clock for one,
	// stays.
	return start.With(changed), nil
}

// startOf is a preset, or the design in a JSON file.
func startOf(t evaluator.Template, name string) (edge.Chip, error) {
	if path, isFile := strings.CutPrefix(name, "@"); isFile {
		return chipIn(t, path)
	}
	p, ok := edge.PresetNamed(name)
	if !ok {
		return p.Chip, hinted(exitNotFound, "there are: "+strings.Join(presetNames(), ", ")+"; @FILE reads one", fmt.Errorf("no preset is called %q", name))
	}
	return p.Chip, nil
}

// chipIn reads the design of a JSON answer: the object itself, or its "design"
// or "best".
func chipIn(t evaluator.Template, path string) (edge.Chip, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return edge.Chip{}, hinted(exitNotFound, "", err)
	}
	var object map[string]any
	if err := json.Unmarshal(b, &object); err != nil {
		return edge.Chip{}, hinted(exitUsage, "", fmt.Errorf("read a design from %s: %w", path, err))
	}
	for _, key := range []string{"best", "design"} {
		if inner, ok := object[key].(map[string]any); ok {
			object = inner
		}
	}
	values := make([]space.Value, len(t.Params))
	for i, p := range t.Params {
		v, ok := object[p.Name].(float64)
		if !ok {
			return edge.Chip{}, hinted(exitUsage, "write one with `apollo certify STUDY.yaml -o json`", fmt.Errorf("read a design from %s: there is no number for %s", path, p.Name))
		}
		values[i].Num = v
	}
	chip, err := edge.ChipOf(values)
	if err != nil {
		return chip, hinted(exitUsage, "", fmt.Errorf("read a design from %s: %w", path, err))
	}
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
