// Package optimizer holds the search strategies of a study: ask for designs,
// tell what was measured.
//
// Every strategy is a pure function of its Problem and of what it was told, in
// order. It reads no clock, does no I/O, starts no goroutine and keeps no
// randomness between asks, so a restart is a replay of the log: Start, then
// Tell everything, then Ask gives the identical proposals.
package optimizer

import (
	"errors"
	"strings"

	"apollo/optimizer/space"
)

// ErrExhausted is returned by Ask when no legal point is left that was neither
// told nor is pending. In a space too large to be searched as a whole Ask may
// return ErrGaveUp instead.
var ErrExhausted = errors.New("no legal design is left that was not tried")

// Problem is what a strategy searches. It is fixed for the life of a study.
type Problem struct {
	// Space is the lattice of designs.
	Space space.Space
	// Seed is the study's seed. All randomness of an ask comes from
	// rand.NewPCG(Seed, at), with Ask's own at.
	Seed uint64
	// Legal reports whether a point passes every check that is free (rules and
	// cheap constraints). It is pure and fast; nil means that all points pass.
	// Strategies propose legal points only. It is called with points of Space
	// and must neither keep nor write them: strategies reuse their memory.
	Legal func(space.Point) bool
	// Settle puts what means nothing in a point to the one level at which it is
	// legal, and changes no other; nil means that all of a point counts. Strategies
	// settle what they draw: of hundreds of levels that mean nothing chance would
	// not meet the legal ones.
	Settle func(space.Point)
	// Features returns derived features of a point for surrogates (parameter
	// arithmetic only). Nil means none. The slice is the caller's to keep.
	Features func(space.Point) []float64
	// Objectives is the number of objectives, all minimised; 0 means 1.
	Objectives int
	// Reference is the worst value of interest of each of several objectives, NaN where
	// none is known; nil where none is. What is worse counts for nothing.
	Reference []float64
	// Noisy says that a design may answer something else when it is measured
	// again. Strategies with a model then learn how much from what is told, also of
	// a design that was told before.
	Noisy bool
	// Baseline is a design that is known to work, where searches with a model
	// begin; nil for none.
	Baseline space.Point
	// Prior holds the trials of related studies, in a pinned order, for
	// strategies that transfer knowledge. Points may belong to other spaces'
	// levels only when Task.Space says so.
	Prior []Task
	// Workload describes what the designs are measured on, for models over
	// several studies: numbers of the same meaning and order as those of every
	// Task.Workload (statistics of a network's layers). Nil means unknown.
	Workload []float64
}

// Task is an earlier study that a strategy may learn from.
type Task struct {
	// Name tells the task apart in origins and reports: "study/run".
	Name string
	// Space is the lattice of Observations.
	Space space.Space
	// Observations are in trial order.
	Observations []Observation
	// Workload is what Problem.Workload is, of the earlier study; nil means
	// unknown.
	Workload []float64
	// Mapped[i] is false where the task knows nothing of parameter i of Space:
	// its points hold a level that was filled in. Nil means that it knows all.
	Mapped []bool
	// Ask returns what the task says of a point of Problem.Space, where it is a
	// model that can be asked for any; nil where it has nothing but Observations,
	// which are a sample of its answers then. It gives the same answer for the same
	// point, in some microseconds to milliseconds. An error means that the model is gone: a
	// strategy's next Ask returns it.
	Ask func(space.Point) (Observation, error)
}

// Status says how a trial ended.
type Status uint8

const (
	// Measured means that all objectives have a value and every constraint holds.
	Measured Status = iota
	// Infeasible means that the design cannot be built or run, or breaks a constraint.
	Infeasible
	// Failed means that the evaluation broke. It says nothing about the design
	// where it has no Cause; with one the design may be why.
	Failed
	// Withheld means that the strategy is not told how it ended. It must not
	// propose the design.
	Withheld
)

// Observation is one finished trial.
type Observation struct {
	// Point is the design. It belongs to the observer: do not write it.
	Point space.Point
	// Status says how the trial ended.
	Status Status
	// Values holds one number per objective, to be minimised, finite. It is
	// set whenever the design was measured, also when it is Infeasible by a
	// constraint; it is nil when there is no measurement.
	Values []float64
	// Violation is how far the design is from meeting its constraints, as the
	// sum of relative excesses; 0 when feasible or unknown.
	Violation float64
	// Cause names what the design broke, or what broke at it, such as the code of
	// an evaluator's reason; "" when feasible, unknown or not the design's doing.
	// Violations of the same cause are comparable.
	Cause string
	// Trial is the number of the trial in this study, or -1 for an observation
	// that came from elsewhere.
	Trial int
	// Origin is the Proposal's, or "" for an observation from elsewhere.
	Origin string
}

// Origins of designs that no strategy proposed; a colon and more may follow.
const (
	// StartOrigin is that of the designs that a study tries first.
	StartOrigin = "start"
	// UserOrigin is that of designs that a user added to be measured.
	UserOrigin = "user"
	// ImportOrigin is that of designs that a user added with their measurement.
	ImportOrigin = "import"
	// ReuseOrigin is that of the best that sources measured.
	ReuseOrigin = "reuse"
)

// Foreign reports whether no strategy proposed the design.
func (o *Observation) Foreign() bool {
	kind, _, _ := strings.Cut(o.Origin, ":")
	return kind == "" || kind == StartOrigin || kind == UserOrigin || kind == ImportOrigin || kind == ReuseOrigin
}

// Proposal is one design to try.
type Proposal struct {
	// Point is the caller's to keep.
	Point space.Point
	// Origin says who proposed it: the strategy, or the member of an ensemble.
	Origin string
	// Parents are the trials it was derived from, for the log; may be nil.
	Parents []int
}

// Algorithm is a strategy's configuration. Its exported fields are its knobs,
// and its zero value means the published default.
type Algorithm interface {
	// Start checks the configuration and returns a fresh strategy. The error
	// names the field that is out of range.
	Start(Problem) (Strategy, error)
}

// Strategy is one running search. It is used by one goroutine at a time.
type Strategy interface {
	// Ask returns 1 to n new legal points. They are distinct from each other,
	// from every told point and from pending (proposed, not yet told). at is
	// the number of trials proposed before this ask and selects the random
	// stream. When fewer than n such points are left it returns those; when
	// none is, ErrExhausted, or ErrGaveUp when a bounded search of a very large
	// space met none, and may then also return fewer than there are. Ask changes
	// nothing that a later Ask can see, and keeps nothing of pending.
	Ask(at uint64, n int, pending []space.Point) ([]Proposal, error)
	// Tell adds finished trials in order, also ones that it never proposed.
	// Points are told at most once by a study, unless the problem is Noisy, but a
	// repeat does no harm, nor does a point that does not belong to the space. How a sequence is cut into
	// calls makes no difference. The slices remain the caller's, who may reuse
	// them after the call: a strategy copies what it keeps.
	Tell(obs ...Observation)
}
