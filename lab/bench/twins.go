package bench

import (
	"context"
	"fmt"
	"math"

	"apollo/evaluator"
	"apollo/events"
	"apollo/optimizer/space"
)

// Twin is a pair of a task and one that it may learn from which have nothing to
// teach each other: each is nearly optimal on the best design of the other.
type Twin struct {
	Task   string `json:"task"`
	Source string `json:"source"`
	// Regret is that of the task on the source's best design, Back that of the
	// source on the task's.
	Regret float64 `json:"regret"`
	Back   float64 `json:"back"`
}

// String is the pair in words.
func (t Twin) String() string {
	return fmt.Sprintf("%s learns nothing of %s: their best designs are within %.2g and %.2g %% of each other's", t.Task, t.Source, 100*t.Regret, 100*t.Back)
}

// LeaveTwins finds the pairs whose regrets are at most within, and returns the
// tasks without these sources. A task that has no other source is left out.
// The answer of a task is looked up once. The error is of that, of the
// evaluator, or for two tasks whose designs are not the same.
func LeaveTwins(ctx context.Context, tasks []*Task, within float64) ([]*Task, []Twin, error) {
	if within <= 0 {
		return tasks, nil, nil
	}
	f := finder{known: map[string]Known{}}
	var kept []*Task
	var twins []Twin
	for _, task := range tasks {
		out := *task
		out.From = nil
		for _, from := range task.From {
			twin, err := f.compare(ctx, task, from.Task)
			if err != nil {
				return nil, nil, fmt.Errorf("compare the best designs of %s and %s: %w", task.Name, from.Task.Name, err)
			}
			if twin.Regret <= within && twin.Back <= within {
				twins = append(twins, twin)
				continue
			}
			out.From = append(out.From, from)
		}
		if len(out.From) > 0 || len(task.From) == 0 {
			kept = append(kept, &out)
		}
	}
	return kept, twins, nil
}

// finder compares tasks, and keeps their answers.
type finder struct{ known map[string]Known }

func (f *finder) compare(ctx context.Context, a, b *Task) (Twin, error) {
	there, err := f.regret(ctx, a, b)
	if err != nil {
		return Twin{}, err
	}
	back, err := f.regret(ctx, b, a)
	return Twin{Task: a.Name, Source: b.Name, Regret: there, Back: back}, err
}

// regret is that of a task on the best design of another; infinite where the
// design is not feasible, or nobody knows it.
func (f *finder) regret(ctx context.Context, on, of *Task) (float64, error) {
	own, err := f.answer(ctx, on)
	if err != nil {
		return 0, err
	}
	other, err := f.answer(ctx, of)
	if err != nil || own.Design == nil || other.Design == nil {
		return math.Inf(1), err
	}
	value, ok, err := on.value(ctx, other.Design)
	if err != nil || !ok {
		return math.Inf(1), err
	}
	return math.Abs(value-own.Best) / math.Abs(own.Best), nil
}

func (f *finder) answer(ctx context.Context, t *Task) (Known, error) {
	if known, ok := f.known[t.Name]; ok {
		return known, nil
	}
	known, err := t.Known(ctx)
	if err == nil {
		f.known[t.Name] = known
	}
	return known, err
}

// value is the objective of a design; ok is false where it is not feasible.
func (t *Task) value(ctx context.Context, design []space.Value) (value float64, ok bool, err error) {
	sp, err := t.Spec.Space()
	if err != nil {
		return 0, false, err
	}
	if _, err := sp.Point(design); err != nil {
		return 0, false, err
	}
	judge, err := events.NewJudge(t.Spec)
	if err != nil {
		return 0, false, err
	}
	r, err := t.Evaluator.Evaluate(ctx, evaluator.Request{Trial: -1, Design: design})
	if err != nil || r.Outcome != evaluator.Measured {
		return 0, false, err
	}
	verdict := judge.Judge(design, &events.TrialResult{Outcome: string(r.Outcome), Values: r.Values})
	return r.Values[t.Spec.MetricIndex(t.Spec.Objectives[0].Metric)], verdict.Feasible, nil
}
