// Package suite holds the tasks that search strategies are compared on: a
// suite a file.
//
// Adding one is one file with a function that returns its bench.Suite, and one
// row of All. Tasks are made quickly and evaluated when asked; what is costly
// to know, a proven optimum, is found when Known is called, and kept on disk
// where the environment names a place.
package suite

import (
	"slices"

	"apollo/evaluator"
	"apollo/events"
	"apollo/lab/bench"
	"apollo/optimizer/space"
)

// All returns the suites in the order in which people read them.
func All() []bench.Suite {
	return []bench.Suite{
		apolloSuite(),
		templatesSuite(),
		kernelsSuite(),
		bbobSuite(),
		multiSuite(),
		troubleSuite(),
		oddSuite(),
		kernelsStartsSuite(),
		transferBudgetsSuite(),
		transferNetworksSuite(),
		transferKernelsSuite(),
		transferAdversarialSuite(),
		transferZeroShotSuite(),
	}
}

// version changes with every change that can change a number of the tasks
// whose evaluators are in this package.
const version = "1"

// The patience of a study file: seconds for one design, attempts, and failures
// in a row. No task of this package comes near.
const (
	patienceSeconds = 30
	attempts        = 3
	failuresInARow  = 20
)

// declared is a study over parameters of its own.
func declared(evaluatorName string, params []space.Param, metrics []events.Metric, objectives ...string) *events.Spec {
	s := &events.Spec{
		Metrics: metrics, KnownConstraints: "checked", Order: "strict", Duplicates: "reuse",
		Evaluator: events.EvaluatorSpec{
			Name: evaluatorName, Version: version, TimeoutSeconds: patienceSeconds, Attempts: attempts, Deterministic: true,
			MaxFailures: failuresInARow,
		},
	}
	for _, p := range params {
		s.Parameters = append(s.Parameters, events.Parameter{Name: p.Name, Unit: p.Unit, Values: p.Values, Labels: p.Labels})
	}
	for _, o := range objectives {
		s.Objectives = append(s.Objectives, events.Objective{Metric: o, Goal: "minimize"})
	}
	return s
}

// atMost bounds a metric from above.
func atMost(metric string, limit float64) events.Constraint {
	return events.Constraint{Metric: metric, Max: &limit}
}

// described returns an evaluator's metrics as a study names them.
func described(d evaluator.Description) []events.Metric {
	var metrics []events.Metric
	for _, m := range d.Of(nil) {
		metrics = append(metrics, events.Metric{Name: m.Name, Unit: m.Unit, Cheap: m.Cheap})
	}
	return metrics
}

// split is Development for the families that are named, Test for others.
func split(family string, development ...string) bench.Split {
	if slices.Contains(development, family) {
		return bench.Development
	}
	return bench.Test
}
