// Package bench runs search strategies on tasks whose answer is known, and says
// which one finds it in fewer trials.
//
// A cell is one task, lane, algorithm and seed. It is an ordinary study: the
// same machine (services/study) proposes and judges it that runs behind the
// message bus, and its trials are an ordinary trial log.
package bench

import (
	"context"

	"apollo/evaluator"
	"apollo/events"
)

// Split says what a task may be used for.
type Split string

const (
	// Development tasks are those that defaults were chosen on.
	Development Split = "development"
	// Test tasks are those that nobody tuned on. Results are reported on them.
	Test Split = "test"
	// Source tasks are there for others to learn from. They are never compared.
	Source Split = "source"
)

// Lane says what the searchers of a task are told for free. It is the same for
// every algorithm in it, and lanes are never mixed in one comparison.
type Lane string

const (
	// KnownArea checks rules and cheap constraints without a trial, as the
	// product does by default.
	KnownArea Lane = "known-area"
	// AllKnown also checks what the evaluator's own rules say: no trial is
	// infeasible.
	AllKnown Lane = "all-known"
	// Paper tells nothing: a design over budget costs a trial, and trial 0 is
	// the baseline design.
	Paper Lane = "paper"
)

// Task is a search problem with a known answer.
type Task struct {
	// Name is unique in its suite, a DNS label: "mobilenetv2-6p8".
	Name string
	// Family groups tasks that know something of each other; a family is in
	// one split as a whole.
	Family string
	Split  Split
	// Spec is the study without what a cell decides (name, seed, algorithm,
	// budget, sources). It is read only.
	Spec *events.Spec
	// Evaluator measures a design; it is safe for concurrent use. Its values
	// are in the order of Spec.Metrics.
	Evaluator evaluator.Evaluator
	// Features are what models of a search see beside the parameters, those of
	// the task's template; may be empty.
	Features []evaluator.Feature
	// Baseline is the design that lane paper starts from; nil where there is none.
	Baseline events.Design
	// From are the tasks that this one may learn from: one search of each, with
	// the same seed, runs before.
	From []Origin
	// True returns the value of a design's objective without noise; nil where the
	// evaluator says it. Regrets are those of the study's answer then, by this value.
	True func(ctx context.Context, design events.Design) (float64, error)
	// Known returns the answer. It may take a while the first time.
	Known func(ctx context.Context) (Known, error)
}

// Origin is a task of a suite.
type Origin struct {
	Suite string
	Task  *Task
	// Refused says that the product must not take it: searches go on without
	// it, and it is an error when it is taken.
	Refused bool
}

// Known is the answer of a task.
type Known struct {
	// Best is the best feasible value of the objective, in the metric's unit
	// (one objective).
	Best float64
	// Design is one of the best designs; nil where none is told.
	Design events.Design
	// Volume is the largest hypervolume known with respect to Reference
	// (several objectives).
	Volume float64
	// Reference is the corner that volumes are measured from: one value per
	// objective, worse than every design that counts, in the metrics' units.
	Reference []float64
	// Scale is what a difference from Best is divided by to make it a regret;
	// 0 means |Best|. It is for tasks whose Best has no meaning as a scale.
	Scale float64
	// Proven says that nothing better exists; otherwise Best or Volume is the
	// best that anybody has found.
	Proven bool
	// Source says how it is known: "certified", "table", "closed form".
	Source string
}

// Suite is a named list of tasks.
type Suite struct {
	Name string
	// Doc is one sentence for people.
	Doc   string
	Lanes []Lane
	// Algorithms, Reference, Trials and Marks are what a comparison consists of
	// unless people say otherwise: labels of contenders, the one that others are
	// measured against, the budget, and the numbers of trials to report. Zero
	// values mean those of the product.
	Algorithms []string
	Reference  string
	Trials     int
	Marks      []int
	// Twins is the regret up to which a task and one that it learns from are
	// twins when each is run on the best design of the other: then there is
	// nothing to transfer, and the pair is left out. 0 keeps all pairs.
	Twins float64
	// Tasks makes the tasks, quickly: every worker process calls it. The error
	// says which file or network is missing.
	Tasks func(Environment) ([]Task, error)
}

// Environment is where suites find what they need.
type Environment struct {
	// Proofs is a data directory for certified optima (services/certify).
	Proofs string
	// Tables are CSV files (.csv, .csv.gz) for the suite of kernels.
	Tables []string
}
