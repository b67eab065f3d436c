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
	"apollo/evaluator/frame"
	"apollo/evaluator/report"
	"apollo/evaluator/template"
	"apollo/events/unit"
	"apollo/optimizer/space"
	"apollo/services/cli"
)

func (a *app) designCommand() *cobra.Command {
	return a.Group("design", "Look at single designs", "  apollo design eval --workload mobilenet_v2 --preset v2",
		a.designEvalCommand(), a.designDiffCommand(), a.designNeighboursCommand(), a.designSensitivityCommand(), a.designExportCommand())
}

// designFlags are the flags that name a design and what it runs.
type designFlags struct {
	template, preset string
	networks, sets   []string
	mapperGoal       string
}

// register registers the flags; withDesign leaves out those that name one design.
func (f *designFlags) register(c *cobra.Command, withDesign bool) {
	flags := c.Flags()
	flags.StringVar(&f.template, "template", defaultTemplate(), "`name` of the template")
	flags.StringArrayVar(&f.networks, "workload", []string{"mobilenet_v2"}, "`network` to run, as often as wanted: name, name=weight or, with sizes, name:past=4096,batch=8")
	flags.StringVar(&f.mapperGoal, "mapper-goal", string(evaluator.MapLatency), "`what` the mapper of a layer minimises, as a study's objectives do: "+goalsText())
	_ = c.RegisterFlagCompletionFunc("mapper-goal", cobra.FixedCompletions(goalNames(), cobra.ShellCompDirectiveNoFileComp))
	_ = c.RegisterFlagCompletionFunc("workload", completeNetworks)
	_ = c.RegisterFlagCompletionFunc("template", completeTemplates)
	if !withDesign {
		return
	}
	flags.StringArrayVar(&f.sets, "set", nil, "`parameter` of the design, as often as wanted: pes_x=4, pe_memory=512KiB")
	flags.StringVar(&f.preset, "preset", frame.BaselinePreset, "`design` to start from: "+presetsText()+", or @FILE, a JSON answer of run, certify, study show or trial show")
	_ = c.RegisterFlagCompletionFunc("preset", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		if x, ok := template.Named(f.template); ok {
			return presetNames(x), cobra.ShellCompDirectiveNoFileComp
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	})
}

// presetsText lists the presets for the help: the baseline, and those that only
// one template has.
func presetsText() string {
	var text strings.Builder
	text.WriteString(frame.BaselinePreset)
	for _, x := range template.All() {
		names := presetNames(x)[1:]
		if last := len(names) - 1; last > 0 {
			fmt.Fprintf(&text, ", of the template %s also %s and %s", x.Name, strings.Join(names[:last], ", "), names[last])
		} else if last == 0 {
			fmt.Fprintf(&text, ", of the template %s also %s", x.Name, names[0])
		}
	}
	return text.String()
}

func goalNames() (names []cobra.Completion) {
	for _, g := range evaluator.MapperGoals() {
		names = append(names, string(g))
	}
	return names
}

func goalsText() string { return strings.Join(goalNames(), ", ") }

// subject is what a design command looks at.
type subject struct {
	template *frame.Spec
	networks []evaluator.Network
	point    report.Point
}

func (f *designFlags) read() (s subject, err error) {
	if s.template, err = findTemplate(f.template); err != nil {
		return s, err
	}
	if s.template.MapperGoal = evaluator.MapperGoal(f.mapperGoal); !slices.Contains(evaluator.MapperGoals(), s.template.MapperGoal) {
		return s, fmt.Errorf("--mapper-goal is %q, want %s", f.mapperGoal, goalsText())
	}
	if s.networks, err = weighted(f.networks); err != nil {
		return s, err
	}
	if f.preset == "" {
		return s, nil
	}
	s.point, err = s.pointOf(f.preset, f.sets)
	return s, err
}

// named reads "v2", "@best.json" or either with changes:
// "v2,lanes=32,pe_memory=1MiB".
func (s *subject) named(text string) (report.Point, error) {
	name, changes, _ := strings.Cut(text, ",")
	var sets []string
	if changes != "" {
		sets = strings.Split(changes, ",")
	}
	return s.pointOf(name, sets)
}

func presetNames(x *frame.Spec) []string {
	var names []string
	for _, p := range x.Presets() {
		names = append(names, p.Name)
	}
	return names
}

// weightOf cuts the weight off a network: what is behind its last "=", unless
// that is a size, as in "gpt2_decode:past=512".
func weightOf(text string) (name, weight string, given bool) {
	at := strings.LastIndexByte(text, '=')
	if at < 0 {
		return text, "", false
	}
	last := text[max(strings.IndexByte(text[:at], ':'), strings.LastIndexByte(text[:at], ','), 0):at]
	if strings.ContainsRune(text, ':') && !isFile(text[:at]) && !strings.ContainsRune(last, '=') {
		return text, "", false
	}
	return text[:at], text[at+1:], true
}

