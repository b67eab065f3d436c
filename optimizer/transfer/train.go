package transfer

import (
	"fmt"
	"math"
	"slices"

	"apollo/optimizer/space"
	"apollo/optimizer/surrogate"
)

// classBlur is the variance that is added to the model's own before a
// probability of feasibility is read off labels of −1 and 1, as
// surrogate.Feasibility does.
const classBlur = 0.1

// train makes of the sources seeds, and models with the chosen methods.
func (s *strategy) train(chosen []Method, seeds int) error {
	l := s.read()
	if len(l.rows) == 0 {
		return nil
	}
	for i := range l.rows {
		l.classTable(i)
	}
	l.classes.fit(surrogate.FeasibilityPrior())
	criteria, err := l.criteria()
	if err != nil {
		return err
	}
	if s.criteria = criteria; seeds > 0 {
		s.chooseSeeds(criteria, seeds)
	}
	l.classes.Tables = slices.DeleteFunc(l.classes.Tables, func(t Table) bool { return s.unordered[t.Source] })
	if s.problem.Objectives > 1 || len(chosen) == 0 || len(l.classes.Tables) == 0 {
		return nil
	}
	s.models, err = l.modelProposer(chosen)
	return err
}

// read reads the sources. One that measured nothing is none: of designs that cannot run alone a
// model says only to go far away from them, which costs a trial of every search.
func (s *strategy) read() *training {
	prior := s.problem.Prior[:min(len(s.problem.Prior), maxSources)]
	l := &training{strategy: s, classes: Sources{Categorical: s.inputs.Categorical(), Workload: s.problem.Workload}}
	for i := range prior {
		if rows := s.rows(prior[i]); slices.ContainsFunc(rows, func(r row) bool { return len(r.values) > 0 }) {
			l.rows = append(l.rows, rows)
			l.source = append(l.source, i)
		}
	}
	l.log = l.positive()
	return l
}

// training is what is made of the sources while they are read.
type training struct {
	*strategy
	rows            [][]row
	source          []int // position in Problem.Prior of rows
	log             bool
	values, classes Sources // values of the first objective
}

// positive reports whether all values of all sources have a logarithm.
func (l *training) positive() bool {
	for _, rows := range l.rows {
		for i := range rows {
			if slices.ContainsFunc(rows[i].values, func(v float64) bool { return !(v > 0) }) {
				return false
			}
		}
	}
	return true
}

// rank orders rows of a source by their first objective, the infeasible last.
func rank(r *row) float64 {
	if !r.built {
		return math.Inf(1)
	}
	return r.values[0]
}

func classLabel(r *row) float64 {
	if r.built {
		return -1
	}
	return 1
}

// classTable adds what a source says of feasibility.
func (l *training) classTable(i int) {
	t := l.table(l.source[i])
	for _, r := range thin(l.rows[i], maxRows, rank) {
		t.X = append(t.X, r.x...)
		t.Y = append(t.Y, classLabel(&r))
	}
	l.classes.Tables = append(l.classes.Tables, t)
}

func (l *training) table(source int) Table {
	task := &l.problem.Prior[source]
	return Table{Source: source, Workload: task.Workload, Asked: task.Ask != nil}
}

// fit fits a process to every table.
func (s *Sources) fit(prior surrogate.Prior) {
	for i := range s.Tables {
		t := &s.Tables[i]
		labels, _, _ := surrogate.Standardize(t.Y)
		t.Hyper = surrogate.Fit{Prior: prior, Evaluations: 20}.Hyper(s.Categorical, t.X, labels)
	}
}

// criteria makes the tables of values and the criteria of the portfolio.
func (l *training) criteria() ([]*criterion, error) {
	var out []*criterion
	for i, rows := range l.rows {
		class, err := newGPRegressor(l.classes.Categorical, l.classes.Tables[i].Hyper, l.classes.Tables[i].X, l.classes.Tables[i].Y)
		if err != nil {
			return nil, err
		}
		for objective := range l.problem.Objectives {
			c := &criterion{source: l.source[i], objective: objective, rows: rows, class: class}
			trained, err := l.trainCriterion(c, objective == 0)
			if err != nil {
				return nil, err
			}
			if trained {
				out = append(out, c)
			}
		}
	}
	return out, nil
}

// A source whose values are as ordered by chance more often than maxChance is dropped,
// so that as much of pure noise is kept. Of fewer values than minOrdered that is not
// asked: a real order is not told from noise then. Chosen on searches of the
// development tasks: of 40 values all are told, of 30 some are not.
const (
	maxChance  = 0.05
	minOrdered = 40
)

