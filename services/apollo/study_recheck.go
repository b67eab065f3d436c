package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"apollo/evaluator"
	"apollo/events"
	"apollo/events/unit"
	"apollo/optimizer/space"
	"apollo/services/cli"
	"apollo/services/external"
	"apollo/services/inspect"
	"apollo/services/study"
	"apollo/services/studyfile"
)

// recheckFlags are the flags of study recheck.
type recheckFlags struct {
	runFlags
	top                           int
	evaluator, exec, file, as, of string
	// rename are the names that parameters of the study have in the study file.
	rename map[string]string
}

func (a *app) studyRecheckCommand() *cobra.Command {
	var flags recheckFlags
	c := &cobra.Command{
		Annotations: cli.PrintsRows(),
		Use:         "recheck STUDY", Short: "Measure a study's best designs on another evaluator: does the order hold?",
		Long: `Measure the best designs of a study on another evaluator and say whether their order
holds. That is a study of its own, STUDY-on-EVALUATOR: the same command goes on with it
after an interruption, and prints the answer of one that has ended.

--evaluator names a template, or an evaluator that works on the server; with --exec it is
a program. Space, networks, objectives and constraints are those of the study.
--study-file takes all of that, and the evaluator, from a study file with the same
objectives: parameters are matched by name and unit, or as --rename says, by the table that
transfer sources have: rows=atomic_c where the study's rows are the file's atomic_c.

The agreement is Kendall's tau-b over the designs that both measured: 1 is the same order,
0 none, -1 the reverse. The order holds where chance gets as far once in 20 times at most.`,
		Example: "  apollo study recheck mobilenetv2-6p8 --evaluator other --top 10\n  apollo study recheck mine --exec 'python3 slow.py' --set 'spec.evaluator.timeout=20 min'\n  apollo study recheck mine --study-file slow.yaml -o csv",
		Args:    cli.Exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			if flags.top < 1 || flags.top > events.MaxStart {
				return cli.Usagef("--top %d: want 1 to %d", flags.top, events.MaxStart)
			}
			if err := workerSlots("--evaluators", flags.evaluators); err != nil {
				return err
			}
			if (flags.file != "") == (flags.evaluator+flags.exec != "") {
				return cli.Usagef("say who measures: --evaluator NAME, --exec COMMAND, or --study-file FILE")
			}
			if len(flags.rename) > 0 && flags.file == "" {
				return cli.Usagef("--rename is for --study-file: other evaluators take the study's own parameters")
			}
			if err := flags.web.check(); err != nil {
				return err
			}
			a.workers = flags.evaluators
			return (&recheck{app: a, command: c, flags: flags}).run(c.Context(), args[0])
		},
	}
	f := c.Flags()
	f.StringVar(&flags.evaluator, "evaluator", "", "`name` of a template or of an evaluator on the server; with --exec, what to call the program")
	f.StringVar(&flags.exec, "exec", "", "`command` of a program that measures; started here")
	f.StringVar(&flags.file, "study-file", "", "study `file` that says how the designs are measured")
	f.StringToStringVar(&flags.rename, "rename", nil, "names of the study's parameters in the study file, `THIS=THAT`")
	f.IntVar(&flags.top, "top", 10, "`number` of designs, the best first; with several objectives by fronts")
	f.StringVar(&flags.as, "name", "", "`name` of the new study; default: STUDY-on-EVALUATOR")
	f.StringVar(&flags.of, "run", "", "the `run` whose designs are measured; default: the latest")
	registerRun(c, &flags.runFlags)
	return c
}

// recheck measures the best designs of a study again.
type recheck struct {
	app     *app
	command *cobra.Command
	flags   recheckFlags

	source  *ledger
	winners []*trial
}

