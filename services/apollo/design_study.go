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
	"apollo/evaluator/report"
	"apollo/events"
	"apollo/optimizer/space"
	"apollo/services/cli"
	"apollo/services/inspect"
)

// bestName names the best trial of --study.
const bestName = "best"

// answerFile is a design out of a JSON answer, with the study that it is of.
type answerFile struct {
	path string
	// spec is nil in files that people wrote, and in answers of older versions.
	spec     *events.Spec
	template string
	// workload are its networks as --workload takes them.
	workload []string
	// measured says that the file is the answer of a measurement, on networks that
	// it names in spec or not at all.
	measured bool
	design   map[string]any
	front    int
	// none says that the answer has no best design.
	none bool
}

// readAnswer reads the design of a JSON answer: the object itself, or its
// "design" or "best".
func readAnswer(path string) (*answerFile, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, cli.Hinted(cli.ExitNotFound, "write one with `apollo study show STUDY -o json > "+shellWord(path)+"`", fmt.Errorf("read a design: %w", err))
	}
	f := &answerFile{path: path}
	var head struct {
		Spec  *events.Spec      `json:"spec"`
		Front []json.RawMessage `json:"front"`
		// Workload is of design eval.
		Workload []string `json:"workload"`
	}
	err = json.Unmarshal(b, &f.design)
	if err == nil {
		err = json.Unmarshal(b, &head)
	}
	if err != nil {
		return nil, cli.Hinted(cli.ExitUsage, "want a JSON answer of run, certify, study show or trial show", fmt.Errorf("read a design from %s: %w", path, err))
	}
	f.spec, f.front, f.workload = head.Spec, len(head.Front), head.Workload
	f.template, _ = f.design["template"].(string)
	for _, key := range []string{"study", "networks", "metrics"} {
		_, has := f.design[key]
		f.measured = f.measured || has
	}
	best, ended := f.design["best"]
	f.none = ended && best == nil
	for _, key := range []string{"best", "design"} {
		if inner, ok := f.design[key].(map[string]any); ok {
			f.design = inner
		}
	}
	return f, nil
}

// point is the design in the order of a template's parameters.
func (f *answerFile) point(t evaluator.Template) (p report.Point, err error) {
	for _, param := range t.Params {
		var value space.Value
		var ok bool
		what := "number"
		if param.Categorical() {
			what = "label"
			value.Label, ok = f.design[param.Name].(string)
		} else {
			value.Num, ok = f.design[param.Name].(float64)
		}
		switch {
		case !ok && f.front > 0:
			return p, cli.Hinted(cli.ExitUsage, "name one with --study STUDY/TRIAL", fmt.Errorf("read a design from %s: it holds a front of %d designs", f.path, f.front))
		case !ok && f.none:
			return p, cli.Hinted(cli.ExitInfeasible, "name a trial with --study STUDY/TRIAL", fmt.Errorf("read a design from %s: its study has no feasible trial", f.path))
		case !ok:
			return p, cli.Hinted(cli.ExitUsage, "write one with `apollo certify STUDY.yaml -o json`",
				fmt.Errorf("read a design of the template %s from %s: there is no %s for %s", t.Name, f.path, what, param.Name))
		}
		p.Values = append(p.Values, value)
	}
	return p, nil
}

// load reads the study and the files that designs are named from, and takes the
// setting that they were measured in.
func (f *designFlags) load(a *app, c *cobra.Command, s *subject, designs []string) error {
	s.files = map[string]*answerFile{}
	if f.study != "" {
		if err := f.loadStudy(a, c, s); err != nil {
			return err
		}
	}
	for _, text := range designs {
		name, _, _ := strings.Cut(text, ",")
		path, isFile := strings.CutPrefix(name, "@")
		if !isFile {
			continue
		}
		file, err := readAnswer(path)
		if err != nil {
			return err
		}
		s.files[path] = file
		if err := f.adopt(c, s, file); err != nil {
			return err
		}
	}
	return nil
}

func (f *designFlags) loadStudy(a *app, c *cobra.Command, s *subject) error {
	name, trial, named := strings.Cut(f.study, "/")
	switch preset := c.Flags().Lookup("preset"); {
	case named && preset == nil:
		return cli.Usagef("--study %s: name the study alone here, and its trials where designs are named: %s, %s, 17", f.study, name, bestName)
	case named && preset.Changed:
		return cli.Usagef("--study %s and --preset %s name two designs: leave one of them out", f.study, f.preset)
	case preset != nil && !preset.Changed:
		f.preset = bestName
	}
	if named {
		f.preset = trial
		if _, err := strconv.Atoi(trial); err != nil && trial != bestName {
			return cli.Usagef("--study %s: %q is no number of a trial; want %s/17 or %s alone, for its best", f.study, trial, name, name)
		}
	}
	var err error
	if s.ledger, err = a.loadLedger(c, name, ""); err != nil {
		return err
	}
	s.Spec, s.from = s.ledger.view.Spec, "--study "+name
	return nil
}

