package transfer

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"apollo/archiver"
	"apollo/evaluator"
	"apollo/events"
	"apollo/optimizer"
	"apollo/optimizer/space"
	"apollo/services/study"
)

// Model is a source that is asked instead of read: a template of this build, or a
// program.
type Model struct {
	// Name and Run are what pins and origins call it; Run tells versions apart.
	Name, Run string
	Inputs    []study.ModelInput
	// Evaluator takes the Inputs' parameters, in order, and answers Metrics.
	Evaluator evaluator.Evaluator
	Metrics   []evaluator.Metric
	Ref       *events.Source
	// Gone is wrapped by the error of an evaluation that broke.
	Gone error
}

const (
	// sampled is how many designs a model is asked for before the first trial: half
	// of them at random, the others about the best of those. Chosen: a model of a
	// millisecond takes a second.
	sampled = 1024
	// climbers are the designs whose neighbours are asked for in a round. Chosen.
	climbers = 4
)

// AddModel learns from a model: what it says of a sample becomes a source, and the
// search asks it for every candidate.
func (l *Learner) AddModel(ctx context.Context, m Model) (Candidate, error) {
	m.Name = l.unused(m.Name)
	a := &answers{learner: l, model: m, values: make([]space.Value, 0, l.space.Len())}
	log := &archiver.SourceLog{Study: m.Name, Run: m.Run, Columns: a.columns()}
	mapped, err := l.match(log.Columns)
	if err != nil {
		return l.refused(log, err)
	}
	a.mapping = mapped
	trials, err := a.sample(ctx)
	if err != nil {
		return l.refused(log, err)
	}
	log.Trials = func(yield func(archiver.Trial, error) bool) {
		for i := range trials {
			if !yield(trials[i], nil) {
				return
			}
		}
	}
	before := len(l.knowledge.Tasks)
	c, err := l.Add(log, "")
	if err == nil && len(l.knowledge.Tasks) > before {
		// A search outlives the load of its run, and an answer takes milliseconds.
		l.knowledge.Tasks[before].Ask = func(p space.Point) (optimizer.Observation, error) {
			return a.observe(context.WithoutCancel(ctx), p)
		}
	}
	return c, err
}

// unused is a name that no source before it has: reports credit a source by its name.
func (l *Learner) unused(name string) string {
	for n, free := 2, name; ; n++ {
		if !slices.ContainsFunc(l.pins, func(p events.SourcePin) bool { return p.Study == free }) {
			return free
		}
		free = fmt.Sprintf("%s-%d", name, n)
	}
}

// CheckModel reports why a model does not fit, from its parameters and metrics.
func (l *Learner) CheckModel(m Model) error {
	_, err := l.match((&answers{learner: l, model: m}).columns())
	return err
}

func (l *Learner) refused(log *archiver.SourceLog, err error) (Candidate, error) {
	c := Candidate{Study: log.Study, Run: log.Run, Quarantine: []Quarantine{}, Damaged: []string{}, LeftOut: []string{}, Refused: err.Error()}
	return c, fmt.Errorf("source %s: %w", log.Study, err)
}

// answers are those of a model, in the study's terms.
type answers struct {
	learner *Learner
	model   Model
	mapping *mapping
	values  []space.Value
}

// columns are the study's parameters that the model knows, and its metrics as the
// study calls them.
func (a *answers) columns() *archiver.Columns {
	cols := &archiver.Columns{}
	for _, i := range a.from() {
		p := a.learner.space.Param(i)
		kind := archiver.KindFloat
		if p.Categorical() {
			kind = archiver.KindString
		}
		cols.Parameters = append(cols.Parameters, archiver.Parameter{Name: p.Name, Unit: p.Unit, Kind: kind})
	}
	for _, m := range a.model.Metrics {
		cols.Metrics = append(cols.Metrics, archiver.Metric{Name: study.OurMetric(events.Metric{Name: m.Name, Unit: m.Unit}, a.model.Ref), Unit: m.Unit})
	}
	return cols
}

// from are the study's parameters that the model knows, in the study's order.
func (a *answers) from() (indices []int) {
	for _, in := range a.model.Inputs {
		if in.From >= 0 && !slices.Contains(indices, in.From) {
			indices = append(indices, in.From)
		}
	}
	slices.Sort(indices)
	return indices
}

