package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"apollo/evaluator"
	"apollo/evaluator/frame"
	"apollo/evaluator/report"
	"apollo/evaluator/template"
	"apollo/events/unit"
	"apollo/internal/nearest"
	"apollo/optimizer/space"
	"apollo/services/cli"
	"apollo/services/inspect"
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
	study            string
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
		flags.StringVar(&f.study, "study", "", "`study` whose template, networks and mappers count; its trials are designs too: best, 17")
		return
	}
	flags.StringVar(&f.study, "study", "", "`name` of a study, for its best design, or name/trial: with its template, networks and mappers")
	flags.StringArrayVar(&f.sets, "set", nil, "`parameter` of the design, as often as wanted: pes_x=4, pe_memory=512KiB")
	_ = c.RegisterFlagCompletionFunc("set", f.completeDesign)
	flags.StringVar(&f.preset, "preset", frame.BaselinePreset, "`design` to start from: "+presetsText()+", or @FILE, a JSON answer of run, certify, study show or trial show, with its networks")
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
	inspect.Subject
	point report.Point
	// from is where the study was read from, where it is one's; ledger has its trials.
	from   string
	ledger *ledger
	files  map[string]*answerFile
}

// params are the parameters of a design, that of the network among them.
func (s *subject) params() []space.Param { return s.Template.Template().Params }

// read makes the subject; designs are names of more designs than the flags'.
func (f *designFlags) read(a *app, c *cobra.Command, designs ...string) (s subject, err error) {
	if err = f.load(a, c, &s, append(designs, f.preset)); err != nil {
		return s, err
	}
	if err = f.settle(a, c, &s); err != nil {
		return s, err
	}
	if s.Template == nil {
		if s.Template, err = findTemplate(f.template); err != nil {
			return s, err
		}
	}
	if s.Template.MapperGoal = evaluator.MapperGoal(f.mapperGoal); !slices.Contains(evaluator.MapperGoals(), s.Template.MapperGoal) {
		return s, cli.Usagef("--mapper-goal %s: want %s", f.mapperGoal, goalsText())
	}
	if s.Networks == nil {
		if s.Networks, err = weighted(f.networks); err != nil {
			return s, err
		}
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
			if a, b, two := strings.Cut(name, ","); two && !strings.Contains(name, ":") {
				return nil, cli.Usagef("--workload %s: want one network each: --workload %s --workload %s", text, a, b)
			}
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
	given := map[int]string{}
	for _, set := range sets {
		i, value, err := parameterValue(s.params(), set)
		if err != nil {
			return p, err
		}
		p.Values[i], given[i] = value, set
	}
	return p, s.settle(&p, given)
}

// settle puts what means nothing in a point to the level that a study has it at, and
// refuses another one that was given.
func (s *subject) settle(p *report.Point, given map[int]string) error {
	idle, err := s.Idle(*p)
	if err != nil {
		return err
	}
	t := s.Template.Template()
	for _, x := range idle {
		if set, own := given[x.Index]; own && p.Values[x.Index] != x.First {
			var because []string
			for i, param := range t.Params {
				if slices.Contains(strings.FieldsFunc(x.When, notInName), param.Name) {
					because = append(because, param.Name+" is "+valueText(p.Values[i], param.Unit))
				}
			}
			hint := "remove it"
			if other := s.meaning(p, x); other != "" {
				hint += ", or give " + other
			}
			return cli.Hinted(cli.ExitUsage, hint,
				fmt.Errorf("--set %s: %s means nothing in this design, where %s", set, t.Params[x.Index].Name, strings.Join(because, " and ")))
		}
		p.Values[x.Index] = x.First
	}
	return nil
}

// meaning is a level of another parameter with which one means something in a point,
// as it is set; "" where no single one does it.
func (s *subject) meaning(p *report.Point, x inspect.Idle) string {
	for i, param := range s.Template.Template().Params {
		if !slices.Contains(strings.FieldsFunc(x.When, notInName), param.Name) {
			continue
		}
		for k := range param.Len() {
			other := report.Point{Values: slices.Clone(p.Values)}
			other.Values[i] = param.Value(k)
			idle, err := s.Idle(other)
			if err == nil && !slices.ContainsFunc(idle, func(o inspect.Idle) bool { return o.Index == x.Index }) {
				return "--set " + param.Name + "=" + strings.ReplaceAll(valueText(param.Value(k), param.Unit), " ", "")
			}
		}
	}
	return ""
}

// noLevel stands for the level of what means nothing in a design.
const noLevel = "-"

// texts are the values of a point for people.
func (s *subject) texts(p report.Point) []string {
	texts := make([]string, len(p.Values))
	for i, v := range p.Values {
		texts[i] = valueText(v, s.params()[i].Unit)
	}
	if idle, err := s.Idle(p); err == nil {
		for _, x := range idle {
			texts[x.Index] = noLevel
		}
	}
	return texts
}

func notInName(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }

// startOf is a preset, or the design in a JSON file.
func (s *subject) startOf(name string) (report.Point, error) {
	if path, isFile := strings.CutPrefix(name, "@"); isFile {
		return s.files[path].point(s.Template.Template())
	}
	if p, known, err := s.trial(name); known {
		return p, err
	}
	for _, p := range s.Template.Presets() {
		if p.Name == name {
			return report.Point{Preset: name, Values: slices.Clone(p.Values)}, nil
		}
	}
	return report.Point{}, cli.Hinted(cli.ExitNotFound, "there are: "+strings.Join(presetNames(s.Template), ", ")+"; @FILE reads one",
		fmt.Errorf("the template %s has no preset %q", s.Template.Name, name))
}

// parameterValue reads "pe_memory=512KiB" as a parameter and its value: a
// quantity of the parameter's dimension, or a label.
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
		hint := "there are: " + strings.Join(names, ", ")
		if near := nearest.Name(name, names); near != "" {
			hint = "did you mean " + near + "? " + strings.ToUpper(hint[:1]) + hint[1:]
		}
		return 0, value, cli.Hinted(cli.ExitUsage, hint, fmt.Errorf("--set %s: there is no parameter %q", set, name))
	}
	p := params[index]
	if p.Categorical() {
		if !slices.Contains(p.Labels, text) {
			const few = 16 // to read
			if near := nearest.Name(text, p.Labels); near != "" && len(p.Labels) > few {
				return 0, value, cli.Hinted(cli.ExitUsage, "did you mean "+near+"?", fmt.Errorf("--set %s: %s has no level %q", set, p.Name, text))
			}
			return 0, value, cli.Usagef("--set %s: want one of %s", set, strings.Join(p.Labels, ", "))
		}
		return index, space.Value{Label: text}, nil
	}
	value, err = quantityOf("--set "+set, text, p)
	return index, value, err
}

