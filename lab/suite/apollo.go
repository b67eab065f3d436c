package suite

import (
	"context"

	"apollo/evaluator/edge"
	"apollo/lab/bench"
)

// budgets are the three area limits of the paper's comparison.
func budgets() []struct {
	name    string
	areaMM2 float64
} {
	return []struct {
		name    string
		areaMM2 float64
	}{{"4p8", 4.8}, {"5p8", 5.8}, {"6p8", 6.8}}
}

// apolloSuite is the product's own problem.
func apolloSuite() bench.Suite {
	return bench.Suite{
		Name:  "apollo",
		Doc:   "Seven networks under three area budgets on the template edge: ten parameters, 452,760,000 designs, optima proven.",
		Lanes: []bench.Lane{bench.KnownArea, bench.AllKnown, bench.Paper},
		Tasks: apolloTasks,
	}
}

func apolloTasks(env bench.Environment) ([]bench.Task, error) {
	t := edge.Spec().Template()
	var tasks []bench.Task
	for _, n := range networks() {
		for _, b := range budgets() {
			task, err := n.task(&t, n.short+"-"+b.name, b.areaMM2)
			if err != nil {
				return nil, err
			}
			spec, ev := task.Spec, task.Evaluator
			task.Known = func(ctx context.Context) (bench.Known, error) {
				return certified(ctx, env.Proofs, spec, ev, t.Backend.Describe())
			}
			tasks = append(tasks, task)
		}
	}
	return tasks, nil
}