func (r *recheck) run(ctx context.Context, name string) error {
	if err := r.load(ctx, name); err != nil {
		return err
	}
	doc, err := r.document(ctx)
	if err != nil {
		return err
	}
	if err := r.present(ctx, doc); err != nil {
		return err
	}
	file := r.flags.file
	if file == "" {
		file = "./" + doc.Spec.Study
	}
	work := &runner{app: r.app, command: r.command, file: file, doc: doc, flags: r.flags.runFlags}
	view, err := work.toEnd(ctx)
	if p, ok := errors.AsType[*pausedError](err); ok {
		view, err = p.view, p.hinted(work.program != nil)
	}
	if view == nil || err != nil && !errors.As(err, new(*pausedError)) {
		return err
	}
	again, readErr := r.app.loadLedger(r.command, view.Study, view.Run) //nolint:contextcheck // the command has it
	if readErr != nil {
		return errors.Join(err, readErr)
	}
	report := recheckReport(r.source, r.winners, again)
	return errors.Join(r.app.printRecheck(report), err, report.failure())
}

// load reads the study and its best designs.
func (r *recheck) load(ctx context.Context, name string) error {
	s, err := r.app.open(ctx, r.command, forReading)
	if err != nil {
		return err
	}
	defer s.close(ctx)
	view, err := s.study(ctx, name, r.flags.of)
	if err != nil {
		return err
	}
	if r.source, err = readLedger(ctx, s.bus, view); err != nil {
		return err
	}
	seen := map[string]bool{} // a design that was measured several times is one
	for _, t := range ranked(r.source.view.Spec, r.source.feasible()) {
		if key := fmt.Sprint(t.design); !seen[key] && len(r.winners) < r.flags.top {
			seen[key] = true
			r.winners = append(r.winners, t)
		}
	}
	if len(r.winners) == 0 {
		return cli.Hinted(cli.ExitInfeasible, "`apollo trial ls "+name+" --last 10` shows its trials with their reasons", fmt.Errorf("study %s has no finished trial that is feasible: there is nothing to measure again", name))
	}
	return nil
}

// document is the study that measures the designs.
func (r *recheck) document(ctx context.Context) (*studyfile.Document, error) {
	if r.flags.file != "" {
		return r.fromFile() //nolint:contextcheck // asking a program has a time of its own
	}
	spec := r.source.view.Spec
	plan := studyfile.Recheck{Name: r.flags.as, Evaluator: r.flags.evaluator}
	params := spec.Parameters
	template, isTemplate := builtin(r.flags.evaluator)
	if n := spec.SearchedFamily(); n != nil && n.Accuracies.Only == events.OnlyMeasured && (r.flags.exec != "" || !isTemplate) {
		return nil, cli.Hinted(cli.ExitUsage, "--evaluator takes the name of a template: `apollo space ls` lists them",
			fmt.Errorf("study %s numbers the networks of a table (only: measured), which only the evaluator of a template knows", spec.Study))
	}
	switch {
	case r.flags.exec != "":
		if isTemplate {
			return nil, cli.Usagef("--evaluator %s is built in: give the program a name of its own", r.flags.evaluator)
		}
		if err := r.program(ctx, &plan); err != nil {
			return nil, err
		}
	case isTemplate:
		t := &inspect.Builtins().Templates[template]
		plan.Template, plan.Evaluator = t.Name, ""
		choice, err := inspect.Builtins().Choice(spec)
		if err != nil {
			return nil, err
		}
		if err := r.template(t, choice); err != nil {
			return nil, err
		}
		params = studyfile.ParametersOf(t.Choosing(choice).Params)
	case !events.IsName(r.flags.evaluator):
		return nil, cli.Usagef("--evaluator %q: want a name of 1 to 63 of a-z, 0-9 and \"-\"", r.flags.evaluator)
	}
	if plan.Name == "" {
		plan.Name = spec.Study + "-on-" + r.nameOf(&plan)
	}
	if !events.IsName(plan.Name) {
		return nil, cli.Usagef("the new study cannot be called %q: say --name, 1 to 63 of a-z, 0-9 and \"-\"", plan.Name)
	}
	sets, err := r.sets(params, "evaluator "+r.nameOf(&plan), 1)
	if err != nil {
		return nil, err
	}
	return r.app.parseStudy("the study "+plan.Name, plan.Document(spec, inspect.Builtins().Study()), r.app.studyOptions(".", sets)) //nolint:contextcheck // asking a program has a time of its own
}

