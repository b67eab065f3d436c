package events

import (
	"fmt"

	"apollo/optimizer/space"
)

// BatchRequested is a work item: designs to evaluate, in rows.
type BatchRequested struct {
	Study     string `json:"study"`
	Run       string `json:"run"`
	Batch     int    `json:"batch"`
	Evaluator string `json:"evaluator"`
	// Template and Networks say what to bind the evaluator to.
	Template       string    `json:"template,omitempty"`
	Networks       []Network `json:"networks,omitempty"`
	Metrics        []Metric  `json:"metrics"`
	TimeoutSeconds float64   `json:"timeout_seconds"`
	Attempts       int       `json:"attempts"`
	// Parameters name the columns of Designs.
	Parameters []Column `json:"parameters"`
	// Trials[i] is the trial number of Designs[i].
	Trials  []int    `json:"trials"`
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
	Study            string `json:"study"`
	Run              string `json:"run"`
	Batch            int    `json:"batch"`
	Evaluator        string `json:"evaluator"`
	EvaluatorVersion string `json:"evaluator_version,omitempty"`
	Worker           string `json:"worker,omitempty"`
	// Metrics name the columns of every Values row.
	Metrics []string      `json:"metrics"`
	Trials  []TrialResult `json:"trials"`
}

// TrialResult is the measurement of one trial.
type TrialResult struct {
	Trial   int    `json:"trial"`
	Outcome string `json:"outcome"` // measured | infeasible | failed
	// Values holds one number per metric; null where there is none.
	Values   Numbers            `json:"values,omitempty"`
	Reason   *Reason            `json:"reason,omitempty"`
	Attempts int                `json:"attempts,omitempty"`
	Started  Micros             `json:"started_us,omitempty"`
	Seconds  float64            `json:"seconds,omitempty"`
	Extra    map[string]float64 `json:"extra,omitempty"`
}

// Micros is a point in time as microseconds since the Unix epoch, UTC.
type Micros int64

// Outcomes of a trial, as words on the wire and in the log.
const (
	OutcomeMeasured   = "measured"
	OutcomeInfeasible = "infeasible"
	OutcomeFailed     = "failed"
)

// Reason says why a trial is infeasible or failed, with need and have in Unit.
type Reason struct {
	Code    string  `json:"code"`
	Layer   string  `json:"layer,omitempty"`
	Need    float64 `json:"need,omitempty"`
	Have    float64 `json:"have,omitempty"`
	Unit    string  `json:"unit,omitempty"`
	Message string  `json:"message,omitempty"`
}

// Design is a row of parameter values: numbers, and strings for labels.
type Design []space.Value

// MarshalJSON writes the row as a JSON array.
func (d Design) MarshalJSON() ([]byte, error) {
	return d.append(make([]byte, 0, 12*len(d)+2))
}

// UnmarshalJSON reads a JSON array of numbers and non-empty strings.
func (d *Design) UnmarshalJSON(b []byte) error {
	r := &reader{b: b}
	row := r.appendDesign((*d)[:0])
	if r.end(); r.err != nil {
		return fmt.Errorf("design: %w", r.err)
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
	r := &reader{b: b}
	row := (*n)[:0]
	r.array(func() { row = append(row, r.numberOrNull()) })
	if r.end(); r.err != nil {
		return fmt.Errorf("numbers: %w", r.err)
	}
	*n = row
	return nil
}

// EventType implements Payload.
func (BatchRequested) EventType() string { return "apollo.batch.requested.v1" }

// EventType implements Payload.
func (BatchEvaluated) EventType() string { return "apollo.batch.evaluated.v1" }
