package events

import (
	"fmt"

	"apollo/optimizer/space"
)

// BatchRequested is a work item: designs to evaluate, in rows.
type BatchRequested struct {
	Study string `json:"study"`
	Run   string `json:"run"`
	// Batch counts from 0 in a run.
	Batch int `json:"batch" jsonschema:"minimum=0"`
	// Evaluator is who must answer, a DNS label.
	Evaluator string `json:"evaluator"`
	// Identity is the only one whose answer counts; without it anybody's does
	// who works for Evaluator. A worker that is another one gives the item back.
	Identity *Identity `json:"identity,omitempty"`
	// Template and Networks say what to bind the evaluator to.
	Template string    `json:"template,omitempty"`
	Networks []Network `json:"networks,omitempty"`
	// Search "one" says that a design runs one of Networks, the one that its
	// parameter "network" names; without it a design runs all of them.
	Search string `json:"search,omitempty" jsonschema:"enum=one"`
	// MapperGoal is what mappers of the template minimise; without it latency.
	MapperGoal string `json:"mapper_goal,omitempty" jsonschema:"enum=latency,enum=energy,enum=energy_delay"`
	// Metrics are what must be measured, with their units.
	Metrics []Metric `json:"metrics"`
	// TimeoutSeconds bounds one design's evaluation; 0 means no bound.
	TimeoutSeconds float64 `json:"timeout_seconds" jsonschema:"minimum=0"`
	// Attempts is how often one design is tried before it is failed.
	Attempts int `json:"attempts" jsonschema:"minimum=0"`
	// Seed is the study's, Limits are its constraints, and Deterministic says what
	// it says of its evaluator: for programs of the user, which get them with
	// every question.
	Seed          uint64       `json:"seed,omitempty"`
	Limits        []Constraint `json:"limits,omitempty"`
	Deterministic bool         `json:"deterministic,omitempty"`
	// EarlyStop is set where the study stops hopeless evaluations.
	EarlyStop *Stopping `json:"early_stop,omitempty"`
	// Parameters name the columns of Designs.
	Parameters []Column `json:"parameters"`
	// Trials[i] is the trial number of Designs[i].
	Trials []int `json:"trials"`
	// Designs are rows of values, in the order of Parameters.
	Designs []Design `json:"designs"`
}

// Column names a parameter and its unit.
type Column struct {
	Name string `json:"name"`
	Unit string `json:"unit,omitempty"`
}

// BatchEvaluated is the answer to a work item, one entry per design that was
// sent, in the same order. A batch whose designs were all known already has an
// empty one, said by the proposer.
type BatchEvaluated struct {
	// Study, Run, Batch and Evaluator are those of the work item.
	Study     string `json:"study"`
	Run       string `json:"run"`
	Batch     int    `json:"batch" jsonschema:"minimum=0"`
	Evaluator string `json:"evaluator"`
	// EvaluatorVersion goes into the log beside every trial.
	EvaluatorVersion string `json:"evaluator_version,omitempty"`
	// Program is the digest of the user's program that measured; with the
	// version it is the identity of who answers.
	Program string `json:"program,omitempty"`
	// Worker names the process that answered, for people.
	Worker string `json:"worker,omitempty"`
	// Metrics name the columns of every Values row.
	Metrics []string `json:"metrics"`
	// Trials has one entry per trial of the work item, in its order.
	Trials []TrialResult `json:"trials"`
}