// template refuses one that does not measure what the study needs.
func (r *recheck) template(t *evaluator.Template, choice *evaluator.Choice) error {
	var metrics []studyfile.DescribedMetric
	measured := t.Backend.Describe().Metrics
	if choice != nil {
		measured = slices.Concat(measured, choice.Metrics)
	}
	for _, m := range measured {
		metrics = append(metrics, studyfile.DescribedMetric{Name: m.Name, Unit: m.Unit})
	}
	return r.measures("the template "+t.Name, metrics, &studyfile.Recheck{})
}

func (r *recheck) nameOf(plan *studyfile.Recheck) string {
	if plan.Template != "" {
		return plan.Template
	}
	return plan.Evaluator
}

// builtin finds a template by its name or by that of its evaluator.
func builtin(name string) (int, bool) {
	all := inspect.Builtins().Templates
	for i := range all {
		if all[i].Name == name || all[i].Backend.Describe().Name == name {
			return i, true
		}
	}
	return 0, false
}

// program asks a program what it measures, before a study is begun that it could
// not answer.
func (r *recheck) program(ctx context.Context, plan *studyfile.Recheck) error {
	argv, err := external.Split(r.flags.exec)
	if err != nil {
		return cli.Usagef("--exec: %v", err)
	}
	plan.Exec = r.flags.exec
	d, err := r.app.introduce(ctx, argv, external.Options{Dir: ".", Startup: patience})
	if err != nil && !errors.Is(err, studyfile.ErrSilent) {
		return err
	}
	if plan.Evaluator == "" {
		plan.Evaluator = label(d.Name)
	}
	if !events.IsName(plan.Evaluator) {
		return cli.Usagef("--evaluator %q: want a name of 1 to 63 of a-z, 0-9 and \"-\"", plan.Evaluator)
	}
	if err != nil {
		return nil //nolint:nilerr // a program need not describe itself
	}
	plan.Deterministic = d.Deterministic
	if len(d.Params) > 0 {
		var missing []string
		for _, p := range d.Params {
			if !slices.Contains(parameterNames(r.source.view.Spec), p.Name) {
				missing = append(missing, p.Name)
			}
		}
		if len(missing) > 0 {
			return r.refused("the program needs the parameter %s, which study %s lacks", strings.Join(missing, ", "), r.source.view.Study)
		}
		for _, p := range r.source.view.Spec.OwnParameters() {
			i := slices.IndexFunc(d.Params, func(o space.Param) bool { return o.Name == p.Name })
			if err := r.sameUnit("the program", p, i, func() string { return d.Params[i].Unit }); err != nil {
				return err
			}
		}
	}
	return r.measures("the program", d.Metrics, plan)
}

// measures plans for the metrics of the study that another evaluator lacks or has in
// another unit, and refuses where it cannot do without one.
func (r *recheck) measures(who string, metrics []studyfile.DescribedMetric, plan *studyfile.Recheck) error {
	spec := r.source.view.Spec
	needed := map[string]bool{}
	for _, o := range spec.Objectives {
		needed[o.Metric] = true
	}
	for _, c := range spec.Constraints {
		needed[c.Metric] = true
	}
	for i, m := range spec.Metrics {
		for _, name := range events.MetricInputs(spec.Metrics[:i], m) {
			needed[name] = true
		}
	}
	for _, m := range spec.Measured() {
		whole, _, _ := strings.Cut(m.Name, ".") // of one network: a template measures that too
		if slices.ContainsFunc(metrics, func(o studyfile.DescribedMetric) bool {
			return o.Name == m.Name || o.Name == whole && strings.HasPrefix(who, "the template")
		}) {
			continue
		}
		i := slices.IndexFunc(metrics, func(o studyfile.DescribedMetric) bool { return o.Short() == m.Short() })
		if i >= 0 {
			_, err := unit.Ratio(plainUnit(metrics[i].Unit), m.Unit)
			if err == nil {
				if plan.Units == nil {
					plan.Units = map[string]string{}
				}
				plan.Units[m.Name] = plainUnit(metrics[i].Unit)
				r.app.Say("%s measures %s in %s: the answer has it in %s, as study %s", who, m.Short(), orCount(metrics[i].Unit), orCount(m.Unit), spec.Study)
				continue
			}
			if needed[m.Name] {
				return cli.Hinted(cli.ExitUsage, "it is another quantity: let that evaluator state a unit that fits, or measure "+m.Short()+" under another name",
					fmt.Errorf("%s measures %s in %s, study %s in %s", who, m.Short(), orCount(metrics[i].Unit), spec.Study, orCount(m.Unit)))
			}
		}
		if needed[m.Name] {
			return r.refused("%s does not measure %s, which study %s needs", who, m.Short(), spec.Study)
		}
		plan.Lacks = append(plan.Lacks, m.Name)
	}
	return nil
}