// ordered reports whether a source's values say something of each other. Where they
// do not they are of other designs, or noise: what was best there says nothing of what
// is good. A source that can be asked is known everywhere and need be in no order.
func (l *training) ordered(t *Table) (bool, error) {
	if t.Asked || len(t.Y) < minOrdered || slices.Min(t.Y) == slices.Max(t.Y) {
		return true, nil
	}
	chance, err := surrogate.Chance(l.inputs.Categorical(), t.X, t.Y)
	if err != nil {
		return false, fmt.Errorf("order of a source: %w", err)
	}
	return chance <= maxChance, nil
}

// valueTable returns what a criterion's source says of values, and the designs that it
// is of.
func (l *training) valueTable(c *criterion) (t Table, good []row) {
	t = l.table(c.source)
	for _, r := range c.rows {
		if len(r.values) > 0 {
			good = append(good, r)
		} else {
			t.Bad = append(t.Bad, r.x...)
		}
	}
	value := func(r *row) float64 { return r.values[c.objective] }
	good = thin(good, maxRows, value)
	var raw []float64
	for i := range good {
		raw = append(raw, value(&good[i]))
		t.X = append(t.X, good[i].x...)
	}
	t.Y = scale{l.log}.labels(raw)
	l.inputs.label(c.source, raw, l.log)
	return t, good
}

// trainCriterion trains a criterion's process of values; false when nothing was
// measured, or the values say nothing of each other.
func (l *training) trainCriterion(c *criterion, keep bool) (bool, error) {
	t, good := l.valueTable(c)
	if len(t.Y) == 0 {
		return false, nil
	}
	if ordered, err := l.ordered(&t); err != nil || !ordered {
		l.unordered[c.source] = l.unordered[c.source] || keep
		return false, err
	}
	one := Sources{Categorical: l.classes.Categorical, Tables: []Table{t}}
	one.fit(surrogate.DefaultPrior())
	t = one.Tables[0]
	var err error
	if c.value, err = newGPRegressor(one.Categorical, t.Hyper, t.X, t.Y); err != nil {
		return false, err
	}
	if keep {
		l.values.Tables = append(l.values.Tables, t)
	}
	c.rankMeasured(good, t.Y)
	return true, nil
}

// rankMeasured sets the ranks of measured designs.
func (c *criterion) rankMeasured(rows []row, labels []float64) {
	for i := range rows {
		if rows[i].built {
			c.values = append(c.values, labels[i])
		}
	}
	slices.Sort(c.values)
	c.known = map[space.Key]float64{}
	for i := range rows {
		at, _ := slices.BinarySearch(c.values, labels[i])
		c.known[rows[i].key] = 1
		if rows[i].built {
			c.known[rows[i].key] = float64(at) / float64(len(c.values))
		}
	}
	for i := range c.rows {
		if len(c.rows[i].values) == 0 {
			c.known[c.rows[i].key] = 1
		}
	}
}

// chooseSeeds chooses the seeds.
func (s *strategy) chooseSeeds(criteria []*criterion, n int) {
	criteria = slices.DeleteFunc(criteria, func(c *criterion) bool { return len(c.values) == 0 })
	list := candidates(criteria, s.problem.Prior, s.problem.Space, s.problem.Legal)
	var x [][]float64
	for _, c := range list {
		x = append(x, s.inputs.Append(nil, c.point))
	}
	s.seeds = portfolio(criteria, list, x, n)
	for _, c := range s.seeds {
		s.seedOf[c.key] = c.source
	}
}

// modelProposer trains the models of values and of feasibility.
func (l *training) modelProposer(chosen []Method) (*modelProposer, error) {
	l.values.Categorical, l.values.Workload = l.classes.Categorical, l.problem.Workload
	a := &modelProposer{strategy: l.strategy}
	var pooled []float64
	for i := range l.values.Tables {
		// The spread of the better half: what lies far above it is of no interest.
		pooled = append(pooled, surrogate.HalfRank(l.values.Tables[i].Y)...)
	}
	_, _, spread := surrogate.Standardize(pooled)
	var err error
	if a.values, err = newEnsemble(&l.values, chosen, l.inputs.valueModel, surrogate.DefaultPrior(), residualShare*spread); err != nil {
		return nil, err
	}
	a.values.label = func(raw []float64) []float64 {
		log := l.log && !slices.ContainsFunc(raw, func(v float64) bool { return !(v > 0) })
		return scale{log}.labels(raw)
	}
	a.spread = spread
	if a.classes, err = newEnsemble(&l.classes, chosen, l.inputs.classModel, surrogate.FeasibilityPrior(), 1); err != nil {
		return nil, err
	}
	a.classes.label = func(raw []float64) []float64 { return raw }
	for _, c := range l.seeds {
		a.elite = append(a.elite, c.point)
	}
	return a, nil
}

// residualShare is how much of the spread of a source's labels its model is
// expected to leave of the target's. Chosen.
const residualShare = 0.3