// ask asks the model for a point. What it does not know of the point makes no
// difference.
func (a *answers) ask(ctx context.Context, p space.Point) (archiver.Trial, error) {
	a.values = a.learner.space.AppendValues(a.values[:0], p)
	design := make([]space.Value, len(a.model.Inputs))
	for i := range a.model.Inputs {
		design[i] = a.model.Inputs[i].Value(a.values)
	}
	r, err := a.model.Evaluator.Evaluate(ctx, evaluator.Request{Study: a.learner.target.Spec.Study, Design: design, Deterministic: true})
	if err != nil {
		return archiver.Trial{}, fmt.Errorf("%w: ask %s: %w", a.model.Gone, a.model.Name, err)
	}
	if r.Outcome == evaluator.Failed {
		return archiver.Trial{}, fmt.Errorf("%w: ask %s: %s", a.model.Gone, a.model.Name, r.Reason.Message)
	}
	t := archiver.Trial{Outcome: string(r.Outcome), Values: r.Values}
	if r.Reason != nil {
		t.Reason = &events.Reason{Code: r.Reason.Code, Message: r.Reason.Message}
	}
	for _, i := range a.from() {
		t.Design = append(t.Design, a.values[i])
	}
	return t, nil
}

// observe is an answer as a search sees it: judged by the study's rules and
// constraints.
func (a *answers) observe(ctx context.Context, p space.Point) (optimizer.Observation, error) {
	t, err := a.ask(ctx, p)
	if err != nil {
		return optimizer.Observation{}, err
	}
	k := &pick{trial: t, point: p, values: a.mapping.values(t.Values)}
	if t.Outcome == events.OutcomeMeasured {
		k.objectives = a.learner.objectives(k.values)
	}
	a.learner.rejudge(k)
	return optimizer.Observation{Point: p, Status: k.status, Values: k.objectives, Trial: -1}, nil
}

// sample asks the model for designs of the whole space where it is small, else for
// legal ones at random and the neighbours of the best.
func (a *answers) sample(ctx context.Context) ([]archiver.Trial, error) {
	sp := a.learner.space
	s := &modelSample{answers: a, seen: map[space.Key]bool{}}
	if sp.Size() <= sampled {
		for _, p := range sp.All() {
			if err := s.add(ctx, p); err != nil {
				return nil, err
			}
		}
		return s.trials, nil
	}
	rng := rand.New(rand.NewPCG(a.learner.target.Spec.Seed, 2))
	var p space.Point
	for draws := 0; len(s.trials) < sampled/2 && draws < 64*sampled; draws++ {
		if p = sp.Draw(p, rng); !a.learner.target.Legal(p) {
			continue
		}
		if err := s.add(ctx, p); err != nil {
			return nil, err
		}
	}
	for before := -1; before < len(s.trials) && len(s.trials) < sampled; {
		before = len(s.trials)
		if err := s.climb(ctx); err != nil {
			return nil, err
		}
	}
	return s.trials, nil
}

// modelSample is a sample that grows.
type modelSample struct {
	*answers
	seen   map[space.Key]bool
	trials []archiver.Trial
	good   []*pick // feasible ones, best first
}

func (s *modelSample) add(ctx context.Context, p space.Point) error {
	p = p.Clone()
	for i, c := range s.mapping.params {
		if c.index < 0 { // the model does not know it
			p[i] = c.fill
		}
	}
	key := s.learner.space.Key(p)
	if s.seen[key] || len(s.trials) >= sampled {
		return nil
	}
	s.seen[key] = true
	t, err := s.ask(ctx, p)
	if err != nil {
		return err
	}
	t.Trial = len(s.trials)
	s.trials = append(s.trials, t)
	k := &pick{trial: t, point: p, values: s.mapping.values(t.Values)}
	if t.Outcome == events.OutcomeMeasured {
		k.objectives = s.learner.objectives(k.values)
	}
	if s.learner.rejudge(k); k.status == optimizer.Measured && k.objectives != nil {
		s.good = append(s.good, k)
	}
	return nil
}

// climb asks for the neighbours of the best designs.
func (s *modelSample) climb(ctx context.Context) error {
	s.good = bestFirst(s.good)
	for _, k := range slices.Clone(s.good[:min(climbers, len(s.good))]) {
		for _, p := range s.learner.space.Neighbors(k.point) {
			if !s.learner.target.Legal(p) {
				continue
			}
			if err := s.add(ctx, p); err != nil {
				return err
			}
		}
	}
	return nil
}