func (r *recheck) refused(format string, args ...any) error {
	hint := "--study-file says how another evaluator measures: its own parameters, metrics and constraints"
	if r.flags.file != "" {
		hint = "--rename THIS=THAT says what a parameter of the study is called in the file"
	}
	return cli.Hinted(cli.ExitUsage, hint, fmt.Errorf(format, args...))
}

// sameUnit refuses a parameter that is not there, or in another unit.
func (r *recheck) sameUnit(who string, p events.Parameter, at int, symbol func() string) error {
	switch {
	case at < 0:
		return r.refused("%s has no parameter %s, which study %s has", who, r.renamed(p.Name), r.source.view.Study)
	case plainUnit(symbol()) != plainUnit(p.Unit):
		return r.refused("%s takes %s in %s, study %s has it in %s", who, p.Name, orCount(symbol()), r.source.view.Study, orCount(p.Unit))
	}
	return nil
}

// plainUnit is a unit as studies write it: a plain number has none.
func plainUnit(symbol string) string {
	if symbol == "1" {
		return ""
	}
	return symbol
}

// fromFile is the study of a file, with the designs.
func (r *recheck) fromFile() (*studyfile.Document, error) {
	first, err := r.app.readStudy(r.flags.file, r.flags.sets)
	if err != nil {
		return nil, err
	}
	of, spec := r.source.view.Spec, first.Spec
	goals := func(s *events.Spec) string {
		var all []string
		for _, o := range s.Objectives {
			all = append(all, o.Goal+" "+o.Metric)
		}
		return strings.Join(all, ", ")
	}
	same := func(a, b events.Objective) bool {
		there := spec.Metrics[spec.MetricIndex(b.Metric)]
		return a.Goal == b.Goal && sameMetric(of, there) == a.Metric
	}
	if !slices.EqualFunc(of.Objectives, spec.Objectives, same) {
		return nil, cli.Hinted(cli.ExitUsage, "the objectives must be the same quantities in the same order; their units may differ",
			fmt.Errorf("study %s is to %s, %s to %s", of.Study, goals(of), r.flags.file, goals(spec)))
	}
	times := 1
	if n := spec.Evaluator.Noise; n != nil {
		times = max(1, n.Repeats)
	}
	if err := r.renames(spec); err != nil {
		return nil, err
	}
	sets, err := r.sets(spec.Parameters, r.flags.file, times)
	if err != nil {
		return nil, err
	}
	name := r.flags.as
	if name == "" {
		name = of.Study + "-on-" + spec.Evaluator.Name
	}
	for i := range spec.Objectives {
		sets = append(sets, fmt.Sprintf("spec.objectives[%d].target=null", i))
	}
	sets = append(sets, "metadata.name="+name, "spec.stop=null", "spec.earlyStop=null", "spec.transfer=null", "spec.prior=null", "spec.knownConstraints=hidden", "spec.algorithm={name: random}")
	return r.app.readStudy(r.flags.file, sets)
}

// renames checks the names that parameters have in the study of the file.
func (r *recheck) renames(there *events.Spec) error {
	of := r.source.view.Spec
	from, taken := parameterNames(of), map[string]string{}
	for _, name := range from {
		to := r.renamed(name)
		if other := taken[to]; other != "" {
			return cli.Usagef("--rename: %s and %s of study %s cannot both be %s", other, name, of.Study, to)
		}
		taken[to] = name
	}
	for _, name := range slices.Sorted(maps.Keys(r.flags.rename)) {
		to := r.flags.rename[name]
		if !slices.Contains(from, name) {
			return cli.Usagef("--rename %s=%s: study %s has no parameter %s: it has %s", name, to, of.Study, name, strings.Join(from, ", "))
		}
		if names := parameterNames(there); !slices.Contains(names, to) {
			return cli.Usagef("--rename %s=%s: %s has no parameter %s: it has %s", name, to, r.flags.file, to, strings.Join(names, ", "))
		}
	}
	return nil
}