// adopt takes the setting of a file's study, unless the flags name their own.
func (f *designFlags) adopt(c *cobra.Command, s *subject, file *answerFile) error {
	ownNetworks := c.Flags().Changed("workload")
	if file.spec == nil && s.Spec == nil && file.template != "" && !c.Flags().Changed("template") {
		f.template = file.template
	}
	switch {
	case file.spec == nil && len(file.workload) > 0 && s.Spec == nil:
		if !ownNetworks {
			f.networks = file.workload
		}
	case file.spec == nil && file.measured && !ownNetworks && s.Spec == nil:
		return cli.Hinted(cli.ExitUsage, "name them with --workload, or write the answer again; --study NAME reads the study itself",
			fmt.Errorf("%s does not say which networks its design was measured on", file.path))
	case file.spec == nil:
	case s.Spec == nil:
		s.Spec, s.from = file.spec, file.path
	case s.Spec.Template != file.spec.Template:
		return cli.Usagef("%s has a design of the template %s, %s one of %s: they have other parameters", s.from, s.Spec.Template, file.path, file.spec.Template)
	case !sameNetworks(s.Spec, file.spec) && !ownNetworks:
		return cli.Hinted(cli.ExitUsage, "name the networks to compare them on with --workload", fmt.Errorf("%s and %s were measured on other networks", s.from, file.path))
	}
	return nil
}

func sameNetworks(a, b *events.Spec) bool {
	return slices.EqualFunc(a.Networks, b.Networks, func(x, y events.Network) bool { return x.SHA256 == y.SHA256 && x.Weight == y.Weight })
}

// workloads are the networks of a subject that no study has, as flags.
func (f *designFlags) workloads(s *subject) []string {
	if s.Spec != nil {
		return nil
	}
	return f.networks
}

// settle makes the subject of the study that was read, where there is one: its
// template, networks and mappers, as far as the flags do not say otherwise.
func (f *designFlags) settle(a *app, c *cobra.Command, s *subject) error {
	spec := s.Spec
	if spec == nil {
		return nil
	}
	if c.Flags().Changed("template") && f.template != spec.Template {
		return cli.Usagef("--template %s: the study %s is one of the template %q", f.template, spec.Study, spec.Template)
	}
	t, known := inspect.Builtins().Template(spec.Template)
	if !known || spec.Evaluator.Name != t.Backend.Describe().Name {
		return cli.Hinted(cli.ExitUsage, "the design commands know the built-in templates: "+strings.Join(templateNames(), ", "),
			fmt.Errorf("study %s is measured by evaluator %s", spec.Study, spec.Evaluator.Name))
	}
	f.template = spec.Template
	if !c.Flags().Changed("mapper-goal") && spec.MapperGoal() != "" {
		f.mapperGoal = spec.MapperGoal()
	}
	if v, here := spec.Evaluator.Version, t.Backend.Describe().Version; v != "" && v != here {
		a.Say("study %s was measured by version %s of %s, this is version %s: numbers differ", spec.Study, v, spec.Evaluator.Name, here)
	}
	if c.Flags().Changed("workload") {
		a.Say("on %s, not on the networks of study %s", strings.Join(f.networks, ", "), spec.Study)
		s.Spec = nil // what it computes, and its limits, are of its networks
		return nil
	}
	of, err := inspect.Of(spec)
	if err != nil {
		return cli.Hinted(cli.ExitError, "", err)
	}
	s.Subject = *of
	return nil
}

// trial is the design of a trial of the study: a number, or the best.
func (s *subject) trial(name string) (p report.Point, known bool, err error) {
	n, notNumber := strconv.Atoi(name)
	if s.ledger == nil || notNumber != nil && name != bestName {
		return p, false, nil
	}
	l := s.ledger
	study := l.view.Study
	if name == bestName {
		best := ranked(l.view.Spec, l.feasible())
		switch {
		case len(best) == 0:
			return p, true, cli.Hinted(cli.ExitInfeasible, "name a trial: --study "+study+"/0", fmt.Errorf("study %s has no feasible trial", study))
		case len(l.view.Spec.Objectives) > 1:
			return p, true, cli.Hinted(cli.ExitUsage, "`apollo study show "+study+"` lists them; name one: --study "+study+"/"+strconv.Itoa(best[0].number),
				fmt.Errorf("study %s has several objectives, so no best trial but a front", study))
		}
		n = best[0].number
	}
	if n < 0 || n >= len(l.trials) {
		return p, true, cli.Hinted(cli.ExitNotFound, fmt.Sprintf("it has %d so far, from 0", len(l.trials)), fmt.Errorf("study %s has no trial %d", study, n))
	}
	design := &answerFile{path: fmt.Sprintf("trial %d", n), design: designMap(l.view.Spec, l.trials[n].design)}
	p, err = design.point(s.Template.Template())
	return p, true, err
}

// wanted says what the study wants of a metric, and whether the value keeps it.
func (s *subject) wanted(m report.Metric, p cli.Paint) string {
	if s.Spec == nil {
		return ""
	}
	text := goals(s.Spec, events.Metric{Name: m.Name, Unit: m.Unit})
	if text == "" {
		return ""
	}
	broken := func(c events.Constraint) bool {
		return c.Metric == m.Name && (c.Max != nil && *m.Value > *c.Max || c.Min != nil && *m.Value < *c.Min)
	}
	if slices.ContainsFunc(s.Spec.Constraints, broken) {
		text += ": " + p.Red("not kept")
	}
	return "  (" + text + ")"
}
