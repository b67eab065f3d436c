package optimizer_test

import (
	"testing"

	"apollo/optimizer"
	"apollo/optimizer/optimizertest"
)

func TestRandomKeepsTheContract(t *testing.T) {
	t.Parallel()
	optimizertest.Run(t, optimizer.Random{}, optimizertest.Options{
		Large:     20_000,
		NotBetter: map[string]string{"*": "it is random search"},
	})
}

func TestEvolutionKeepsTheContract(t *testing.T) {
	t.Parallel()
	optimizertest.Run(t, optimizer.Evolution{}, optimizertest.Options{})
}

func TestGAKeepsTheContract(t *testing.T) {
	t.Parallel()
	optimizertest.Run(t, optimizer.GA{}, optimizertest.Options{})
}

func TestExploreKeepsTheContract(t *testing.T) {
	t.Parallel()
	o := optimizertest.Options{Programs: 60, Large: 3000, NotBetter: map[string]string{"*": "it covers, and looks for no best design"}}
	optimizertest.Run(t, optimizer.Explore{}, o)
	optimizertest.RunFronts(t, optimizer.Explore{}, o)
	few := optimizertest.Options{Programs: 20, Large: 500, NotBetter: o.NotBetter}
	optimizertest.Run(t, optimizer.Explore{Walk: true}, few)
	optimizertest.Run(t, optimizer.Explore{Policy: optimizer.PredictedPolicy(), Candidates: 6}, few)
}

func TestNAASKeepsTheContract(t *testing.T) {
	t.Parallel()
	optimizertest.Run(t, optimizer.NAAS{}, optimizertest.Options{})
}

func TestSobolKeepsTheContract(t *testing.T) {
	t.Parallel()
	optimizertest.Run(t, optimizer.Sobol{}, optimizertest.Options{
		Trials:    100,
		NotBetter: map[string]string{"*": "it does not learn"},
	})
}

func TestTPEKeepsTheContract(t *testing.T) {
	t.Parallel()
	optimizertest.Run(t, optimizer.TPE{}, optimizertest.Options{Programs: 40, Trials: 80, Seeds: 5, Large: 2000})
}

func TestGPBanditKeepsTheContract(t *testing.T) {
	t.Parallel()
	o := small()
	o.Judged = some()
	o.NotBetter["budget"] = "all infeasible trials have one label, and few of so short a study are feasible"
	optimizertest.Run(t, optimizer.GPBandit{Limit: 40, Pool: 24}, o)
}

func TestGPKeepsTheContract(t *testing.T) {
	t.Parallel()
	o := small()
	o.Judged = easy() // TestDefaultBeatsGeneticSearch demands more of the others
	optimizertest.Run(t, optimizer.GP{Limit: 40, Pool: 24}, o)
}

// some names problems of every kind, for strategies that take long.
func some() []string {
	return []string{"rosenbrock", "trap", "mixed", "budget", "conditional", "accelerator"}
}

// small fits the suite to strategies that take milliseconds a proposal; they
// have limits that such short studies reach.
func small() optimizertest.Options {
	return optimizertest.Options{Programs: 4, Trials: 32, Seeds: 2, Large: 300, NotBetter: map[string]string{}}
}

func TestMBOKeepsTheContract(t *testing.T) {
	t.Parallel()
	o := small()
	// Two seeds decide by chance.
	o.Trials, o.Seeds, o.Judged = 40, 5, []string{"rosenbrock"}
	optimizertest.Run(t, optimizer.MBO{Initial: 10, Generations: 5}, o)
}

func TestP3BOKeepsTheContract(t *testing.T) {
	t.Parallel()
	optimizertest.Run(t, optimizer.P3BO{Members: []string{"ga", "tpe", "evolution"}}, optimizertest.Options{Programs: 30, Trials: 80, Seeds: 5, Large: 1000})
}

func TestP3BOAdaptiveKeepsTheContract(t *testing.T) {
	t.Parallel()
	a := optimizer.P3BOAdaptive{P3BO: optimizer.P3BO{Members: []string{"ga", "tpe", "evolution"}}, Generation: 2}
	optimizertest.Run(t, a, optimizertest.Options{Programs: 30, Trials: 80, Seeds: 5, Large: 1000})
}