// renamed is what the other study calls a parameter.
func (r *recheck) renamed(name string) string { return cmp.Or(r.flags.rename[name], name) }

// sets are what the designs change in a study with these parameters, which measures
// each a number of times.
func (r *recheck) sets(params []events.Parameter, who string, times int) ([]string, error) {
	designs := make([]events.Design, len(r.winners))
	assumed := map[string]bool{}
	for k, t := range r.winners {
		design, err := r.design(params, t, who, assumed)
		if err != nil {
			return nil, err
		}
		designs[k] = design
	}
	for _, p := range params {
		if assumed[p.Name] {
			r.app.Say("%s is no parameter of study %s: the new study's baseline, or its first level, stands for it", p.Name, r.source.view.Study)
		}
	}
	n := len(designs)
	return slices.Concat(r.flags.sets, []string{
		fmt.Sprintf("spec.budget={trials: %d, parallelism: %d}", n*times, min(n, events.MaxParallelism)),
		studyfile.StartSet(params, designs),
	}), nil
}

// design is a winner in other parameters, by their names there.
func (r *recheck) design(params []events.Parameter, t *trial, who string, assumed map[string]bool) (events.Design, error) {
	spec := r.source.view.Spec
	for _, p := range spec.Parameters {
		i := slices.IndexFunc(params, func(o events.Parameter) bool { return o.Name == r.renamed(p.Name) })
		if err := r.sameUnit(who, p, i, func() string { return params[i].Unit }); err != nil {
			return nil, err
		}
	}
	design := make(events.Design, len(params))
	for i, p := range params {
		k := slices.IndexFunc(parameterNames(spec), func(name string) bool { return r.renamed(name) == p.Name })
		view := space.Param{Name: p.Name, Unit: p.Unit, Values: p.Values, Labels: p.Labels}
		if k < 0 {
			design[i] = r.standing(p, view)
			assumed[p.Name] = true
			continue
		}
		design[i] = t.design[k]
		if _, is := view.Level(design[i]); !is {
			return nil, r.refused("%s has no level %s of %s, which trial %d of study %s has", who, valueText(design[i], p.Unit), p.Name, t.number, spec.Study)
		}
	}
	return design, nil
}

// standing is the value of a parameter that the study does not have.
func (r *recheck) standing(p events.Parameter, view space.Param) space.Value {
	if i, is := builtin(r.flags.evaluator); is {
		t := inspect.Builtins().Templates[i]
		if k := slices.IndexFunc(t.Params, func(o space.Param) bool { return o.Name == p.Name }); k >= 0 && k < len(t.Baseline) {
			return t.Baseline[k]
		}
	}
	return view.Value(0)
}

// present refuses to wait for an evaluator that nobody runs.
func (r *recheck) present(ctx context.Context, doc *studyfile.Document) error {
	s, err := r.app.open(ctx, r.command, forReading)
	if err != nil {
		return err
	}
	defer s.close(ctx)
	return r.app.served(ctx, s, doc, r.flags.fresh, "--exec")
}

// failure is the error of a recheck that has no answer.
func (r *recheckAnswer) failure() error {
	switch {
	case r.State == string(study.Failed) || r.State == string(study.Cancelled):
		return cli.Hinted(cli.ExitFailed, "the same command with --fresh starts anew", fmt.Errorf("study %s %s", r.Study, r.State))
	case r.State == string(study.Paused):
		return nil // the pause is the error
	case r.Best == nil && len(r.Front) == 0:
		return cli.Hinted(cli.ExitInfeasible, "`apollo trial ls "+r.Study+"` shows the reasons", fmt.Errorf("none of the %d designs is feasible on evaluator %s", len(r.Designs), r.Evaluator))
	}
	return nil
}
