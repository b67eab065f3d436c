package certify

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"apollo/evaluator"
	"apollo/events"
	"apollo/optimizer/space"
)

// ErrNoProof is wrapped by errors that say why a study has no optimum to prove.
var ErrNoProof = errors.New("there is no optimum to prove")

// Problem is a study's search space with what judges its designs. It is
// immutable and safe for concurrent use.
type Problem struct {
	spec      *events.Spec
	space     space.Space
	judge     *events.Judge
	ev        evaluator.Evaluator
	desc      evaluator.Description
	check     evaluator.Checker // nil where no metric is free
	prover    evaluator.Prover
	stages    [][]int
	objective int
	sign      float64 // -1 where the objective is maximized: smaller keys are better
	derive    *events.Deriver
	wanted    []bool    // of the measured metrics
	cheap     []bool    // of all metrics, those that Check tells
	limits    []limit   // of all constrained metrics
	free      []limit   // of those that Check computes
	enclosed  bool      // whether corners enclose partial designs
	partial   []partial // of each stage but the last
	strides   []uint64
	levels    [][]space.Value
}

// limit is a constraint on a metric's column.
type limit struct {
	column   int
	min, max float64
}

// maxGroups bounds the groups of the first stage, which are held and sorted: 1 GiB.
const maxGroups = 1 << 26

// New binds a study to its evaluator. The study must have exactly one
// objective and a deterministic evaluator; the error, which wraps ErrNoProof,
// says what is missing.
func New(spec *events.Spec, ev evaluator.Evaluator, desc evaluator.Description) (*Problem, error) {
	if len(spec.Objectives) != 1 {
		return nil, fmt.Errorf("%w: the study has %d objectives, want one", ErrNoProof, len(spec.Objectives))
	}
	if !desc.Deterministic {
		return nil, fmt.Errorf("%w: evaluator %s is not deterministic", ErrNoProof, desc.Name)
	}
	// Behind the study's stand metrics that its networks do not have.
	desc.Metrics = desc.Metrics[:min(len(desc.Metrics), len(spec.Measured()))]
	p := &Problem{spec: spec, ev: ev, desc: desc, sign: 1, wanted: make([]bool, len(desc.Metrics))}
	var err error
	if p.space, err = spec.Space(); err != nil {
		return nil, err
	}
	if !p.space.Countable() {
		return nil, fmt.Errorf("%w: the space has %d designs, and a proof goes through less than 2^63", ErrNoProof, p.space.Count())
	}
	if p.judge, err = events.NewJudge(spec); err != nil {
		return nil, err
	}
	p.derive = p.judge.Deriver()
	if err := p.columns(); err != nil {
		return nil, err
	}
	p.objective = spec.MetricIndex(spec.Objectives[0].Metric)
	if p.objective < 0 {
		return nil, fmt.Errorf("%w: evaluator %s measures no %s", ErrNoProof, desc.Name, spec.Objectives[0].Metric)
	}
	if spec.Objectives[0].Goal == "maximize" {
		p.sign = -1
	}
	p.want(p.objective)
	p.constrain()
	p.check, _ = ev.(evaluator.Checker)
	p.enclosed = true
	for i := range p.space.Len() {
		p.enclosed = p.enclosed && !p.space.Param(i).Categorical()
	}
	if prover, ok := ev.(evaluator.Prover); ok {
		p.prover, p.stages = prover, prover.Stages()
	} else {
		p.stages, p.enclosed = enumerationStages(p.space), false
	}
	p.prepare()
	if n := p.groups(0); n > maxGroups {
		return nil, fmt.Errorf("%w: its first parameters have %d combinations, and a proof sorts at most %d", ErrNoProof, n, maxGroups)
	}
	p.partial = make([]partial, len(p.stages)-1)
	for stage := range p.partial {
		p.partial[stage] = p.partialRules(stage)
	}
	return p, nil
}

// partial are the rules and conditions that the parameters of some stages decide,
// and these parameters; no judge where there are none.
type partial struct {
	judge  *events.Judge
	params []int
}

