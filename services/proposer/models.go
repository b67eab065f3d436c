package proposer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"apollo/evaluator"
	"apollo/events"
	"apollo/optimizer/space"
	"apollo/services/catalog"
	"apollo/services/study"
	"apollo/services/transfer"
)

// Program is a program that a study asks beside its evaluator.
type Program struct {
	Backend evaluator.Backend
	// Params are those that it names; none takes what it is given.
	Params []space.Param
	// Name is what the log calls it, Digest the identity of what answers.
	Name, Digest string
	Close        func() error
}

// Programs opens the program of a command. Whoever asked closes it.
type Programs func(ctx context.Context, exec string) (*Program, error)

// openModel binds a model that a study asks. The error says what this process
// lacks, or what of the study does not fit. closing ends its program.
func openModel(ctx context.Context, c catalog.Catalog, open Programs, spec *events.Spec, ref *events.Source) (m transfer.Model, closing func() error, err error) {
	p := &Program{Close: func() error { return nil }}
	if ref.Template != "" {
		t, err := c.ModelTemplate(ref)
		if err != nil {
			return m, nil, err
		}
		p.Backend, p.Params, p.Name, p.Digest = t.Backend, t.Params, t.Name, "v"+t.Backend.Describe().Version
	} else {
		if open == nil {
			return m, nil, errors.New("this proposer starts no programs: `apollo run` asks a study's program, or name a template")
		}
		if p, err = open(ctx, ref.Exec); err != nil {
			return m, nil, fmt.Errorf("%w: %w", errSourceMissing, err)
		}
	}
	if m, err = bindModel(c, p, spec, ref); err != nil {
		return m, nil, errors.Join(err, p.Close())
	}
	return m, p.Close, nil
}

func bindModel(c catalog.Catalog, p *Program, spec *events.Spec, ref *events.Source) (transfer.Model, error) {
	m := transfer.Model{Name: p.Name, Run: p.Digest, Ref: ref, Gone: errSourceMissing}
	known := p.Params
	choice, err := c.Choice(spec)
	if err != nil {
		return m, err
	}
	if choice != nil && len(known) > 0 {
		known = slices.Concat(known, choice.Params)
	}
	inputs, missing, err := study.MapModel(known, spec, ref)
	if len(missing) > 0 {
		err = errors.Join(fmt.Errorf("it needs %s, which this study lacks: rename or fix them", strings.Join(missing, ", ")), err)
	}
	if err != nil {
		return m, fmt.Errorf("%s: %w", p.Name, err)
	}
	m.Inputs = inputs
	var params []space.Param
	for _, in := range inputs {
		params = append(params, in.Param)
	}
	var answers []events.Metric
	for _, metric := range ref.Metrics {
		answers = append(answers, events.Metric{Name: metric.Name, Unit: metric.Unit})
	}
	task, err := c.Task(params, spec.Networks, spec.Search, evaluator.MapperGoal(spec.MapperGoal()), answers)
	if err != nil {
		return m, err
	}
	if m.Evaluator, err = p.Backend.New(task); err != nil {
		return m, err
	}
	d := p.Backend.Describe()
	m.Metrics = d.Metrics
	if ref.Template != "" {
		m.Metrics = d.For(evaluator.Task{Networks: task.Networks, Choice: task.Choice})
	}
	if len(m.Metrics) == 0 {
		for _, metric := range answers {
			m.Metrics = append(m.Metrics, evaluator.Metric{Name: metric.Name, Unit: metric.Unit})
		}
	}
	return m, nil
}

// askModel adds what a model says to a learner.
func askModel(ctx context.Context, l *transfer.Learner, c catalog.Catalog, open Programs, spec *events.Spec, ref *events.Source) (transfer.Candidate, func() error, error) {
	m, closing, err := openModel(ctx, c, open, spec, ref)
	if err != nil {
		return transfer.Candidate{Study: cmp.Or(ref.Template, ref.Exec), Refused: err.Error()}, nil, err
	}
	candidate, err := l.AddModel(ctx, m)
	if err != nil {
		return candidate, nil, errors.Join(err, closing())
	}
	return candidate, closing, nil
}
