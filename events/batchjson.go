package events

import (
	"slices"

	"apollo/optimizer/space"
)

// The three types that carry designs are read by hand, see reader.

func decodeBatchRequested(r *reader) Payload {
	var v BatchRequested
	start := r.Pos
	r.Object(func(key []byte) {
		switch string(key) {
		case "study":
			v.Study = r.Str()
		case "run":
			v.Run = r.Str()
		case "batch":
			v.Batch = r.Int()
		case "evaluator":
			v.Evaluator = r.Str()
		case "identity":
			v.Identity = r.identity()
		case "template":
			v.Template = r.Str()
		case "mapper_goal":
			v.MapperGoal = r.Str()
		case "networks":
			r.Std(&v.Networks)
		case "search":
			v.Search = r.Str()
		case "metrics":
			r.Std(&v.Metrics)
		case "timeout_seconds":
			v.TimeoutSeconds = r.Float()
		case "attempts":
			v.Attempts = r.Int()
		case "seed":
			r.Std(&v.Seed)
		case "limits":
			r.Std(&v.Limits)
		case "deterministic":
			r.Std(&v.Deterministic)
		case "early_stop":
			r.Std(&v.EarlyStop)
		case "parameters":
			v.Parameters = list(r, v.Parameters[:0], (*reader).column)
		case "trials":
			v.Trials = list(r, v.Trials[:0], (*reader).Int)
		case "designs":
			v.Designs = r.designs()
		default:
			r.Skip()
		}
	})
	if len(v.Trials) != len(v.Designs) {
		r.FailAt(start, "%d trials for %d designs", len(v.Trials), len(v.Designs))
	}
	for i, d := range v.Designs {
		if len(d) != len(v.Parameters) {
			r.FailAt(start, "design %d has %d values for %d parameters", i, len(d), len(v.Parameters))
			break
		}
	}
	return v
}

func (r *reader) identity() *Identity {
	if r.Null() {
		return nil
	}
	v := &Identity{}
	r.Object(func(key []byte) {
		switch string(key) {
		case "version":
			v.Version = r.Word()
		case "program":
			v.Program = r.Word()
		default:
			r.Skip()
		}
	})
	return v
}

func (r *reader) column() (c Column) {
	r.Object(func(key []byte) {
		switch string(key) {
		case "name":
			c.Name = r.Str()
		case "unit":
			c.Unit = r.Str()
		default:
			r.Skip()
		}
	})
	return c
}

func decodeBatchEvaluated(r *reader) Payload {
	var v BatchEvaluated
	r.Object(func(key []byte) {
		switch string(key) {
		case "study":
			v.Study = r.Str()
		case "run":
			v.Run = r.Str()
		case "batch":
			v.Batch = r.Int()
		case "evaluator":
			v.Evaluator = r.Str()
		case "evaluator_version":
			v.EvaluatorVersion = r.Word()
		case "program":
			v.Program = r.Word()
		case "worker":
			v.Worker = r.Str()
		case "metrics":
			v.Metrics = list(r, v.Metrics[:0], (*reader).Str)
		case "trials":
			v.Trials = r.results()
		default:
			r.Skip()
		}
	})
	return v
}

func decodeTrialsProposed(r *reader) Payload {
	var v TrialsProposed
	start := r.Pos
	r.Object(func(key []byte) {
		switch string(key) {
		case "study":
			v.Study = r.Str()
		case "run":
			v.Run = r.Str()
		case "batch":
			v.Batch = r.Int()
		case "first_trial":
			v.FirstTrial = r.Int()
		case "told":
			v.Told = r.Int()
		case "observed_through":
			r.Std(&v.ObservedThrough)
		case "designs":
			if r.outline {
				v.Designs = r.countDesigns()
				return
			}
			v.Designs = r.designs()
		case "origins":
			v.Origins = list(r, v.Origins[:0], (*reader).Word)
		case "parents":
			v.Parents = list(r, v.Parents[:0], func(r *reader) []int {
				return list(r, nil, (*reader).Int)
			})
		case "reused":
			v.Reused = r.results()
		case "early_stop":
			r.Std(&v.EarlyStop)
		case "added":
			r.Std(&v.Added)
		case "voids":
			v.Voids = list(r, v.Voids[:0], (*reader).Int)
		case "command":
			v.Command = r.Str()
		default:
			r.Skip()
		}
	})
	switch {
	case len(v.Voids) != 0 && len(v.Voids) != len(v.Designs):
		r.FailAt(start, "%d voided trials for %d designs", len(v.Voids), len(v.Designs))
	case len(v.Origins) != len(v.Designs):
		r.FailAt(start, "%d origins for %d designs", len(v.Origins), len(v.Designs))
	case len(v.Parents) != 0 && len(v.Parents) != len(v.Designs):
		r.FailAt(start, "%d lists of parents for %d designs", len(v.Parents), len(v.Designs))
	}
	return v
}

