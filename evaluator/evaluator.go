// Package evaluator is the contract between a study and what measures its
// designs: the built-in cost model, an external program, or a user's own code.
package evaluator

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"apollo/evaluator/workload"
	"apollo/optimizer/space"
)

// Metric is one number that an evaluator measures.
type Metric struct {
	// Name ends in its unit: "latency_s", "area_mm2", "energy_j".
	Name string
	// Unit is the unit of every value, "s", "mm2", "J".
	Unit string
	// Cheap metrics are computed by Check without an evaluation.
	Cheap bool
	// Generation metrics are measured only where a network generates tokens. They
	// stand behind those of every network.
	Generation bool
	// Asked metrics are measured only where Task.Metrics has them, of all networks or of
	// one. They stand behind all others.
	Asked bool
}

// Description says what an evaluator is and measures.
type Description struct {
	// Name and Version go into every row of the log.
	Name, Version string
	// Metrics are in the order of Result.Values, which has those of Of. Empty means that the
	// evaluator measures what Task.Metrics asks for, in that order.
	Metrics []Metric
	// Deterministic evaluators give the same outcome for the same design.
	Deterministic bool
	// MaxBatch is the largest number of designs in one work item; 0 means any.
	MaxBatch int
}

// Of returns the metrics that every task with these networks has, a beginning of
// Metrics.
func (d *Description) Of(networks []Network) []Metric {
	generates := slices.ContainsFunc(networks, func(n Network) bool { return n.Workload != nil && n.Workload.Decode != nil })
	return slices.DeleteFunc(slices.Clone(d.Metrics), func(m Metric) bool { return m.Asked || m.Generation && !generates })
}

// OnRequest returns the metrics that a task has because it asks for them: Asked ones
// of all networks.
func (d *Description) OnRequest(wanted []Metric) (list []Metric) {
	for _, m := range d.Metrics {
		if m.Asked && slices.ContainsFunc(wanted, func(w Metric) bool { return w.Name == m.Name }) {
			list = append(list, m)
		}
	}
	return list
}

// For returns the metrics of Result.Values for a task: those of Of, and behind them
// those on request, those of its choice and the metrics of single networks that the
// task asks for.
func (d *Description) For(t Task) []Metric {
	if len(d.Metrics) == 0 {
		return t.Metrics
	}
	all := append(d.Of(t.Networks), d.OnRequest(t.Metrics)...)
	if t.Choice != nil {
		all = slices.Concat(all, t.Choice.Metrics)
	}
	for _, m := range t.Metrics {
		if strings.Contains(m.Name, ".") && !slices.ContainsFunc(all, func(o Metric) bool { return o.Name == m.Name }) {
			all = append(slices.Clip(all), m)
		}
	}
	return all
}

// Task is what stays the same for all designs of a study.
type Task struct {
	// Params are the parameters of Request.Design, in order, with their units.
	Params []space.Param
	// Networks are the workload with their weights; may be empty for
	// evaluators that need none.
	Networks []Network
	// Choice is set where a design runs one of the networks, and Params has the
	// parameters that choose it; nil where it runs all of them.
	Choice *Choice
	// MapperGoal is what mappers of layers minimise; "" is MapLatency. Only the
	// templates of this build read it.
	MapperGoal MapperGoal
	// Metrics are what the study wants. A backend whose Description lists none,
	// an external program that does not describe itself, answers these, in this
	// order. Templates find those on request among them, and those of single networks,
	// such as "latency_s.mobilenet_v2", and leave the others.
	Metrics []Metric
}

// MapperGoal is what a mapper minimises over a network.
type MapperGoal string

// The goals.
const (
	MapLatency     MapperGoal = "latency"
	MapEnergy      MapperGoal = "energy"
	MapEnergyDelay MapperGoal = "energy_delay"
)

// MapperGoals lists the goals, the default first.
func MapperGoals() []MapperGoal { return []MapperGoal{MapLatency, MapEnergy, MapEnergyDelay} }

// Network is one network of a workload with its weight in the geometric mean.
type Network struct {
	Workload *workload.Workload
	Weight   float64 // > 0
	// Accuracy is what the network is stated to reach, in percent; 0 means that
	// nobody says.
	Accuracy float64
	// Family is set where the network stands for a family that is searched: Workload
	// is the family's own network.
	Family *Family
}

// ErrChanged is wrapped by the errors of an evaluator that is no longer what it
// was when it was opened, because its program was edited: what it would measure
// belongs to another study. Nothing was measured.
var ErrChanged = errors.New("the evaluator has changed")

// Backend makes evaluators for tasks. Implementations are safe for concurrent use.
type Backend interface {
	Describe() Description
	// New binds the backend to a task. The error says what the task lacks: a
	// parameter, a network, a unit.
	New(Task) (Evaluator, error)
}

