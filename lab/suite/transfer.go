package suite

import (
	"strings"

	"apollo/lab/bench"
)

// Labels of the contenders of suites of transfer.
const (
	withSources    = "default"
	withoutSources = "default-alone"
)

// twins is within what two networks are from each other's optimum when nothing
// is left to transfer between them.
const twins = 0.02

// harmMarks are the numbers of trials after which sources may have done harm.
func harmMarks() []int { return []int{10, 20, 40, 100} }

// learning is a task that learns from others, under a name of its own.
func learning(target *bench.Task, name string, from ...bench.Origin) bench.Task {
	t := *target
	t.Name, t.From = name, from
	return t
}

// nameParts splits the name of a task of the suite apollo: "mobilenetv2-6p8".
func nameParts(task *bench.Task) (network, budget string) {
	network, budget, _ = strings.Cut(task.Name, "-")
	return network, budget
}

// transferBudgetsSuite learns from the same network under another budget.
func transferBudgetsSuite() bench.Suite {
	return bench.Suite{
		Name:  "transfer-budgets",
		Doc:   "The suite apollo, each task with what a search of the same network under another area budget left: every ordered pair, source first.",
		Lanes: []bench.Lane{bench.KnownArea}, Algorithms: []string{withSources, withoutSources}, Reference: withoutSources,
		Trials: 50, Marks: []int{5, 10, 20, 40, 50},
		Tasks: func(env bench.Environment) ([]bench.Task, error) {
			all, err := apolloTasks(env)
			if err != nil {
				return nil, err
			}
			var out []bench.Task
			for i := range all {
				network, budget := nameParts(&all[i])
				for k := range all {
					if other, from := nameParts(&all[k]); other == network && from != budget {
						out = append(out, learning(&all[i], network+"-"+from+"-to-"+budget, bench.Origin{Suite: "apollo", Task: &all[k]}))
					}
				}
			}
			return out, nil
		},
	}
}

// others are the tasks of the other networks under a task's budget.
func others(target *bench.Task, all []bench.Task) []bench.Origin {
	var from []bench.Origin
	network, budget := nameParts(target)
	for k := range all {
		if other, b := nameParts(&all[k]); other != network && b == budget {
			from = append(from, bench.Origin{Suite: "apollo", Task: &all[k]})
		}
	}
	return from
}

// leaveOneOut is every task of the suite apollo with the other networks under
// the same budget as its sources.
func leaveOneOut(env bench.Environment) ([]bench.Task, error) {
	all, err := apolloTasks(env)
	if err != nil {
		return nil, err
	}
	var out []bench.Task
	for i := range all {
		out = append(out, learning(&all[i], all[i].Name, others(&all[i], all)...))
	}
	return out, nil
}

// transferNetworksSuite learns from the six other networks.
func transferNetworksSuite() bench.Suite {
	return bench.Suite{
		Name:  "transfer-networks",
		Doc:   "The suite apollo, each task with what searches of the six other networks under the same area budget left, without its twins.",
		Lanes: []bench.Lane{bench.KnownArea}, Algorithms: []string{withSources, withoutSources}, Reference: withoutSources,
		Trials: 100, Marks: harmMarks(), Twins: twins,
		Tasks: leaveOneOut,
	}
}

// transferZeroShotSuite proposes for a network that was never seen.
func transferZeroShotSuite() bench.Suite {
	return bench.Suite{
		Name:  "transfer-zero-shot",
		Doc:   "The first ten proposals for a network that was never seen, from searches of the six others under the same area budget, without its twins.",
		Lanes: []bench.Lane{bench.KnownArea}, Algorithms: []string{"default-zero-shot", withSources, "random-alone"}, Reference: "random-alone",
		Trials: 10, Marks: []int{1, 5, 10}, Twins: twins,
		Tasks: leaveOneOut,
	}
}

// transferKernelsSuite learns from the same kernel on another machine.
func transferKernelsSuite() bench.Suite {
	return bench.Suite{
		Name:  "transfer-kernels",
		Doc:   "The suite kernels, each table with what a search of another one left: every ordered pair, source first.",
		Lanes: []bench.Lane{bench.KnownArea}, Algorithms: []string{withSources, withoutSources}, Reference: withoutSources,
		Trials: 100, Marks: harmMarks(),
		Tasks: func(env bench.Environment) ([]bench.Task, error) {
			all, err := kernelsTasks(env)
			if err != nil {
				return nil, err
			}
			var out []bench.Task
			for i := range all {
				for k := range all {
					if i != k {
						out = append(out, learning(&all[i], all[k].Name+"-to-"+all[i].Name, bench.Origin{Suite: "kernels", Task: &all[k]}))
					}
				}
			}
			return out, nil
		},
	}
}