// partialRules finds what the stages up to one decide: what compiles with their
// parameters alone.
func (p *Problem) partialRules(stage int) (out partial) {
	for _, params := range p.stages[:stage+1] {
		out.params = append(out.params, params...)
	}
	slices.Sort(out.params)
	spec := events.Spec{}
	for _, i := range out.params {
		spec.Parameters = append(spec.Parameters, p.spec.Parameters[i])
	}
	compiles := func() bool { _, err := events.NewJudge(&spec); return err == nil }
	if !compiles() {
		return partial{} // a condition names a parameter of a later stage
	}
	for _, rule := range p.spec.Rules {
		spec.Rules = append(spec.Rules, rule)
		if !compiles() {
			spec.Rules = spec.Rules[:len(spec.Rules)-1]
		}
	}
	if j, err := events.NewJudge(&spec); err == nil && j.Ruled() {
		out.judge = j
	}
	return out
}

// columns checks that the study's measured metrics are in the evaluator's order,
// which is the judge's, and wants what is computed of them: where a computed metric
// has no value the trial of a study has failed, whatever the metric is for.
func (p *Problem) columns() error {
	for i, m := range p.spec.Metrics {
		if m.Expr != "" {
			p.cheap = append(p.cheap, events.ComputedFree(p.spec.Metrics[:i], m))
			p.want(i)
			continue
		}
		if i >= len(p.desc.Metrics) || p.desc.Metrics[i].Name != m.Name {
			return fmt.Errorf("%w: evaluator %s has other metrics than the study means", ErrNoProof, p.desc.Name)
		}
		p.cheap = append(p.cheap, p.desc.Metrics[i].Cheap)
	}
	return nil
}

// want has the probe bound a metric, or what it is computed of.
func (p *Problem) want(column int) {
	m := p.spec.Metrics[column]
	if m.Expr == "" {
		p.wanted[column] = true
		return
	}
	for _, name := range events.MetricInputs(p.spec.Metrics[:column], m) {
		p.want(p.spec.MetricIndex(name))
	}
}

// constrain reads the constraints, whose metrics the judge has found.
func (p *Problem) constrain() {
	for _, c := range p.spec.Constraints {
		l := limit{column: p.spec.MetricIndex(c.Metric), min: math.Inf(-1), max: math.Inf(1)}
		if c.Min != nil {
			l.min = *c.Min
		}
		if c.Max != nil {
			l.max = *c.Max
		}
		p.want(l.column)
		p.limits = append(p.limits, l)
		if p.cheap[l.column] {
			p.free = append(p.free, l)
		}
	}
}

// prepare computes what the walk needs of the space.
func (p *Problem) prepare() {
	n := p.space.Len()
	p.strides = make([]uint64, n)
	p.levels = make([][]space.Value, n)
	stride := uint64(1)
	for i := n - 1; i >= 0; i-- {
		param := p.space.Param(i)
		p.strides[i] = stride
		stride *= uint64(param.Len())
		for level := range param.Len() {
			p.levels[i] = append(p.levels[i], param.Value(level))
		}
	}
}

// groups returns the number of combinations of a stage's parameters.
func (p *Problem) groups(stage int) uint64 {
	n := uint64(1)
	for _, i := range p.stages[stage] {
		n *= uint64(len(p.levels[i]))
	}
	return n
}

// below returns the number of designs in a group of a stage.
func (p *Problem) below(stage int) uint64 {
	n := uint64(1)
	for s := stage + 1; s < len(p.stages); s++ {
		n *= p.groups(s)
	}
	return n
}

// Design returns the design with an index, by the names of its parameters.
func (p *Problem) Design(index uint64) map[string]any {
	design := map[string]any{}
	for i, v := range p.space.Values(p.space.At(index)) {
		if v.Label != "" {
			design[p.space.Param(i).Name] = v.Label
			continue
		}
		design[p.space.Param(i).Name] = v.Num
	}
	return design
}
