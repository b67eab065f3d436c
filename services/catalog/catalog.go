// Package catalog is what studies can name: templates and networks.
package catalog

import (
	"fmt"

	"apollo/evaluator"
	"apollo/evaluator/workload"
	"apollo/events"
	"apollo/optimizer"
	"apollo/optimizer/space"
	"apollo/services/studyfile"
	"apollo/services/transfer"
)

// Catalog is what studies can name: templates and networks. Algorithms come
// from the optimizer package.
type Catalog struct {
	Templates []evaluator.Template
	// Network returns a built-in network; the error lists the known names, or
	// the sizes that the network has.
	Network      func(name string, sizes workload.Sizes) (*workload.Workload, error)
	NetworkNames []string
	// Shared lets studies share what Bind returns; nil binds for each.
	Shared *Shared
}

// Study returns the catalog as the study file's parser wants it.
func (c Catalog) Study() studyfile.Catalog {
	return studyfile.Catalog{
		Templates: c.Templates, Network: c.Network, NetworkNames: c.NetworkNames,
		Algorithm: func(name string, options []byte) error {
			_, err := optimizer.New(name, options)
			return err
		},
		AlgorithmNames: optimizer.Names(), MultiObjectiveNames: optimizer.MultiObjectiveNames(),
	}
}

// Template returns the template called name.
func (c Catalog) Template(name string) (evaluator.Template, bool) {
	for _, t := range c.Templates {
		if t.Name == name {
			return t, true
		}
	}
	return evaluator.Template{}, false
}

// Bind makes the evaluator of a study's template for parameters. The error says
// what this build lacks: the template, a network, or a network's layers being
// other ones than the study means.
func (c Catalog) Bind(spec *events.Spec, params []space.Param) (evaluator.Evaluator, error) {
	if c.Shared != nil {
		return c.Shared.bind(spec, params, func() (evaluator.Evaluator, error) { return c.bind(spec, params) })
	}
	return c.bind(spec, params)
}

func (c Catalog) bind(spec *events.Spec, params []space.Param) (evaluator.Evaluator, error) {
	t, ok := c.Template(spec.Template)
	if !ok {
		return nil, fmt.Errorf("template %q is not part of this build", spec.Template)
	}
	task, err := c.Task(params, spec.Networks, spec.Search, evaluator.MapperGoal(spec.MapperGoal()), spec.Measured())
	if err != nil {
		return nil, err
	}
	return t.Backend.New(task)
}

// TemplateOf returns the template of a study: where it searches the network too, with
// the parameter for it. It returns false for one whose template, or whose networks,
// this build does not know.
func (c Catalog) TemplateOf(spec *events.Spec) (evaluator.Template, bool) {
	t, ok := c.Template(spec.Template)
	if !ok || spec.Search == "" {
		return t, ok
	}
	choice, err := c.Choice(spec)
	return t.Choosing(choice), err == nil
}

// Choice returns what a study's designs choose their network from; nil where they run
// all of them.
func (c Catalog) Choice(spec *events.Spec) (*evaluator.Choice, error) {
	networks, err := c.Networks(spec.Networks)
	return studyfile.Choice(spec.Search, networks), err
}

// Task is what an evaluator is bound to for a study with these networks, which
// wants these metrics; search is that of the study. The error says which network is
// not known here.
func (c Catalog) Task(params []space.Param, networks []events.Network, search string, goal evaluator.MapperGoal, metrics []events.Metric) (evaluator.Task, error) {
	task := evaluator.Task{Params: params, MapperGoal: goal}
	for _, m := range metrics {
		task.Metrics = append(task.Metrics, evaluator.Metric{Name: m.Name, Unit: m.Unit})
	}
	var err error
	task.Networks, err = c.Networks(networks)
	task.Choice = studyfile.Choice(search, task.Networks)
	return task, err
}

// Networks finds the layers of a study's networks.
func (c Catalog) Networks(networks []events.Network) (out []evaluator.Network, err error) {
	find := transfer.Layers(c.Network)
	for _, n := range networks {
		w, err := find(n)
		if err != nil {
			return nil, err
		}
		family, err := studyfile.FamilyOf(&n)
		if err != nil {
			return nil, err
		}
		out = append(out, evaluator.Network{Workload: w, Weight: n.Weight, Accuracy: n.AccuracyPercent(), Family: family})
	}
	return out, nil
}

// ModelTemplate returns the template that a study asks beside its evaluator, in
// the version that it began with: another one would give other numbers.
func (c Catalog) ModelTemplate(ref *events.Source) (evaluator.Template, error) {
	t, ok := c.Template(ref.Template)
	if !ok {
		return t, fmt.Errorf("template %q is not part of this build", ref.Template)
	}
	if have := t.Backend.Describe().Version; ref.Version != "" && ref.Version != have {
		return t, fmt.Errorf("the study asks version %s of the template %s, this build has version %s: go on with the build that began it, or start a fresh run",
			ref.Version, ref.Template, have)
	}
	return t, nil
}

// SameVersion refuses a study that another version of the template's evaluator
// began: half of its answers would be another model's. What says no version
// cannot be told apart.
func (c Catalog) SameVersion(spec *events.Spec) error {
	t, ok := c.Template(spec.Template)
	if !ok || spec.Evaluator.Version == "" {
		return nil
	}
	d := t.Backend.Describe()
	if d.Name != spec.Evaluator.Name || d.Version == spec.Evaluator.Version {
		return nil
	}
	return fmt.Errorf("the study began with version %s of evaluator %s, this build has version %s: go on with the build that began it, or start a fresh run",
		spec.Evaluator.Version, d.Name, d.Version)
}