// Request is one design to evaluate.
type Request struct {
	// Study and Trial identify the trial, for external programs and logs.
	Study, Run string
	Trial      int
	// Attempt counts from 1 the tries at this design of which Attempts are made
	// at most; both are 0 where nobody counts.
	Attempt, Attempts int
	// Seed and Limits are the study's: what its constraints allow. Deterministic
	// says that the study takes the same answer for granted when it asks again.
	Seed          uint64
	Limits        []Limit
	Deterministic bool
	// Progress is told how far an evaluation is, on the goroutine that asked; nil
	// for nobody. Only external programs say it.
	Progress func(Progress)
	// Watched is the metric whose values an evaluation may report on its way, step by
	// step; "" where nobody listens. Reports is called whenever an evaluation begins,
	// and what it returns is told the values, on the goroutine that asked: it returns
	// why the evaluation is to end as Stopped, or nil.
	Watched string
	Reports func() func(step int64, value float64) *Reason
	// LeftOut is told why an intermediate value or an artifact was not kept, on the same goroutine; nil for nobody.
	LeftOut func(Reason)
	// Design holds one value per Task.Params. It is read only.
	Design []space.Value
}

// Limit is a constraint of the study: the metric must be at most Max and at
// least Min where they are set.
type Limit struct {
	Metric string   `json:"metric"`
	Max    *float64 `json:"max,omitempty"`
	Min    *float64 `json:"min,omitempty"`
}

// Progress is a word from an evaluation that goes on.
type Progress struct {
	// Done is the share that is done, 0 to 1; negative where nobody knows.
	Done float64
	// Message is one line for people; may be empty.
	Message string
}

// Outcome says how an evaluation ended.
type Outcome string

const (
	// Measured means that every metric has a value.
	Measured Outcome = "measured"
	// Infeasible means that the design cannot run the workload; Reason says why. Cheap
	// metrics may still have values.
	Infeasible Outcome = "infeasible"
	// Failed means that the evaluation broke; Reason says how.
	Failed Outcome = "failed"
	// Stopped means that Request.Reports ended the evaluation; Reason is what it said.
	Stopped Outcome = "stopped"
)

// Result is the answer to a Request.
type Result struct {
	Outcome Outcome
	// Values holds one value per metric of the task (Description.Of). NaN marks
	// one that was not measured (only when Outcome is not Measured).
	Values []float64
	// Reason is set when Outcome is not Measured.
	Reason *Reason
	// Extra holds named additional numbers with units in their names, for
	// example "latency_s.mobilenet_v2"; may be nil.
	Extra []Extra
	// Final marks a failure that would be the same if the design were tried again.
	Final bool
}

// Extra is one additional named number of a result.
type Extra struct {
	Name  string
	Value float64
}

// Reason says why a design is infeasible or an evaluation failed, with what
// the design would need and what it has, in Unit.
type Reason struct {
	// Code is a short stable snake_case word, for example "core_memory".
	Code string
	// Layer is the layer that decides, as "network/layer" or "layer"; "" when
	// the whole network or no layer does.
	Layer string
	// Need and Have are in Unit; both 0 when they mean nothing.
	Need, Have float64
	Unit       string
	// Message is one sentence for people, with the smallest change that would
	// help.
	Message string
}

// Evaluator evaluates designs of one task. It is safe for concurrent use.
type Evaluator interface {
	// Evaluate measures one design. Infeasible designs and broken evaluations
	// are results; the error is for a lost machine or a cancelled context and
	// means that the design was not judged and may be tried again.
	Evaluate(ctx context.Context, r Request) (Result, error)
}

// Limited is implemented by evaluators that keep the time limit of a design
// themselves, because only they know when its evaluation begins: a program that
// ended for an older reason is started again, and begins anew.
type Limited interface {
	// EvaluateWithin is Evaluate with a limit of each beginning, 0 for none, in
	// place of a deadline of ctx. Before it begins anew it calls lost, on the
	// same goroutine, with what ended the beginning before.
	EvaluateWithin(ctx context.Context, limit time.Duration, r Request, lost func(Reason)) (Result, error)
}

// Checker is implemented by evaluators that can compute their cheap metrics
// without an evaluation.
type Checker interface {
	// Check writes the value of every cheap metric into dst, which is in the order
	// of Description.Metrics and has at least those of the task; other entries
	// become NaN. It is pure and fast, and allocates nothing.
	Check(design []space.Value, dst []float64)
}

// Template is a named design space with the backend that evaluates it.
type Template struct {
	// Name is what studies write: "edge".
	Name string
	// Doc is one paragraph for people: what is modelled, source of the values.
	Doc string
	// Params are the parameters in order, with units; ParamDocs has one
	// sentence for each.
	Params    []space.Param
	ParamDocs []string
	// When has the condition of each parameter, "" for none: where it is false the
	// parameter means nothing and stays at its first level. Nil means no conditions.
	When []string
	// Features are numbers derived from the parameters that models of a search
	// see beside them; may be empty.
	Features []Feature
	// Baseline is the design that gains are measured against.
	Baseline []space.Value
	// Backend measures the template's designs.
	Backend Backend
}
