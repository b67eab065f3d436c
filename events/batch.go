package events

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"

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
	b := append(make([]byte, 0, 12*len(d)+2), '[')
	for i, v := range d {
		if i > 0 {
			b = append(b, ',')
		}
		if v.Label != "" {
			q, err := json.Marshal(v.Label)
			if err != nil {
				return nil, err
			}
			b = append(b, q...)
			continue
		}
		if math.IsNaN(v.Num) || math.IsInf(v.Num, 0) {
			return nil, fmt.Errorf("value %d of the design is not a finite number", i)
		}
		b = strconv.AppendFloat(b, v.Num, 'g', -1, 64)
	}
	return append(b, ']'), nil
}

// UnmarshalJSON reads a JSON array of numbers and strings.
func (d *Design) UnmarshalJSON(b []byte) error {
	*d = (*d)[:0]
	return eachElement(b, func(e []byte) error {
		if e[0] == '"' {
			var s string
			if err := json.Unmarshal(e, &s); err != nil {
				return err
			}
			*d = append(*d, space.Value{Label: s})
			return nil
		}
		f, err := strconv.ParseFloat(string(e), 64)
		if err != nil {
			return fmt.Errorf("a design holds numbers and strings, not %s", e)
		}
		*d = append(*d, space.Value{Num: f})
		return nil
	})
}

// Numbers is a row of numbers; NaN is null on the wire.
type Numbers []float64

// MarshalJSON writes the row as a JSON array.
func (n Numbers) MarshalJSON() ([]byte, error) {
	b := append(make([]byte, 0, 20*len(n)+2), '[')
	for i, f := range n {
		if i > 0 {
			b = append(b, ',')
		}
		switch {
		case math.IsNaN(f):
			b = append(b, "null"...)
		case math.IsInf(f, 0):
			return nil, fmt.Errorf("number %d is infinite", i)
		default:
			b = strconv.AppendFloat(b, f, 'g', -1, 64)
		}
	}
	return append(b, ']'), nil
}

// UnmarshalJSON reads a JSON array of numbers and nulls.
func (n *Numbers) UnmarshalJSON(b []byte) error {
	*n = (*n)[:0]
	return eachElement(b, func(e []byte) error {
		if string(e) == "null" {
			*n = append(*n, math.NaN())
			return nil
		}
		f, err := strconv.ParseFloat(string(e), 64)
		if err != nil {
			return fmt.Errorf("a row holds numbers and null, not %s", e)
		}
		*n = append(*n, f)
		return nil
	})
}

// eachElement splits a flat JSON array that encoding/json has already found to
// be well formed; nested arrays and objects are refused.
func eachElement(b []byte, f func([]byte) error) error {
	b = bytes.TrimSpace(b)
	if len(b) < 2 || b[0] != '[' {
		return fmt.Errorf("want an array, not %s", b)
	}
	for b = bytes.TrimSpace(b[1:]); len(b) > 0 && b[0] != ']'; {
		n := 0
		switch b[0] {
		case '"':
			for n = 1; n < len(b) && b[n] != '"'; n++ {
				if b[n] == '\\' {
					n++
				}
			}
			n++
		case '[', '{':
			return fmt.Errorf("want a flat array")
		default:
			for n < len(b) && b[n] != ',' && b[n] != ']' {
				n++
			}
		}
		if n > len(b) {
			return fmt.Errorf("unterminated array")
		}
		if err := f(bytes.TrimSpace(b[:n])); err != nil {
			return err
		}
		b = bytes.TrimSpace(b[n:])
		if len(b) > 0 && b[0] == ',' {
			b = bytes.TrimSpace(b[1:])
		}
	}
	return nil
}

// EventType implements Payload.
func (BatchRequested) EventType() string { return "apollo.batch.requested.v1" }

// EventType implements Payload.
func (BatchEvaluated) EventType() string { return "apollo.batch.evaluated.v1" }