// quantityOf reads a number of a parameter, with its unit where it has one.
// where names the place, for messages. A unit that only the template has, as
// entries, may be left out: answers print it, so that it is read too.
func quantityOf(where, text string, p space.Param) (space.Value, error) {
	want, known := unit.Find(p.Unit)
	if !known {
		text = strings.TrimSpace(strings.TrimSuffix(text, p.Unit))
	}
	q, err := unit.Parse(text)
	if err != nil {
		hint := p.Name + " is a number without a unit"
		switch {
		case known && p.Unit != "":
			hint = p.Name + " takes " + want.Dimension.Phrase() + " in " + strings.Join(unitsLike(want), ", ")
		case known:
			hint = p.Name + " takes " + want.Dimension.Phrase()
		case p.Unit != "":
			hint = p.Name + " is a number of " + p.Unit
		}
		return space.Value{}, cli.Hinted(cli.ExitUsage, hint, fmt.Errorf("%s: %w", where, err))
	}
	switch {
	case q.Unit.Symbol == "" && (p.Unit == "" || !known): // a unit that only the template has
		return space.Value{Num: q.Base()}, nil
	case q.Unit.Symbol == "" && known:
		return space.Value{}, cli.Hinted(cli.ExitUsage, "did you mean "+meant(q, p, want)+"?",
			fmt.Errorf("%s: %s has no unit, and %s takes %s", where, text, p.Name, want.Dimension.Phrase()))
	case !known || q.Unit.Dimension != want.Dimension:
		return space.Value{}, cli.Usagef("%s: %s is %s, and %s is in %s", where, text, q.Unit.Dimension.Phrase(), p.Name, orCount(p.Unit))
	}
	return space.Value{Num: q.In(want)}, nil
}

// unitsLike are the units of a unit's dimension.
func unitsLike(want unit.Unit) (symbols []string) {
	for u := range unit.All() {
		if u.Dimension == want.Dimension {
			symbols = append(symbols, u.Symbol)
		}
	}
	return symbols
}

// meant is a number without a unit in the unit in which it is a level, or in the
// parameter's.
func meant(q unit.Quantity, p space.Param, want unit.Unit) string {
	for q.Unit = range unit.All() {
		if _, level := p.Level(space.Value{Num: q.In(want)}); level && q.Unit.Dimension == want.Dimension {
			return q.String()
		}
	}
	q.Unit = want
	return q.String()
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