// weighted reads networks with their weights: "name" or "name=weight".
func weighted(networks []string) ([]evaluator.Network, error) {
	var out []evaluator.Network
	for _, text := range networks {
		name, weight, given := weightOf(text)
		n := evaluator.Network{Weight: 1}
		var err error
		if n.Workload, err = network(name); err != nil {
			return nil, err
		}
		if given {
			if n.Weight, err = strconv.ParseFloat(weight, 64); err != nil || !(n.Weight > 0) {
				return nil, cli.Usagef("--workload %s: the weight must be a positive number", text)
			}
		}
		out = append(out, n)
	}
	return out, nil
}

// pointOf is a preset with some parameters set.
func (s *subject) pointOf(preset string, sets []string) (report.Point, error) {
	p, err := s.startOf(preset)
	if err != nil {
		return p, err
	}
	for _, set := range sets {
		i, value, err := parameterValue(s.template.Template().Params, set)
		if err != nil {
			return p, err
		}
		p.Values[i] = value
	}
	return p, nil
}

// startOf is a preset, or the design in a JSON file.
func (s *subject) startOf(name string) (report.Point, error) {
	if path, isFile := strings.CutPrefix(name, "@"); isFile {
		return pointIn(s.template.Template(), path)
	}
	for _, p := range s.template.Presets() {
		if p.Name == name {
			return report.Point{Preset: name, Values: slices.Clone(p.Values)}, nil
		}
	}
	return report.Point{}, cli.Hinted(cli.ExitNotFound, "there are: "+strings.Join(presetNames(s.template), ", ")+"; @FILE reads one",
		fmt.Errorf("the template %s has no preset %q", s.template.Name, name))
}

// pointIn reads the design of a JSON answer: the object itself, or its "design"
// or "best".
func pointIn(t evaluator.Template, path string) (report.Point, error) {
	var p report.Point
	b, err := os.ReadFile(path)
	if err != nil {
		return p, cli.Hinted(cli.ExitNotFound, "", err)
	}
	var object map[string]any
	if err := json.Unmarshal(b, &object); err != nil {
		return p, cli.Hinted(cli.ExitUsage, "", fmt.Errorf("read a design from %s: %w", path, err))
	}
	for _, key := range []string{"best", "design"} {
		if inner, ok := object[key].(map[string]any); ok {
			object = inner
		}
	}
	for _, param := range t.Params {
		var value space.Value
		var ok bool
		what := "number"
		if param.Categorical() {
			what = "label"
			value.Label, ok = object[param.Name].(string)
		} else {
			value.Num, ok = object[param.Name].(float64)
		}
		if !ok {
			return p, cli.Hinted(cli.ExitUsage, "write one with `apollo certify STUDY.yaml -o json`",
				fmt.Errorf("read a design of the template %s from %s: there is no %s for %s", t.Name, path, what, param.Name))
		}
		p.Values = append(p.Values, value)
	}
	return p, nil
}

// parameterValue reads "pe_memory=512KiB" as a parameter and its value: a
// number in the parameter's unit, or a label.
func parameterValue(params []space.Param, set string) (index int, value space.Value, err error) {
	name, text, ok := strings.Cut(set, "=")
	if !ok {
		return 0, value, cli.Usagef("--set %q: want parameter=value", set)
	}
	index = slices.IndexFunc(params, func(p space.Param) bool { return p.Name == name })
	if index < 0 {
		var names []string
		for _, p := range params {
			names = append(names, p.Name)
		}
		return 0, value, cli.Hinted(cli.ExitUsage, "there are: "+strings.Join(names, ", "), fmt.Errorf("--set %s: there is no parameter %q", set, name))
	}
	p := params[index]
	if p.Categorical() {
		if !slices.Contains(p.Labels, text) {
			return 0, value, cli.Usagef("--set %s: want one of %s", set, strings.Join(p.Labels, ", "))
		}
		return index, space.Value{Label: text}, nil
	}
	q, err := unit.Parse(text)
	if err != nil {
		return 0, value, cli.Hinted(cli.ExitUsage, "", fmt.Errorf("--set %s: %w", set, err))
	}
	want, known := unit.Find(p.Unit)
	switch {
	case q.Unit.Symbol == "": // a plain number is in the parameter's unit
		return index, space.Value{Num: q.Base()}, nil
	case !known || q.Unit.Dimension != want.Dimension:
		return 0, value, cli.Usagef("--set %s: %s is %s, the parameter is in %s", set, text, q.Unit.Dimension.Phrase(), orCount(p.Unit))
	}
	return index, space.Value{Num: q.In(want)}, nil
}

func orCount(unit string) string {
	if unit == "" {
		return "plain numbers"
	}
	return unit
}

// plainValue is a value as JSON has it: a number or a label.
func plainValue(v space.Value) any {
	if v.Label != "" {
		return v.Label
	}
	return v.Num
}