// TrialResult is the measurement of one trial.
type TrialResult struct {
	// Trial is the number from the work item.
	Trial int `json:"trial" jsonschema:"minimum=0"`
	// Outcome is measured (every metric has a value), infeasible (the design
	// cannot run the workload), failed (the evaluation broke) or, of a work item
	// with early_stop, stopped (it was worse than others at the same step).
	Outcome string `json:"outcome" jsonschema:"enum=measured,enum=infeasible,enum=failed,enum=stopped"`
	// Values holds one number per metric; null where there is none.
	Values Numbers `json:"values,omitempty"`
	// Reason says why the outcome is not measured.
	Reason *Reason `json:"reason,omitempty"`
	// Attempts is how often the design was tried.
	Attempts int `json:"attempts,omitempty" jsonschema:"minimum=0"`
	// Started is when the last attempt began; no logic rests on it.
	Started Micros `json:"started_us,omitempty"`
	// Seconds is how long the last attempt took.
	Seconds float64 `json:"seconds,omitempty" jsonschema:"minimum=0"`
	// Extra holds named additional numbers with units in their names.
	Extra map[string]float64 `json:"extra,omitempty"`
	// LastError says why the attempt before the last failed; absent when there
	// was one attempt alone. Why the last one did is in Reason.
	LastError *LastError `json:"last_error,omitempty"`
	// Intermediate are values of the metric of early_stop that the last attempt
	// reported; of a stopped trial the last one is what it was stopped for.
	Intermediate *Curve `json:"intermediate,omitempty"`
}

// LastError says why an attempt at a trial failed.
type LastError struct {
	// Code and Message are those of a Reason.
	Code    string `json:"code"`
	Message string `json:"message,omitempty"`
}

// LastFailure returns why the last attempt that failed did, or nil.
func (t *TrialResult) LastFailure() *LastError {
	if t.Outcome == OutcomeFailed && t.Reason != nil {
		return &LastError{t.Reason.Code, t.Reason.Message}
	}
	return t.LastError
}

// Micros is a point in time as microseconds since the Unix epoch, UTC.
type Micros int64

// Outcomes of a trial, as words on the wire and in the log.
const (
	OutcomeMeasured   = "measured"
	OutcomeInfeasible = "infeasible"
	OutcomeFailed     = "failed"
	OutcomeStopped    = "stopped"
)

// IsOutcome reports whether a word is one of the outcomes.
func IsOutcome(word string) bool {
	switch word {
	case OutcomeMeasured, OutcomeInfeasible, OutcomeFailed, OutcomeStopped:
		return true
	}
	return false
}

// Reason says why a trial is infeasible or failed, with need and have in Unit.
type Reason struct {
	// Code is a short stable snake_case word.
	Code string `json:"code"`
	// Layer is the layer that decides, "network/layer".
	Layer string `json:"layer,omitempty"`
	// Need and Have are in Unit; both absent when they mean nothing.
	Need float64 `json:"need,omitempty"`
	Have float64 `json:"have,omitempty"`
	Unit string  `json:"unit,omitempty"`
	// Message is one sentence for people.
	Message string `json:"message,omitempty"`
}

// Design is a row of parameter values: numbers, and strings for labels.
type Design []space.Value

// MarshalJSON writes the row as a JSON array.
func (d Design) MarshalJSON() ([]byte, error) {
	return d.append(make([]byte, 0, 12*len(d)+2))
}

// UnmarshalJSON reads a JSON array of numbers and non-empty strings.
func (d *Design) UnmarshalJSON(b []byte) error {
	r := newReader(b)
	row := r.appendDesign((*d)[:0])
	if r.End(); r.Err != nil {
		return fmt.Errorf("design: %w", r.Err)
	}
	*d = row
	return nil
}

// Numbers is a row of numbers; NaN is null on the wire.
type Numbers []float64

// MarshalJSON writes the row as a JSON array.
func (n Numbers) MarshalJSON() ([]byte, error) {
	return n.append(make([]byte, 0, 20*len(n)+2))
}

// UnmarshalJSON reads a JSON array of numbers and nulls.
func (n *Numbers) UnmarshalJSON(b []byte) error {
	r := newReader(b)
	row := (*n)[:0]
	r.Array(func() { row = append(row, r.NumberOrNull()) })
	if r.End(); r.Err != nil {
		return fmt.Errorf("numbers: %w", r.Err)
	}
	*n = row
	return nil
}

// EventType implements Payload.
func (BatchRequested) EventType() string { return "apollo.batch.requested.v1" }

// EventType implements Payload.
func (BatchEvaluated) EventType() string { return "apollo.batch.evaluated.v1" }