// designs reads rows into shared memory: one allocation for all values, instead
// of one per row.
func (r *reader) designs() []Design {
	if r.Null() {
		return nil
	}
	rows := []Design{}
	var values []space.Value
	start := 0
	r.Array(func() {
		switch len(rows) {
		case 0:
			start = r.Pos
		case 1:
			n := r.rowsLeft(r.Pos - start)
			rows, values = slices.Grow(rows, n), slices.Grow(values, n*len(rows[0]))
		case MaxBatch:
			r.Fail("a batch has at most %d designs", MaxBatch)
		}
		first := len(values)
		values = r.appendDesign(values)
		rows = append(rows, Design(values[first:len(values):len(values)]))
	})
	return rows
}

// countDesigns passes rows over.
func (r *reader) countDesigns() []Design {
	if r.Null() {
		return nil
	}
	n := 0
	r.Array(func() {
		if n == MaxBatch {
			r.Fail("a batch has at most %d designs", MaxBatch)
		}
		n++
		r.Skip()
	})
	return make([]Design, n)
}

// rowsLeft guesses how many rows follow from the size of the first.
func (r *reader) rowsLeft(size int) int {
	return min((len(r.Bytes)-r.Pos)/max(size, 1)+1, MaxBatch)
}

// appendDesign reads one row.
func (r *reader) appendDesign(dst []space.Value) []space.Value {
	r.Array(func() {
		if r.Peek() != '"' {
			dst = append(dst, space.Value{Num: r.Number()})
			return
		}
		start := r.Pos
		label := r.Str()
		if label == "" && r.Err == nil {
			r.Pos = start
			r.Fail("the label of a level is empty")
		}
		dst = append(dst, space.Value{Label: label})
	})
	return dst
}

func (r *reader) results() []TrialResult {
	if r.Null() {
		return nil
	}
	rows := []TrialResult{}
	var values []float64
	start := 0
	r.Array(func() {
		switch len(rows) {
		case 0:
			start = r.Pos
		case 1:
			n := r.rowsLeft(r.Pos - start)
			rows, values = slices.Grow(rows, n), slices.Grow(values, n*len(rows[0].Values))
		case MaxBatch:
			r.Fail("a batch has at most %d trials", MaxBatch)
		}
		rows = append(rows, TrialResult{})
		values = r.result(&rows[len(rows)-1], values)
	})
	return rows
}

// result reads one trial's result, with its values appended to shared memory.
func (r *reader) result(t *TrialResult, values []float64) []float64 {
	r.Object(func(key []byte) {
		switch string(key) {
		case "trial":
			t.Trial = r.Int()
		case "outcome":
			t.Outcome = r.outcome()
		case "values":
			if r.Null() {
				t.Values = nil
				return
			}
			first := len(values)
			r.Array(func() { values = append(values, r.NumberOrNull()) })
			t.Values = Numbers(values[first:len(values):len(values)])
		case "reason":
			t.Reason = r.reason()
		case "attempts":
			t.Attempts = r.Int()
		case "started_us":
			t.Started = Micros(r.Int64())
		case "seconds":
			t.Seconds = r.Float()
		case "extra":
			t.Extra = r.extra()
		case "last_error":
			t.LastError = r.lastError()
		case "intermediate":
			r.Std(&t.Intermediate)
		default:
			r.Skip()
		}
	})
	return values
}

func (r *reader) lastError() *LastError {
	if r.Null() {
		return nil
	}
	v := &LastError{}
	r.Object(func(key []byte) {
		switch string(key) {
		case "code":
			v.Code = r.Word()
		case "message":
			v.Message = r.Word()
		default:
			r.Skip()
		}
	})
	return v
}

// outcome reads a string, without an allocation for the words of the contract.
func (r *reader) outcome() string {
	if r.Peek() == '"' {
		for _, word := range [...]string{OutcomeMeasured, OutcomeInfeasible, OutcomeFailed, OutcomeStopped} {
			end := r.Pos + 1 + len(word)
			if end < len(r.Bytes) && r.Bytes[end] == '"' && string(r.Bytes[r.Pos+1:end]) == word {
				r.Pos = end + 1
				return word
			}
		}
	}
	return r.Str()
}

func (r *reader) reason() *Reason {
	if r.Null() {
		return nil
	}
	v := r.newReason()
	r.Object(func(key []byte) {
		switch string(key) {
		case "code":
			v.Code = r.Word()
		case "layer":
			v.Layer = r.Word()
		case "need":
			v.Need = r.Float()
		case "have":
			v.Have = r.Float()
		case "unit":
			v.Unit = r.Word()
		case "message":
			v.Message = r.Str()
		default:
			r.Skip()
		}
	})
	return v
}

// newReason gives a reason memory that it shares with others: in a batch of infeasible
// trials each has one.
func (r *reader) newReason() *Reason {
	n := len(r.reasons)
	if n == cap(r.reasons) {
		n, r.reasons = 0, make([]Reason, 0, min(2*n+1, 64))
	}
	r.reasons = r.reasons[:n+1]
	return &r.reasons[n]
}

func (r *reader) extra() map[string]float64 {
	if r.Null() {
		return nil
	}
	v := map[string]float64{}
	r.Object(func(key []byte) {
		name := string(key)
		v[name] = r.Float()
	})
	return v
}

// list reads an array into dst; null is nil.
func list[T any](r *reader, dst []T, element func(*reader) T) []T {
	if r.Null() {
		return nil
	}
	if dst == nil {
		dst = []T{}
	}
	r.Array(func() { dst = append(dst, element(r)) })
	return dst
}
